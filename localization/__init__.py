"""Weakly supervised object localization (WSOL): boxes from the class activation maps of a classifier."""
