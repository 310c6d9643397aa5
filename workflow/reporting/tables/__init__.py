"""The tables, as text, LaTeX and CSV, and what stands below them."""
