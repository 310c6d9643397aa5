"""Pretraining: one ResNet-50 on ImageNet per regularizer, and the door through which a published backbone is loaded."""
