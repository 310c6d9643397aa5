"""The config: read, checked against workflow/schemas/config.schema.yaml and against what no schema can say.

Every fault ends in one line that names the file and the key (or the line). No torch: planning must be quick.
`python -m workflow.config FILE` checks a config without planning anything.
"""

import contextlib
import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workflow.config.consistency import faults_of_sense
from workflow.config.schema import instances, schema_faults, validator
from workflow.config.yaml_loader import Loader, inline, load_yaml, relative
from workflow.core.errors import UserError
from workflow.core.escaping import printable


def load(*sources: str | Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The checked config of one file (or inline JSON); later files and `overrides` are laid over the first.

    UserError names the file and the key or line at fault.
    """
    config: dict[str, Any] = {}
    for source in sources:
        config = overlay(config, load_yaml(source))
    name = ", ".join("--config" if inline(source) else relative(source) for source in sources)
    return check(overlay(config, typed(overlay(config, overrides or {}), overrides or {})), name)


def typed(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`overrides` of a whole `config` with the types that the schema asks for: of a nested value of --config, Snakemake
    hands over every number as text (its issue 2099)."""
    copied: dict[str, Any] = copy.deepcopy(dict(overrides))
    for error in validator(*instances(config)).iter_errors(config):
        if error.validator == "type" and isinstance(error.instance, str):
            *above, last = error.absolute_path
            with contextlib.suppress(KeyError, TypeError, IndexError, yaml.YAMLError):  # not from --config, or no YAML
                place: Any = functools.reduce(lambda value, key: value[key], above, copied)
                if isinstance(place[last], str):
                    place[last] = yaml.load(place[last], Loader)
    return copied


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above`, mapping by mapping; neither is changed."""
    merged = copy.deepcopy(dict(below))
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = overlay(merged[key], value) if both else copy.deepcopy(value)
    return merged


def check(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The config itself if nothing is wrong with it; else UserError with its first fault and the count of the rest."""
    faults = list(schema_faults(config)) or list(faults_of_sense(config))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UserError(f"{name}: {printable(faults[0])}{more}")
    return config
