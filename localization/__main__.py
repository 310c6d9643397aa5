"""`python -m localization SUBCOMMAND`."""

from localization.cli import main

main()
