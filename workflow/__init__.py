"""backbone-transfer: the way through the house, from data to report."""
