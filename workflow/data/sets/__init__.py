"""One data set, one file: its declaration (workflow/contracts/__init__.py)."""
