"""`python -m captioning SUBCOMMAND`."""

from captioning.cli import main

main()
