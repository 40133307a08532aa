"""What ``--help`` shows: a screen of the options most people need; ``--help-all`` shows the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts.help import DefaultFormatter

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

EPILOGUE = "--help-all shows every option and spelling; --debug shows the traceback of an error."


class HelpScreen:
    """Draws a group of options as cyclopts does, with one spelling of each.

    Args:
        required: options to mark as required whose absence the command itself reports.
        rare: whether the group is shown only with ``--help-all``.
    """

    #: Whether ``--help-all`` was typed.
    show_all = False

    def __init__(self, *required: str, rare: bool = False) -> None:
        self._required = set(required)
        self._rare = rare

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a group of options, unless it is a rare one and not asked for."""
        if self._rare and not HelpScreen.show_all:
            return
        entries = [
            entry.copy(required=True)
            if self._required & {*entry.names, getattr(entry, "positional_label", "")}
            else entry
            for entry in panel.entries
        ]
        if not HelpScreen.show_all:
            entries = [_hide_aliases(entry) for entry in entries]
        DefaultFormatter()(console, options, panel.copy(entries=entries))


def _hide_aliases(entry: HelpEntry) -> HelpEntry:
    """Return an option with its first spelling only; cyclopts 4 has no such list and shows all."""
    names = getattr(entry, "positive_names", ())
    return entry.copy(positive_names=names[:1], positive_shorts=()) if names else entry
