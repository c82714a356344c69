"""The ground floor: conditions, paths, seed blocks, canonical JSON, atomic writing and the log of a job."""
