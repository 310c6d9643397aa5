"""Probes: how good are a backbone's frozen features? Nothing of the backbone is trained."""
