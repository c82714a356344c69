"""What is learned: synthetic sequence tasks whose minimal time lag is a parameter."""
