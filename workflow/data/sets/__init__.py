"""One data set, one file: its declaration (workflow/contracts.py)."""
