"""The command line: one file per command, which parses options and calls the library."""

from __future__ import annotations

from netdissect.cli.app import main

__all__ = ["main"]
