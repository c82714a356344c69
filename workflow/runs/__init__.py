"""The files of runs: their names, the seed blocks on disk, how they are written and why one is missing."""
