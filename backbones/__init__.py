"""Published backbones: the networks there are, import and export of weights, the model card. Used by all tasks."""
