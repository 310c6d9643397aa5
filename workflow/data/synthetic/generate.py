"""Make a synthetic data set in an official layout; each layout's declaration names its generator.

Image i of a split follows from (the spec's seed, the set, the split, i) alone: the same spec gives the same
bytes, and a larger split begins with the smaller one. The folder appears under its name only when complete."""

import argparse
import importlib
import json
import os
import shutil
from pathlib import Path

from workflow.contracts import DataSet
from workflow.core.errors import UserError, cli_entry_point
from workflow.data.synthetic.shapes import SHAPES
from workflow.data.synthetic.sprites import class_names
from workflow.data.validation.errors import os_errors_as_user_errors
from workflow.registry import datasets


def _checked(data: DataSet, spec: dict) -> dict:
    """The spec if it has exactly its keys, whole numbers in range; UserError naming the key otherwise."""
    name = data.name
    if not isinstance(spec, dict):
        raise UserError(f"synthetic {name}: must be a mapping, not {spec!r:.60}")
    made_of = {} if "photos" in spec and data.from_photos else {"classes": 2}
    least = {**made_of, **dict.fromkeys(data.parts, 1), **({} if data.fixed_size else {"size": 32}), "seed": 0}
    for key in sorted({*least, *(() if made_of else ("photos",))} ^ spec.keys()):
        raise UserError(f"synthetic {name}: key '{key}' is {'missing' if key in least else 'unknown'}")
    for key, low in least.items():
        if isinstance(spec[key], bool) or not isinstance(spec[key], int) or spec[key] < low:
            raise UserError(f"synthetic {name}: {key} must be a whole number of at least {low}, not {spec[key]!r}")
    if spec.get("classes", 0) > len(SHAPES):
        raise UserError(f"synthetic {name}: classes must be at most {len(SHAPES)}, not {spec['classes']}")
    if not made_of and len(class_names(spec)) > len(SHAPES):
        raise UserError(f"synthetic {name}: {spec['photos']} has more than {len(SHAPES)} classes")
    return spec


def make(layout: str, spec: dict, out: str | Path) -> None:
    """Make a set.

    Args:
        layout: name of a declared data set.
        spec: the `synthetic` section of the config.
        out: the folder to make.

    Raises:
        UserError: for a bad spec, or if `out` has content.
    """
    data = datasets()[layout]
    out, spec = Path(out), _checked(data, spec)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists already; remove it to make the data again")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        temporary.mkdir()
        module, _, function = data.generator.partition(":")
        getattr(importlib.import_module(module), function)(temporary, spec)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layout", choices=datasets())
    parser.add_argument("--spec", required=True, type=json.loads, help="the `synthetic:` mapping, as JSON")
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    with os_errors_as_user_errors(args.out):
        make(args.layout, args.spec, args.out)


if __name__ == "__main__":
    main()
