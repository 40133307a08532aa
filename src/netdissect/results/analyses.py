"""The interface of what answers questions to a finished run; `netdissect.analyses` implements it, `netdissect.api` adds it.

Every analysis is a method here and of `RunAnalyses`, with the same name and arguments as the method of `Result` that calls it:
it takes the run and returns the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Unpack

    from netdissect.analyses.ablate import AblationOptions
    from netdissect.analyses.best_formulas import ExplainOptions
    from netdissect.analyses.discriminate import DiscriminationOptions
    from netdissect.analyses.given_images import GivenImage
    from netdissect.analyses.image_classes import ImageData
    from netdissect.analyses.look import LookOptions, LookResult
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.protocols import ConceptSource
    from netdissect.results.concept_words import VocabularyNotes
    from netdissect.results.discrimination import Discrimination
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

    def explain(
        self,
        run: Result,
        network: NetworkLike | None,
        data: str | Path | ConceptSource | None,
        **options: Unpack[ExplainOptions],
    ) -> Result:
        """Return the run with the best formula of every unit (`Result.explain`)."""
        ...

    def look(
        self,
        run: Result,
        network: NetworkLike | None,
        images: GivenImage | Sequence[GivenImage] | None,
        **options: Unpack[LookOptions],
    ) -> LookResult:
        """Find which labeled units fire in images, and where (`netdissect.look`)."""
        ...

    def ablate(
        self,
        run: Result,
        network: NetworkLike | None,
        data: ImageData | None,
        **options: Unpack[AblationOptions],
    ) -> Result:
        """Return the run with what class outputs lose without the units of each concept (`Result.ablate`)."""
        ...

    def discriminate(
        self,
        run: Result,
        network: NetworkLike | None,
        data: ImageData | None,
        **options: Unpack[DiscriminationOptions],
    ) -> Discrimination:
        """Return how well a linear classifier tells classes apart by each layer's activations (`Result.discriminate`)."""
        ...
