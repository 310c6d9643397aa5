"""What everything may import: errors, files, random numbers, signals, words. No torch."""
