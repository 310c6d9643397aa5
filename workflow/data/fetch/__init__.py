"""Published data sets, from their sources into the folder of the user."""
