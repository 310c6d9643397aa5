"""Pretraining: one network on ImageNet per regularizer, imported files and random weights."""
