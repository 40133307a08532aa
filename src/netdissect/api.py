"""The hall: the only place where rooms meet. ``dissect`` and ``load`` are what most people need."""

from __future__ import annotations

import contextlib
import copy
import logging
import platform
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netdissect
from netdissect import arguments, report
from netdissect.bars import require_progress, watching
from netdissect.data.broden import Broden
from netdissect.data.download.places import require_downloaded, resolve_network
from netdissect.errors import ModelError, SettingsError, ended_by_itself
from netdissect.layers import check_stems
from netdissect.protocols import Silent
from netdissect.report.notebook import ShownLayer, run_html, shown
from netdissect.results import files
from netdissect.results.run import NetworkCard, ProbeSetCard, RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from netdissect.concepts import Labels
    from netdissect.config import Settings
    from netdissect.layers import Layer
    from netdissect.models.load import LoadOptions
    from netdissect.models.network import Network
    from netdissect.models.preprocess import Preprocess
    from netdissect.models.projection import Projections
    from netdissect.protocols import ConceptSource, PictureSource, Progress
    from netdissect.runs import Held


_LOG = logging.getLogger("netdissect")


@dataclass(frozen=True, eq=False, repr=False)
class Result(RunResult):
    """A finished dissection, with what can be done with it.

    Attributes:
        pictures: the probe set; None after loading a run whose probe set is not at hand.
        kept: what the report in the run's folder keeps of it, for pictures when the probe set is gone.
    """

    pictures: ConceptSource | None = None
    kept: PictureSource | None = None

    def __getitem__(self, layer: str | int) -> ShownLayer:
        """Return a layer by name or position; a notebook shows it, and its ``unit(107)`` too.

        Raises:
            UnknownLayerError: naming the nearest layers of the run.
        """
        name = self.name_of(layer)
        if name not in self._shown:
            self._shown[name] = shown(self.layers[name], self, self._by_row)
        return self._shown[name]

    def _repr_html_(self) -> str:
        return run_html(self)

    def write_model_card(self, folder: str | Path) -> Path:
        """Write ``model-card.md`` and its figure into a folder: a section for a model card; return the former."""
        return report.write_card(self, Path(folder))

    def save(self, folder: str | Path) -> None:
        """Write ``run.json`` and every layer's tables into a folder; ``netdissect.load`` reads it."""
        files.save(self, Path(folder))

    def write_report(
        self,
        folder: str | Path,
        *,
        threshold: float | None = None,
        single_file: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Write the pictures and the HTML report into a run's folder.

        Args:
            folder: the run's folder; the report lies in its ``html/``.
            threshold: IoU from which a unit counts as a detector; None takes the run's.
            single_file: also write the whole report as one file, ``report.html``.
            progress: shown how far it is.

        Returns:
            the report's first page; the single file where it was asked for.

        Raises:
            DataNotFoundError: if neither the probe set nor an earlier report has the pictures.
        """
        changed = self if threshold is None else replace(self, settings=replace(self.settings, threshold=threshold))
        return report.write(changed, Path(folder), self._by_row, progress or Silent(), single_file=single_file)

    def picture_file(self, row: int) -> bytes | None:
        """Return an exemplar's picture, by its row in ``index.csv``, as a file; None where it is nowhere at hand."""
        return self._by_row.picture_file(row)

    @cached_property
    def _by_row(self) -> _ByRow:
        return _ByRow(self.pictures, self.kept)

    @cached_property
    def _shown(self) -> dict[str, ShownLayer]:
        return {}


class _ByRow:
    """Pictures and labels by row in ``index.csv``: those an earlier report keeps, else the probe set's."""

    def __init__(self, source: ConceptSource | None, kept: PictureSource | None) -> None:
        self._source = source
        self._kept = kept
        self._positions = {source.row(index): index for index in range(len(source))} if source is not None else {}

    def picture_file(self, row: int) -> bytes | None:
        """Return a picture's file; None where it is nowhere at hand."""
        found = self._kept.picture_file(row) if self._kept is not None else None
        if found is None and self._source is not None:
            return self._source.picture_file(self._positions[row])
        return found

    def labels(self, row: int) -> Labels | None:
        """Return a picture's labels; None where they are nowhere at hand."""
        found = self._kept.labels(row) if self._kept is not None else None
        if found is None and self._source is not None:
            return self._source.labels(self._positions[row])
        return found


@contextlib.contextmanager
def _staying() -> Iterator[None]:
    """Let code that would leave the program, in a network's forward pass or in a worker, end the call instead."""
    try:
        yield
    except SystemExit as leave:
        raise ModelError(f"{ended_by_itself(leave)}: take that out of the network's code") from leave


@_staying()
def dissect(
    model: nn.Module | str | Network,
    layers: str | nn.Module | Sequence[str | nn.Module],
    data: str | Path | ConceptSource,
    *,
    preprocess: Preprocess | None = None,
    projection: Projections | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | bool | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> Result:
    """Dissect layers of a network: tell which concept every unit sees.

    Args:
        model: any ``torch.nn.Module``, what the shell takes for MODEL, or a loaded Network.
        layers: the layers to probe, by qualified name, or as modules of the network.
        data: a Broden folder, the name of one that was downloaded, an fsspec URL of one, a Broden, which a split and a
            limit among the settings narrow, or any ConceptSource, which has the images it has.
        preprocess: how pictures become the network's input; None takes what the model carries, else RGB with ImageNet
            mean and standard deviation.
        projection: latents to dissect in place of the units they are made of: a sparse autoencoder's file, or a module
            that maps (…, U) to (…, L) or has such an ``encode``; for every layer, or a mapping from layers to theirs.
            The result's layers are called ``LAYER+NAME``.
        out: a folder to write the run into; None writes nothing. A run that was interrupted there goes on.
        fresh: forget what an interrupted run left in the folder.
        progress: shown how far it is; True draws bars on a terminal or in a notebook.
        settings: every setting; None takes the paper's.
        options: single settings by name, such as ``quantile=0.01`` or ``batch_size=64``.

    Returns:
        the result; ``result["layer4"].units`` is its table of units.

    Raises:
        NetdissectError: one of its leaves, for anything wrong with the model, the data or the settings.

    Example:
        >>> import netdissect as nd, torchvision                                      # doctest: +SKIP
        >>> model = torchvision.models.resnet18(weights="DEFAULT")                    # doctest: +SKIP
        >>> result = nd.dissect(model, layers=["layer4"], data="dataset/broden1_224") # doctest: +SKIP
        >>> result["layer4"].units[0].label                                           # doctest: +SKIP
        'dog'
    """
    settings = arguments.settings_of(settings, options)
    given = arguments.require_preprocess(preprocess)
    require_progress(progress)
    concepts, settings, folder = ready(data, settings, out)
    network = network_of(model, given)
    names = arguments.layers_wanted(layers, network)
    if projection is not None:
        from netdissect.models.projection import projected

        network, names = projected(network, names, projection)
    check_stems(names)  # now, not when hours of work are to be written
    from netdissect import runs

    with watching(progress) as shown, runs.holding(folder, fresh=fresh, keep=settings.keep) as held:
        result = _run(network, names, concepts, settings, held, shown)
        if folder is not None:
            result.save(folder)
            if settings.pictures:
                result.write_report(folder, progress=shown)
    return result


def ready(
    data: str | Path | ConceptSource, settings: Settings, out: str | Path | None
) -> tuple[ConceptSource, Settings, Path | None]:
    """Check all that can be checked before a network is loaded.

    Args:
        data: as for `dissect`.
        settings: every setting.
        out: as for `dissect`.

    Returns:
        the probe set, the settings with the split and limit that it has, and the folder of the run.

    Raises:
        NetdissectError: one of its leaves, for anything wrong with them.
        OSError: if the folder cannot be written.
    """
    from netdissect import runs

    folder = arguments.folder_of(out)
    if settings.keep and folder is None and settings.artefacts is None:
        raise SettingsError("keep=True keeps intermediate results in the run's folder: give out= too")
    if settings.runtime == "local":
        runs.device_of(settings.device)
    return *arguments.probe_set_of(data, settings), folder


def load(folder: str | Path) -> Result:
    """Read a finished run from its folder.

    Raises:
        RunNotFoundError: if the folder holds no finished run.
        RunFileError: if one of its files is damaged.
    """
    run = files.load(Path(folder))
    pictures: Broden | None = None
    with contextlib.suppress(Exception):  # the probe set may long be gone: its pictures lie in the report too
        if run.probe_set.path and "://" not in run.probe_set.path:  # what a file says is never fetched over a network
            pictures = Broden(run.probe_set.path, split=run.settings.split, limit=run.settings.limit)
    if pictures is not None and pictures.fingerprint != run.probe_set.fingerprint:
        pictures = None
    kept = report.Kept(run, Path(folder))
    return Result(
        run.layers, run.settings, run.network, run.probe_set, run.image_names, run.journal, pictures=pictures, kept=kept
    )


def load_network(model: str, options: LoadOptions | None = None) -> Network:
    """Load what the shell takes for MODEL, the name of a network in the zoo included.

    Args:
        model: a name or path, as ``netdissect run --help`` lists them.
        options: what may be said of it besides.

    Raises:
        ModelError: one of its leaves, if it cannot be loaded.
    """
    from netdissect.models import load as models

    bare = Path(model).name == model and not set(":,") & set(model)
    if bare and not Path(model).is_file() and not Path(f"{model}.prototxt").exists():
        model = str(resolve_network(model) or model)
    elif ":" not in model:
        require_downloaded(model)
    return models.load(model, options)


def layers_of(model: nn.Module | str | Network, resolution: int | None = None) -> list[Layer]:
    """Return everything of a network that can be dissected, for square pictures of a resolution."""
    network = network_of(model)
    size = network.input_size or (224, 224)
    return network.layers((resolution, resolution) if resolution else size)


def network_of(model: nn.Module | str | Network, preprocess: Preprocess | None = None) -> Network:
    """Return a network ready to be probed, from whatever `dissect` takes as one."""
    from torch import nn

    from netdissect.models import load as models

    if isinstance(model, nn.Module) or not (isinstance(model, str) or hasattr(model, "probe")):
        wrapped = models.wrap(model, preprocess)  # type: ignore[arg-type]  # wrap refuses what is no module
        if wrapped.preprocess.note.startswith("assumed"):
            _LOG.warning(
                "%s: %s; give preprocess= if it was trained on something else",
                wrapped.name,
                wrapped.preprocess.describe(),
            )
        return wrapped
    network = load_network(model) if isinstance(model, str) else model
    if preprocess is not None:
        network = copy.copy(network)  # the one that was given keeps its own
        network.preprocess = preprocess  # type: ignore[misc]
    return network


def _run(
    network: Network,
    names: Sequence[str],
    concepts: ConceptSource,
    settings: Settings,
    held: Held,
    progress: Progress,
) -> Result:
    import torch

    from netdissect import runs

    started = time.perf_counter()
    run = runs.carry_out(network, names, concepts, settings, held, progress)
    outcome = run.outcome
    journal = {
        "versions": {
            "netdissect": netdissect.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 2),
        "rescanned_units": outcome.rescanned,
        "skipped_images": {concepts.image_name(image): why for image, why in outcome.skipped.items()},
        "resumed_shards": outcome.resumed,
        "spilled_bytes": run.spilled,
        "notes": list(run.notes),
    }
    positions = {concepts.row(index): index for index in range(len(concepts))}
    rows = sorted({int(row) for layer in outcome.layers.values() for row in layer.exemplars.images.ravel() if row >= 0})
    return Result(
        outcome.layers,
        run.settings,
        NetworkCard(network.name, network.source, run.fingerprint, run.input_size, network.preprocess.describe()),
        ProbeSetCard(
            concepts.name, concepts.path, concepts.fingerprint, outcome.images, concepts.image_size,
            concepts.label_size(0), concepts.vocabulary,
        ),
        {row: concepts.image_name(positions[row]) for row in rows},
        journal,
        pictures=concepts,
    )  # fmt: skip
