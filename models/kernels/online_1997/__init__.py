"""The kernel that trains the network of 1997 (models/lstm_1997.py) online: an update after every sequence, float64."""
