"""`python -m workflow.config FILE` checks a config without planning anything."""

import argparse

from workflow.config.loading import load
from workflow.core.errors import door
from workflow.core.escaping import printable


@door
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check a config.")
    parser.add_argument("config", help="YAML file")
    name = parser.parse_args().config
    load(name)
    print(f"{printable(str(name))}: config is valid")


if __name__ == "__main__":
    main()
