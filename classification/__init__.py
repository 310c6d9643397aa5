"""Transfer to a classification set: nearest neighbours, a linear probe, fine-tuning."""
