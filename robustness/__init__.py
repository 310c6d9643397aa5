"""Robustness of a published backbone with its own classifier: adversarial attacks, occlusion, samples in between two
classes, corruptions, renditions. Nothing is trained."""
