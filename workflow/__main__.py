"""`python -m workflow SUBCOMMAND`."""

from workflow.cli import main

main()
