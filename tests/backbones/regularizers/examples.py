"""Parameters of each regularizer, from its own test's `PARAMETERS`, for the tests of what holds for all of them."""

from importlib import import_module

from backbones.regularizers import REGULARIZERS

PARAMETERS = {name: import_module(f"{__package__}.test_{name}").PARAMETERS for name in sorted(REGULARIZERS)}
MIXING = {name for name, regularizer in REGULARIZERS.items() if regularizer.mixes}
# As many as a row can have: one of those that mix.
COMBINED = {name: PARAMETERS[name] for name in PARAMETERS if name not in MIXING - {"feature_cutmix"}}
