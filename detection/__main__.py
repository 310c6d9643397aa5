"""`python -m detection SUBCOMMAND`."""

from detection.cli import main

main()
