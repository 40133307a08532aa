"""The analyses that every run of `netdissect.api` has: each method imports a module of this room and calls its function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        """Return the run with the best formula of every unit."""
        from netdissect.analyses.best_formulas import explain

        return explain(
            run,
            network,
            data,
            layers=layers,
            units=units,
            length=length,
            shifts=shifts,
            workers=workers,
            progress=progress,
        )

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
        from netdissect.analyses.look import look

        return look(
            run, network, images, rows=rows, layers=layers, data=data, threshold=threshold, out=out, device=device,
            preprocess=preprocess, projection=projection, progress=progress,
        )  # fmt: skip

    def ablate(
        self,
        run: Result,
        network: nn.Module | str | Network | None,
        data: ImageData | None,
        **options: Unpack[AblationOptions],
    ) -> Result:
        """Return the run with what class outputs lose without the units of each concept."""
        from netdissect.analyses.ablate import ablate

        return ablate(run, network, data, **options)

    def discriminate(
        self,
        run: Result,
        network: nn.Module | str | Network | None,
        data: ImageData | None,
        **options: Unpack[DiscriminationOptions],
    ) -> Discrimination:
        """Return how well a linear classifier tells classes apart by each layer's activations."""
        from netdissect.analyses.discriminate import discriminate

        return discriminate(run, network, data, **options)
