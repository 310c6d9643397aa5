"""Made data sets in the official layouts."""
