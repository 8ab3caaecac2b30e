"""Training: the only subpackage that imports PyTorch. Running a bundle does not need it."""
