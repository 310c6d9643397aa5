"""`python -m robustness SUBCOMMAND`."""

from robustness.cli import main

main()
