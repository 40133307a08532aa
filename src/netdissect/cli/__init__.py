"""The command line: words become calls, one file per command, no logic."""

from __future__ import annotations

from netdissect.cli.app import main

__all__ = ["main"]
