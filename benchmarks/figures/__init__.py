"""The figures of the benchmark, in the look of the project's others."""
