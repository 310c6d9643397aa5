"""`python -m backbones SUBCOMMAND`."""

from backbones.cli import main

main()
