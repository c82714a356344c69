"""What an experiment leaves, listed with checksums and packed into one file that another machine can verify."""
