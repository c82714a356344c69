"""Decomposition of gradients: by step back in time, by weight and by path."""
