"""What figures share: the look, panels, legends and axes."""
