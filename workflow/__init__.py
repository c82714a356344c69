"""What runs when: configuration, run files, rules, adapters and the analysis of the tables."""
