"""From a configuration file to a validated experiment; it imports neither torch nor the trained code."""
