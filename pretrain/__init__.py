"""Pretraining: one network per regularizer, imported files and random weights."""
