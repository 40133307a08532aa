"""What a finished run can be asked: the methods of a `Result` whose answers `netdissect.analyses` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack, cast

from netdissect.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.analyses.ablate import AblationOptions
    from netdissect.analyses.best_formulas import ExplainOptions
    from netdissect.analyses.discriminate import DiscriminationOptions
    from netdissect.analyses.given_images import GivenImage
    from netdissect.analyses.image_classes import ImageData
    from netdissect.analyses.look import LookOptions, LookResult
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.protocols import ConceptSource
    from netdissect.results.analyses import Analyses
    from netdissect.results.discrimination import Discrimination
    from netdissect.results.run_result import Result


class RunQuestions:
    """The base class of `Result`: questions that take the run's network or images.

    Attributes:
        analyses: answers questions to the run; None for a result that neither `netdissect.dissect` nor `netdissect.load` made.
    """

    analyses: Analyses | None

    def explain(
        self,
        network: NetworkLike | None = None,
        data: str | Path | ConceptSource | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Result:
        """Find every unit's best formula of concepts (docs/formulas.md); the arguments are those of `netdissect.explain`.

        Returns:
            the run with ``result[layer].formulas``; `save` writes it into the run's folder.
        """
        return self._require_analyses().explain(self._get_run(), network, data, **options)

    def look(
        self,
        network: NetworkLike | None = None,
        images: GivenImage | Sequence[GivenImage] | None = None,
        **options: Unpack[LookOptions],
    ) -> LookResult:
        """Find which labeled units fire in images, and where; arguments and errors are those of `netdissect.look`."""
        return self._require_analyses().look(self._get_run(), network, images, **options)

    def ablate(
        self,
        network: NetworkLike | None = None,
        data: ImageData | None = None,
        **options: Unpack[AblationOptions],
    ) -> Result:
        """Measure what class outputs lose without the units of each concept; the arguments are those of `netdissect.ablate`.

        Returns:
            the run with ``result[layer].ablation``; `save` writes it into the run's folder.
        """
        return self._require_analyses().ablate(self._get_run(), network, data, **options)

    def discriminate(
        self,
        network: NetworkLike | None = None,
        data: ImageData | None = None,
        **options: Unpack[DiscriminationOptions],
    ) -> Discrimination:
        """Measure how well a linear classifier tells classes apart by each layer's activations.

        The arguments and errors are those of `netdissect.discriminate`.
        """
        return self._require_analyses().discriminate(self._get_run(), network, data, **options)

    def _get_run(self) -> Result:
        return cast("Result", self)

    def _require_analyses(self) -> Analyses:
        if self.analyses is None:
            raise RunError(
                "this result was not made by netdissect.dissect or netdissect.load and cannot be asked: save it, and load it "
                "with netdissect.load"
            )
        return self.analyses
