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

    from torch import nn

    from netdissect.analyses.ablate import AblationOptions
    from netdissect.analyses.discriminate import DiscriminationOptions
    from netdissect.analyses.given_images import GivenImage
    from netdissect.analyses.image_classes import ImageData
    from netdissect.analyses.look import LookResult
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.units.projection import Projections
    from netdissect.protocols import ConceptSource, Progress
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
        network: nn.Module | str | Network | None,
        data: str | Path | ConceptSource | None,
        *,
        layers: Sequence[str] | str | None,
        units: Sequence[int] | None,
        length: int,
        shifts: int,
        workers: int | None,
        progress: Progress | bool,
    ) -> Result:
        """Return the run with the best formula of every unit (`Result.explain`)."""
        ...

    def look(
        self,
        run: Result,
        network: nn.Module | str | Network | None,
        images: GivenImage | Sequence[GivenImage] | None,
        *,
        rows: int | str | Sequence[int | str] | None,
        layers: str | Sequence[str] | None,
        data: str | Path | ConceptSource | None,
        threshold: float | None,
        out: str | Path | None,
        device: str,
        preprocess: Preprocess | None,
        projection: Projections | None,
        progress: Progress | bool,
    ) -> LookResult:
        """Find which labeled units fire in images, and where (`netdissect.look`)."""
        ...

    def ablate(
        self,
        run: Result,
        network: nn.Module | str | Network | None,
        data: ImageData | None,
        **options: Unpack[AblationOptions],
    ) -> Result:
        """Return the run with what class outputs lose without the units of each concept (`Result.ablate`)."""
        ...

    def discriminate(
        self,
        run: Result,
        network: nn.Module | str | Network | None,
        data: ImageData | None,
        **options: Unpack[DiscriminationOptions],
    ) -> Discrimination:
        """Return how well a linear classifier tells classes apart by each layer's activations (`Result.discriminate`)."""
        ...
