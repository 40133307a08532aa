"""The command line: words become calls, one file per command, no logic."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
