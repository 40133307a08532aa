"""The hall: the only place where rooms meet. ``dissect`` and ``load`` are what most people need."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import netdissect
from netdissect import arguments, report
from netdissect.bounds import describe_type
from netdissect.errors import ModelError, SettingsError, describe_exit
from netdissect.io import folders
from netdissect.io.text import make_writable
from netdissect.layers import check_file_stems
from netdissect.model_loading import as_network
from netdissect.probe_sets.broden.reader import Broden
from netdissect.progress import require_progress, show_progress
from netdissect.protocols import NullProgress
from netdissect.report.notebook import ShownLayer, render_run, shown
from netdissect.results import files, run_match
from netdissect.results import run_folder as place
from netdissect.results.run_folder import RUN_FOLDER
from netdissect.results.run_result import NetworkCard, ProbeSetCard, RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from netdissect.concepts import Labels
    from netdissect.config import Settings, SettingsDict
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.units.projection import Projections
    from netdissect.protocols import ConceptSource, ImageSource, Progress
    from netdissect.run import PreparedRun, RunLock


_LOG = logging.getLogger("netdissect")


@dataclass(frozen=True, eq=False, repr=False)
class Result(RunResult):
    """A finished dissection, with what can be done with it.

    Attributes:
        given: the probe set it was made over; None after loading.
        kept: what the report in the run's folder keeps of it, for images when the probe set is gone.
        loaded: whether it was loaded: its probe set then is what ``run.json`` names, opened only when it is asked for.
    """

    given: ConceptSource | None = None
    kept: ImageSource | None = None
    loaded: bool = False

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
        return render_run(self)

    def write_model_card(self, folder: str | Path) -> Path:
        """Write ``model-card.md`` and its figure into a folder: a section for a model card; return the former.

        Raises:
            FolderTakenError: if a file of somebody else's has that name there.
        """
        where = Path(folder)
        with (
            place.lock_run_folder(where)
            if folders.find_owner(where, RUN_FOLDER) == "ours"
            else contextlib.nullcontext()
        ):
            return report.write_model_card(self, where)

    def save(self, folder: str | Path) -> None:
        """Write ``run.json`` and every layer's tables into a folder; ``netdissect.load`` reads it."""
        with place.lock_run_folder(Path(folder)) as written:
            run_match.claim_folder(Path(folder), written, self)
            files.save_run(self, Path(folder))

    def write_report(
        self,
        folder: str | Path,
        *,
        threshold: float | None = None,
        single_file: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Write the images and the HTML report into a run's folder.

        Args:
            folder: the run's folder; the report lies in its ``html/``.
            threshold: IoU from which a unit counts as a detector; None takes the run's.
            single_file: also write the whole report as one file, ``report.html``.
            progress: shown how far it is.

        Returns:
            the report's first page; the single file where it was asked for.

        Raises:
            DataNotFoundError: if neither the probe set nor an earlier report has the images.
        """
        changed = self if threshold is None else replace(self, settings=replace(self.settings, threshold=threshold))
        with place.lock_run_folder(Path(folder)):
            return changed.draw(Path(folder), progress, single_file=single_file)

    def draw(self, folder: Path, progress: Progress | None = None, *, single_file: bool = False) -> Path:
        """Write the report into a run's folder that is held already; `write_report` tells the rest."""
        return report.write_report(self, folder, self._by_row, progress or NullProgress(), single_file=single_file)

    def read_image_file(self, row: int) -> bytes | None:
        """Return an exemplar's image, by its row in ``index.csv``, as a file; None where it is nowhere at hand."""
        return self._by_row.read_image_file(row)

    @cached_property
    def pictures(self) -> ConceptSource | None:
        """The probe set; None where it is not at hand. Of a loaded run it is opened when this is asked for first."""
        return _open_recorded_probe_set(self) if self.given is None and self.loaded else self.given

    @cached_property
    def _by_row(self) -> _ByRow:
        return _ByRow(self)

    @cached_property
    def _shown(self) -> dict[str, ShownLayer]:
        return {}


class _ByRow:
    """Images and labels by row in ``index.csv``: those an earlier report keeps, else the probe set's."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def read_image_file(self, row: int) -> bytes | None:
        """Return an image's file; None where it is nowhere at hand."""
        kept = self._result.kept
        found = kept.read_image_file(row) if kept is not None else None
        if found is None and (source := self._result.pictures) is not None:
            return source.read_image_file(self._positions[row])
        return found

    def labels(self, row: int) -> Labels | None:
        """Return an image's labels; None where they are nowhere at hand."""
        kept = self._result.kept
        found = kept.labels(row) if kept is not None else None
        if found is None and (source := self._result.pictures) is not None:
            return source.labels(self._positions[row])
        return found

    @cached_property
    def _positions(self) -> dict[int, int]:
        source = self._result.pictures
        return {source.row(index): index for index in range(len(source))} if source is not None else {}


def _open_recorded_probe_set(run: RunResult) -> ConceptSource | None:
    """Return the probe set that a run's record names, if it lies there and is the one."""
    card, settings = run.probe_set, run.settings
    if not card.path or "://" in card.path:  # what a file says is never fetched over a network
        return None
    with contextlib.suppress(Exception):  # it may long be gone, or be another
        if os.path.isdir(card.path):  # noqa: PTH112 - what a file says may be no path at all
            found = Broden(card.path, split=settings.split, limit=settings.limit)
            return found if found.fingerprint == card.fingerprint else None
    return None


@contextlib.contextmanager
def _forbid_exit() -> Iterator[None]:
    """Let code that would leave the program, in a network's forward pass or in a worker, end the call instead."""
    try:
        yield
    except SystemExit as leave:
        raise ModelError(f"{describe_exit(leave)}: take that out of the network's code") from leave


@_forbid_exit()
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
    **options: Unpack[SettingsDict],
) -> Result:
    """Dissect layers of a network: tell which concept every unit sees.

    Args:
        model: any ``torch.nn.Module``, what the shell takes for MODEL, or a loaded Network.
        layers: the layers to probe, by qualified name, or as modules of the network.
        data: a Broden folder, the name of one that was downloaded, an fsspec URL of one, a Broden, which a split and a
            limit among the settings narrow, or any ConceptSource, which has the images it has.
        preprocess: how images become the network's input; None takes what the model carries, else RGB with ImageNet
            mean and standard deviation.
        projection: latents to dissect in place of the units they are made of: a sparse autoencoder's file, or a module
            that maps (…, U) to (…, L) or has such an ``encode``; for every layer, or a mapping from layers to theirs.
            The result's layers are called ``LAYER+NAME``.
        out: a folder to write the run into; None writes nothing. A run that was interrupted there goes on, one that is
            finished is returned as it is, and another's is refused.
        fresh: replace the run that lies in the folder, finished or not.
        progress: shown how far it is; True draws bars on a terminal or in a notebook.
        settings: every setting; None takes the paper's.
        options: single settings by name (docs/settings.md), such as ``quantile=0.01`` or ``batch_size=64``.

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
    settings = arguments.merge_settings(settings, options)
    given = arguments.require_preprocess(preprocess)
    require_progress(progress)
    concepts, settings, folder = check_inputs(data, settings, out)
    network = as_network(model, given)
    names = arguments.resolve_layer_names(layers, network)
    if projection is not None:
        from netdissect.networks.units.projection import attach_projections

        network, names = attach_projections(network, names, projection)
    check_file_stems(names)  # now, not when hours of work are to be written
    from netdissect import run

    with (
        show_progress(progress) as shown,
        run.prepare_run(network, names, concepts, settings) as prepared,
        run.lock_run(folder, prepared, fresh=fresh) as held,
    ):
        if folder is not None and held.finished is not None:
            return _return_finished(folder, held.finished, concepts, settings, shown)
        result = _run_dissection(prepared, held, shown)
        if folder is not None:
            files.save_run(result, folder)
            if settings.pictures:
                result.draw(folder, shown)
    return result


def _return_finished(
    folder: Path, run: RunResult, concepts: ConceptSource, settings: Settings, progress: Progress
) -> Result:
    """Return a run that lies in its folder, finished; its report is drawn if it is wanted and not there."""
    when = str(run.journal.get("finished", ""))[:10]
    on = f" on {when}" if when else ""
    _LOG.warning("%s holds this very run, finished%s: nothing is computed again", folder, on)  # the shell shows it too
    result = Result(
        run.layers, run.settings, run.network, run.probe_set, run.image_names, run.journal, given=concepts,
        kept=report.ReportCache(run, folder),
    )  # fmt: skip
    files.restore_tables(run, folder)
    if settings.pictures and not report.has_report(folder):
        result.draw(folder, progress)
    return result


def check_inputs(
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
    from netdissect import run

    folder = arguments.require_run_folder(out)
    if settings.keep and folder is None and settings.artefacts is None:
        raise SettingsError("keep=True keeps intermediate results in the run's folder: give out= too")
    if settings.runtime == "local":
        run.resolve_device(settings.device)
    return *arguments.open_probe_set(data, settings), folder


def load(folder: str | Path) -> Result:
    """Read a finished run from its folder.

    Raises:
        RunNotFoundError: if the folder holds no finished run.
        RunFileError: if one of its files is damaged.
        SettingsError: if it is no path at all.
    """
    given: object = folder
    if not isinstance(given, (str, os.PathLike)):
        raise SettingsError(f"netdissect.load takes the folder of a run, not {describe_type(given)}")
    run = files.load_run(Path(folder))
    kept = report.ReportCache(run, Path(folder))
    return Result(
        run.layers, run.settings, run.network, run.probe_set, run.image_names, run.journal, kept=kept, loaded=True
    )  # fmt: skip


def _run_dissection(prepared: PreparedRun, held: RunLock, progress: Progress) -> Result:
    import torch

    from netdissect import run

    started = time.perf_counter()
    carried = run.execute_run(prepared, held, progress)
    outcome, network, concepts = carried.outcome, prepared.network, prepared.concepts
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
        "spilled_bytes": carried.spilled,
        "notes": list(carried.notes),
    }
    positions = {concepts.row(index): index for index in range(len(concepts))}
    rows = sorted({int(row) for layer in outcome.layers.values() for row in layer.exemplars.images.ravel() if row >= 0})
    return Result(
        outcome.layers,
        prepared.settings,
        NetworkCard(make_writable(network.name), make_writable(network.source), prepared.fingerprint, prepared.input_size, network.preprocess.describe()),
        ProbeSetCard(
            make_writable(concepts.name), make_writable(concepts.path), concepts.fingerprint, outcome.images, concepts.image_size,
            concepts.label_size(0), concepts.vocabulary,
        ),
        {row: make_writable(concepts.image_name(positions[row])) for row in rows},
        journal,
        given=concepts,
    )  # fmt: skip
