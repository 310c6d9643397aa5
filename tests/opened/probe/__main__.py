"""`python -m probe SUBCOMMAND`."""

from probe.cli import main

main()
