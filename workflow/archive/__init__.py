"""What an experiment leaves, listed with checksums in an RO-Crate and packed into one file that can be verified elsewhere."""
