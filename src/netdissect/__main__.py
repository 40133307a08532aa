"""``python -m netdissect``: the command line."""

from netdissect.cli import main

main()
