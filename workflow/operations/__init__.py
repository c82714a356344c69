"""What a user asks of an experiment: estimate, status, partial results, the outcome and the reasons of failures."""
