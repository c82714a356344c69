"""Intervals, paired comparison, horizons and measures; scipy does the work."""
