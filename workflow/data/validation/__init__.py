"""What the checks of all data sets share."""
