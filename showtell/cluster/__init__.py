"""Millions of photographs on many machines: Ray runs the work, and the Captioner is the same."""
