"""How it learns: random streams, optimisers, the training loop of all replicas of a condition, and their evaluation."""
