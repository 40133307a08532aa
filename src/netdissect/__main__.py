"""``python -m netdissect``."""

from netdissect.cli import main

main()
