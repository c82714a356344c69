"""From a configuration to conditions and the settings of their jobs; it imports neither torch nor the trained code."""
