"""Training: the only room that imports PyTorch. Nothing outside it is needed to run a bundle."""
