"""`python -m backbones`: see cli.py."""

from backbones.cli import main

main()
