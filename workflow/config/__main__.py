"""`python -m workflow.config FILE` checks a config without planning anything."""

import argparse

from workflow.config.loading import load
from workflow.core.errors import cli_entry_point
from workflow.core.escaping import printable


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check a config.")
    parser.add_argument("config", help="YAML file")
    name = parser.parse_args().config
    load(name)
    print(f"{printable(str(name))}: config is valid")


if __name__ == "__main__":
    main()
