"""Make or check a data set: one set, one file."""
