"""Format the help screens: ``--help`` shows the options that most runs need, ``--help-all`` shows all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts.help import DefaultFormatter, InlineText
from rich.text import Text

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

EPILOGUE = "--help-all shows every option and spelling; --verbose, --log FILE say more; --debug traces errors."


class HelpScreen:
    """Draws a group of options as cyclopts does, with one spelling of each.

    Args:
        required: options to mark as required where they have no default; if one is missing, the command itself raises the error.
        rare: whether the group is shown only with ``--help-all``.
    """

    #: Whether ``--help-all`` was typed.
    show_all = False

    def __init__(self, *required: str, rare: bool = False) -> None:
        self._required = set(required)
        self._rare = rare

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a group of options, unless it is a rare one and ``--help-all`` was not typed."""
        if HelpScreen.show_all or not self._rare:
            entries = [self._complete(entry) for entry in panel.entries]
            DefaultFormatter()(console, options, panel.copy(entries=entries))

    def _complete(self, entry: HelpEntry) -> HelpEntry:
        """Return an option's entry: marked if required, with the kinds of MODEL, and with all spellings or only one."""
        names = {*entry.names, getattr(entry, "positional_label", "")}
        if "MODEL" in names:
            entry = entry.copy(description=InlineText(Text(describe_model())))
        if names & self._required and not entry.default:
            entry = entry.copy(required=True)
        spellings = getattr(entry, "positive_names", ())  # cyclopts 4 does not tell them apart, and shows all
        if spellings and not HelpScreen.show_all:
            entry = entry.copy(positive_names=spellings[:1], positive_shorts=())
        return entry


def describe_model() -> str:
    """Return everything that MODEL may be, including the kinds that other packages add."""
    from netdissect.networks.plugins import list_model_kinds

    return f"{', '.join(spelling for spelling, _ in list_model_kinds())} (docs/models.md)."
