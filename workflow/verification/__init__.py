"""Recomputes a random sample of an experiment's published runs and says whether the published numbers come out again."""
