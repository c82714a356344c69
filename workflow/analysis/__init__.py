"""What the run records say: tables, statistics and the look of the figures, as pure functions over tables."""
