"""A whole dissection: its layers, and the network, the probe set and the settings that it was made with."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.bounds import require_between, require_choice
from netdissect.errors import RunError
from netdissect.io.folders import find_owner
from netdissect.results.findings import describe_findings
from netdissect.results.run_folder import RUN_FOLDER, lock_run_folder
from netdissect.results.run_layers import Layers
from netdissect.results.run_questions import RunQuestions
from netdissect.results.units import UnitTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netdissect.concepts import Vocabulary
    from netdissect.config import Definition, Settings
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.report.figures.run_plots import RunPlots
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.analyses import Analyses
    from netdissect.results.controls import ControlRun
    from netdissect.results.detectors import Detectors
    from netdissect.results.found_concepts import FoundConcepts
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.presenter import Displayed, Presenter
    from netdissect.results.unit_result import UnitResult


@dataclass(frozen=True)
class NetworkCard:
    """What a run records about its network.

    Attributes:
        name: the network's name, for titles and folder names.
        source: what was typed, such as ``torchvision:resnet18``.
        fingerprint: hash of the weights and the structure.
        input_size: height and width of the network's input in pixels.
        preprocessing: how images became its input, in words.
    """

    name: str
    source: str
    fingerprint: str
    input_size: tuple[int, int]
    preprocessing: str


@dataclass(frozen=True)
class ProbeSetCard:
    """What a run records about its probe set.

    Attributes:
        name: the folder's name.
        path: the folder; empty for a probe set that was never on disk.
        fingerprint: hash of its index and vocabulary files.
        images: number of images dissected.
        image_size: height and width of its images in pixels.
        label_size: height and width of its label maps in pixels.
        vocabulary: its concepts.
    """

    name: str
    path: str
    fingerprint: str
    images: int
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    vocabulary: Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Result(RunQuestions):
    """A finished dissection, from `netdissect.dissect` or `netdissect.load`.

    Attributes:
        layers: the layers by name, in the order in which they were requested: a mapping, and a table of what each detects.
        settings: all settings of the run.
        network: what the run records about the network.
        probe_set: what it records about the probe set.
        image_names: names of the exemplar images by their row in ``index.csv``.
        journal: versions, seconds and notes, for ``run.json``.
        controls: what controls detect, to be shown beside the run's own detectors.
        presenter: draws the run; None for a result that neither `netdissect.dissect` nor `netdissect.load` made.
        analyses: answers questions to the run; None for such a result too.
    """

    layers: Layers
    settings: Settings
    network: NetworkCard
    probe_set: ProbeSetCard
    image_names: Mapping[int, str]
    journal: Mapping[str, Any] = field(default_factory=dict)
    controls: tuple[ControlRun, ...] = ()
    presenter: Presenter | None = None
    analyses: Analyses | None = None

    def __post_init__(self) -> None:
        limit = self.settings.threshold
        if not isinstance(self.layers, Layers) or any(
            layer.detection_threshold != limit for layer in self.layers.values()
        ):
            layers = {
                name: layer if layer.detection_threshold == limit else replace(layer, detection_threshold=limit)
                for name, layer in self.layers.items()
            }
            object.__setattr__(self, "layers", Layers(layers))

    def __repr__(self) -> str:
        title = f"{self.network.name} on {self.probe_set.images} images of {self.probe_set.name}"
        found = (
            f"  {name}: {describe_findings(layer, self.settings.threshold)}" for name, layer in self.layers.items()
        )
        first = next(iter(self.layers), "LAYER")
        more = f'result["{first}"] is a layer; .layers, .units, .detectors(), .find("sky"), .plot, .show(), .save(folder), .write_report(folder)'
        return "\n".join([title, *found, more])

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in ("presenter", "analyses")]

    def _repr_html_(self) -> str | None:
        return self.presenter.render_run(self) if self.presenter is not None else None

    def __getitem__(self, layer: str | int) -> LayerResult:
        """Return a layer by name, or by its position: 0 is the first, -1 the last.

        Raises:
            UnknownLayerError: if there is no such layer; the message names the run's layers nearest to it.
        """
        return self.layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    @property
    def score_title(self) -> str:
        """What the score that labels the units is called, such as ``"IoU"``."""
        return next((layer.score_title for layer in self.layers.values()), "IoU")

    @cached_property
    def units(self) -> UnitTable:
        """The units of all layers as one table, best score first; its column `layer` says whose each is."""
        return UnitTable([row for layer in self.layers.values() for row in layer.units], self.score_title)

    def unit(self, layer: str | int, number: int) -> UnitResult:
        """Return a unit by its layer and its number, counted from 1: ``result.unit("layer4", 107)``.

        Raises:
            UnknownLayerError: if the run has no such layer.
            SettingsError: if the layer has no such unit; the message says which numbers it has.
        """
        return self[layer].unit(number)

    def detectors(self, threshold: float | None = None, definition: Definition = "label") -> dict[str, Detectors]:
        """Count detectors and unique detectors of every layer (docs/method.md).

        Args:
            threshold: score from which a unit counts as a detector; None takes the run's, 0.04 unless it was set.
            definition: ``"label"`` counts a unit once, under its label; ``"category"`` in each category that it detects.

        Raises:
            SettingsError: if there is no such threshold or definition.
        """
        threshold = self.settings.threshold if threshold is None else threshold
        require_between("threshold", threshold, "lie between 0 and 1, an IoU", 0, 1)
        require_choice("definition", definition, ("label", "category"))
        return {name: result.detectors(threshold, definition) for name, result in self.layers.items()}

    @property
    def plot(self) -> RunPlots:
        """Figures of the run on axes of matplotlib (docs/figures.md), such as ``result.plot.emergence(ax=axes)``."""
        return self._require_presenter().plot_run(self)

    def show(self, height: int = 760) -> Displayed:
        """Return the report in a frame, which a notebook shows; it needs no file and no server.

        Args:
            height: height of the frame in pixels.

        Raises:
            DataNotFoundError: if the images of the run are not available.
        """
        return self._require_presenter().embed_report(None, height)

    def find(self, *concepts: str, threshold: float | None = None, images: int = 5) -> FoundConcepts:
        """Find the units that see concepts, over all layers; without a concept, those of all concepts of the probe set.

        Units whose label the concept is come first. Another unit follows if its score with the concept reaches the threshold and,
        where chance was measured, exceeds what the unit reaches by chance in 5 % of shifts. A concept that no unit detects says why.

        Args:
            concepts: names, as people write them; synonyms, plurals and other spellings are understood.
            threshold: score from which a unit counts as a detector; None takes the run's.
            images: number of best images of each unit.

        Returns:
            the concepts with their units, which print as a table and convert to pandas and Arrow.

        Raises:
            SettingsError: if the probe set has no such concept; the message suggests the nearest names.

        Example::

            import netdissect as nd

            result = nd.dissect(model, ["layer4"], "dataset/broden1_224")
            result.find("sky")[0].units  # (ConceptUnit(layer='layer4', unit=3, …), …)
            result.find().to_pandas()  # every concept of the probe set
        """
        from netdissect.results.find import find_units

        notes = self.analyses.read_notes(self) if self.analyses is not None else None
        return find_units(self, concepts, threshold=threshold, images=images, notes=notes)

    def save(self, folder: str | Path) -> None:
        """Write ``run.json`` and every layer's tables into a folder; ``netdissect.load`` reads it.

        Raises:
            FolderTakenError: if the folder holds another run, or something that is not a run.
        """
        from netdissect.results import files, run_match

        with lock_run_folder(Path(folder)) as run_files:
            run_match.claim_folder(Path(folder), run_files, self)
            files.save_run(self, Path(folder))

    def write_report(
        self,
        folder: str | Path,
        *,
        threshold: float | None = None,
        single_file: bool = False,
        lite: bool = False,
        classic: bool | None = None,
        progress: Progress | bool = True,
    ) -> Path:
        """Write the images and the HTML report into a run's folder.

        Args:
            folder: the run's folder; the report is written into its ``html/``.
            threshold: score from which a unit counts as a detector; None takes the run's.
            single_file: also write the whole report as one file, ``report.html``.
            lite: also write a smaller single file to send, ``report-lite.html``.
            classic: also write the released code's pages, a strip for every unit; None keeps those that the report has.
            progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
                seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
                gets the calls instead.

        Returns:
            the report's first page; the single file, the smaller one, if one was requested.

        Raises:
            DataNotFoundError: if neither the probe set nor an earlier report has the images.
        """
        run = self if threshold is None else replace(self, settings=replace(self.settings, threshold=threshold))
        with lock_run_folder(Path(folder)):
            return self._require_presenter().write_report(
                run, Path(folder), progress, single_file=single_file, lite=lite, classic=classic
            )

    def write_figures(self, folder: str | Path, *, width: FigureWidth = "text") -> list[Path]:
        """Write every figure of the run as SVG, PDF and PNG, true to size, and their numbers as CSV.

        Args:
            folder: the run's folder; figures are written into its ``figures/``.
            width: where they are set: in a ``"column"`` of a paper (3.25 inches), over a ``"text"``'s width (5.5), or on a
                ``"slide"`` (10).

        Returns:
            the SVG files.

        Raises:
            FolderTakenError: if ``figures/`` has files that this project did not write.
            SettingsError: if there is no such width.
        """
        require_choice("width", width, ("column", "text", "slide"))
        with lock_run_folder(Path(folder)) as written:
            return self._require_presenter().write_figures(self, Path(folder), width, written)

    def publish(self, folder: str | Path, out: str | Path, *, address: str = "") -> Path:
        """Copy the report in a run's folder into another folder as a static site, with a preview for links to it.

        Args:
            folder: the run's folder, with a report.
            out: the site's folder: empty, missing, or that of an earlier site.
            address: the URL at which it will be served, for previews and copied links.

        Returns:
            the site's first page.

        Raises:
            FolderTakenError: if `out` holds something else.
            SettingsError: if the address is not a URL of the web.
            DataNotFoundError: if the run has no report.
        """
        with lock_run_folder(Path(folder)):
            return self._require_presenter().publish_report(self, Path(folder) / "html", Path(out), address)

    def write_model_card(self, folder: str | Path) -> Path:
        """Write ``model-card.md``, a section for a model card, and its figure into a folder.

        Returns:
            the path of ``model-card.md``.

        Raises:
            FolderTakenError: if the folder has a ``model-card.md`` that this project did not write.
        """
        folder = Path(folder)
        ours = find_owner(folder, RUN_FOLDER) == "ours"
        with lock_run_folder(folder) if ours else contextlib.nullcontext():
            return self._require_presenter().write_model_card(self, folder)

    def read_image_file(self, row: int) -> bytes | None:
        """Return an exemplar's image file by its row in ``index.csv``; None if it is not available."""
        return self.presenter.read_image_file(row) if self.presenter is not None else None

    def open_probe_set(self) -> ConceptSource | None:
        """Return the probe set; None if it is not available. The first call opens the probe set of a loaded run."""
        return self.presenter.open_probe_set() if self.presenter is not None else None

    def _require_presenter(self) -> Presenter:
        if self.presenter is None:
            raise RunError(
                "this result was not made by netdissect.dissect or netdissect.load and cannot be drawn: save it, and load "
                "it with netdissect.load"
            )
        return self.presenter
