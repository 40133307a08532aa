"""The interface of what answers questions to a finished run; `netdissect.analyses` implements it, `netdissect.api` adds it.

Every analysis is a method here and of `RunAnalyses`, with the same name and arguments as the method of `Result` that calls it:
it takes the run and returns the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.concept_words import VocabularyNotes
    from netdissect.results.run_result import Result


class Analyses(Protocol):
    """Answers questions to a run. A result without it can only be read."""

    @property
    def folder(self) -> Path | None:
        """The run's folder; None for a run without one."""
        ...

    def read_notes(self, run: Result) -> VocabularyNotes:
        """Return what the run's probe set says of its concepts besides their names."""
        ...
