"""The kinds of job, what each is given, what each needs, and the records that an experiment requests."""
