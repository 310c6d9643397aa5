"""From per-image scores to means, intervals and comparisons."""
