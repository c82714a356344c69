"""Recomputes a random sample of an experiment's published runs and says whether their numbers come out again."""
