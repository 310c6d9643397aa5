"""`python -m pretrain SUBCOMMAND`."""

from pretrain.cli import main

main()
