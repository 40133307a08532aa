"""The analyses that every run of `netdissect.api` has: each method imports a module of this room and calls its function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class RunAnalyses:
    """Answers questions to a run: the `Analyses` of `netdissect.results`.

    Attributes:
        folder: the run's folder; None for a run without one.
    """

    folder: Path | None

    def read_notes(self, run: Result) -> VocabularyNotes:
        """Return what the run's probe set says of its concepts besides their names."""
        from netdissect.analyses.concept_notes import collect_notes

        return collect_notes(run)

    def explain(
        self,
        run: Result,
        network: NetworkLike | None,
        data: str | Path | ConceptSource | None,
        **options: Unpack[ExplainOptions],
    ) -> Result:
        """Return the run with the best formula of every unit."""
        from netdissect.analyses.best_formulas import explain

        return explain(run, network, data, **options)

    def look(
        self,
        run: Result,
        network: NetworkLike | None,
        images: GivenImage | Sequence[GivenImage] | None,
        **options: Unpack[LookOptions],
    ) -> LookResult:
        """Find which labeled units fire in images, and where (`netdissect.look`)."""
        from netdissect.analyses.look import look

        return look(run, network, images, **options)

    def ablate(
        self,
        run: Result,
        network: NetworkLike | None,
        data: ImageData | None,
        **options: Unpack[AblationOptions],
    ) -> Result:
        """Return the run with what class outputs lose without the units of each concept."""
        from netdissect.analyses.ablate import ablate

        return ablate(run, network, data, **options)

    def discriminate(
        self,
        run: Result,
        network: NetworkLike | None,
        data: ImageData | None,
        **options: Unpack[DiscriminationOptions],
    ) -> Discrimination:
        """Return how well a linear classifier tells classes apart by each layer's activations."""
        from netdissect.analyses.discriminate import discriminate

        return discriminate(run, network, data, **options)
