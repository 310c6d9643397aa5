"""Open brought files as `pretrain.import_backbone` will, but score and publish nothing."""

import argparse
import json
from pathlib import Path

from workflow.core.errors import cli_entry_point


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", required=True, type=json.loads, help="of the brought backbones, as planned: JSON")
    recipes = parser.parse_args().recipes
    from pretrain.import_backbone import weights_of

    for recipe in recipes:
        weights_of(Path(recipe["checkpoint"]), recipe)


if __name__ == "__main__":
    main()
