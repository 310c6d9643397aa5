"""`python -m classification SUBCOMMAND`."""

from classification.cli import main

main()
