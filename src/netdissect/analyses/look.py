"""Look at images through a finished run: which labeled units fire in them, and where (docs/look.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from netdissect import arguments
from netdissect.analyses.finished_run import load_finished
from netdissect.analyses.given_images import collect_images
from netdissect.analyses.image_activations import read_with_network
from netdissect.analyses.probe_image_rows import find_rows, list_image_names, read_stored
from netdissect.analyses.run_network import open_given_network, open_run_network
from netdissect.analyses.run_probe_set import open_run_probe_set
from netdissect.bounds import describe_type, require_between
from netdissect.errors import SettingsError
from netdissect.io.images import ENDINGS
from netdissect.networks.kinds import SPELLINGS
from netdissect.networks.units.projected_network import attach_projections
from netdissect.progress import show_progress
from netdissect.report.image_look import find_labeled
from netdissect.report.look_files import write_look
from netdissect.report.look_notebook import render_look
from netdissect.results.run_layers import Layers
from netdissect.results.run_result import Result
from netdissect.results.table import Column, Kind, Table, collect_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.analyses.given_images import GivenImage
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.networks.network import Network
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.networks.units.projection import Projections
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.report.image_look import FiringUnit, ImageLook


_NUMBER: tuple[Kind, bool] = ("number", False)
#: Columns of a look, what each holds, and whether values may be missing.
LOOK_KINDS: dict[str, tuple[Kind, bool]] = {
    "image": ("text", False), "layer": ("text", False), "unit": ("integer", False), "channel": ("integer", False), "category": ("text", False),
    "label": ("text", False), "score": ("number", False), "q": ("number", True),
    **dict.fromkeys(("strength", "activation", "threshold", "share", "x", "y"), _NUMBER),
}  # fmt: skip


class LookOptions(TypedDict, total=False):
    """The keyword arguments of `look`."""

    rows: int | str | Sequence[int | str] | None
    layers: str | Sequence[str] | None
    data: str | Path | ConceptSource | None
    threshold: float | None
    out: str | Path | None
    masks: bool
    device: str
    preprocess: PreprocessLike | None
    projection: Projections | None
    arch: str | None
    weights: str | Path | None
    trust: bool
    progress: Progress | bool


@dataclass(frozen=True, eq=False, repr=False)
class LookResult(Table):
    """The labeled units of a run that fire in some images, from `look`; as a table, a row for each image and unit.

    Attributes:
        run: the run, with the layers that were looked at.
        images: the images.
        threshold: score from which a unit counts as labeled.
        note: what a reader should know about where activations are from; may be empty.
    """

    run: Result
    images: tuple[ImageLook, ...]
    threshold: float
    note: str = ""

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[ImageLook]:
        return iter(self.images)

    def __getitem__(self, position: int) -> ImageLook:
        """Return the image at a position."""
        return self.images[position]

    def __repr__(self) -> str:
        return "\n".join(self.list_lines())

    def _repr_html_(self) -> str:
        return render_look(self.images, self.threshold, self.note)

    @property
    def rows(self) -> list[tuple[str, FiringUnit]]:
        """The name of the image and the unit, for every labeled unit that fires."""
        return [(image.name, unit) for image in self.images for layer in image.layers.values() for unit in layer.units]

    def list_lines(self, most: int = 12) -> list[str]:
        """Return what fires in the first `most` images in words, and where activations are from."""
        lines = [line for image in self.images[:most] for line in repr(image).split("\n")]
        left = len(self.images) - most
        return [*lines, *([f"and {left} more images"] if left > 0 else []), *([self.note] if self.note else [])]

    def _make_columns(self) -> Mapping[str, Column]:
        return collect_columns(({"image": name, **unit.as_dict()} for name, unit in self.rows), LOOK_KINDS)

    def save(self, folder: str | Path, *, masks: bool = True, progress: Progress | bool = True) -> Path:
        """Write a page, label maps, masks and tables into a folder (docs/look.md).

        Args:
            folder: a new folder, or one of an earlier look, whose files are replaced.
            masks: whether the mask of every unit and the sum of masks of every concept are written as files of their own.
            progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
                seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
                gets the calls instead.

        Returns:
            the page, ``index.html``.

        Raises:
            FolderTakenError: if the folder holds anything but a look.
        """
        with show_progress(progress) as shown:
            return write_look(
                self.run, self.images, Path(folder), self.threshold, self.note, masks=masks, progress=shown
            )


def look(
    run: Result | str | Path,
    network: NetworkLike | None = None,
    images: GivenImage | Sequence[GivenImage] | None = None,
    *,
    rows: int | str | Sequence[int | str] | None = None,
    layers: str | Sequence[str] | None = None,
    data: str | Path | ConceptSource | None = None,
    threshold: float | None = None,
    out: str | Path | None = None,
    masks: bool = True,
    device: str = "auto",
    preprocess: PreprocessLike | None = None,
    projection: Projections | None = None,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    progress: Progress | bool = True,
) -> LookResult:
    """Find which labeled units of a run fire in images, and where.

    Args:
        run: a result, or the folder of a run.
        network: the network that the run dissected, a module, or MODEL; None only for the bundled network, and for `rows`
            without a network.
        images: images of your own: files, folders, arrays of uint8 and shape (H, W, 3), or images that Pillow has opened.
        rows: images of the run's probe set instead, one or several, by row in ``index.csv``, from 0, or by name. Without a
            network, what the run has kept of them is used: every unit if it was run with ``keep``, else the units that have
            them among their strongest images.
        layers: layers of the run, also by patterns such as ``layer4.*`` or ``last``; None takes all.
        data: the run's probe set, if it is not where the run was made; only for `rows`.
        threshold: score from which a unit counts as labeled; None takes the run's.
        out: folder for a page, label maps and tables; None writes nothing.
        masks: whether `out` gets the mask of every unit as a file of its own.
        device: where the network runs.
        preprocess: how images become the network's input, if `netdissect.dissect` was given it.
        projection: the projection of a run of latents, as for `netdissect.dissect`.
        arch: as for `netdissect.dissect`, of a network that is given as MODEL.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.dissect`.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.

    Returns:
        the units of every image.

    Raises:
        SettingsError: if images and rows are both given or both missing, or the network is not the run's.
        DataError: or a subclass, if an image does not exist or cannot be decoded, or there is no such row.
        NetdissectError: other subclasses, as `netdissect.load` and `netdissect.load_network` do.

    Example::

        import netdissect as nd

        run = nd.dissect(model, ["layer4"], "dataset/broden1_224")
        seen = nd.look(run, model, ["street.jpg"])
        seen[0]["layer4"].units  # the strongest first
    """
    if (images is None) == (rows is None):
        raise SettingsError(
            "expected images of your own, or rows of the run's probe set (--rows), and not both: name at least one"
        )
    whole = _open_run(run)
    with show_progress(progress) as shown:
        chosen = _select_layers(whole, layers)
        cut = chosen.settings.threshold if threshold is None else threshold
        require_between("threshold", cut, "lie between 0 and 1, an IoU", 0, 1)
        labeled = {name: find_labeled(layer, cut) for name, layer in chosen.layers.items()}
        replace(chosen.settings, device=device)  # checks it
        request = _ImageRequest(network, images, rows, data, device, preprocess, projection, arch, weights, trust)
        found, note = request.read(chosen, labeled, whole, shown)
        result = LookResult(chosen, tuple(found), cut, note)
        if out is not None:
            write_look(chosen, result.images, Path(out), cut, note, masks=masks, progress=shown)
        return result


def split_words(words: Sequence[str], *, has_rows: bool) -> tuple[str | None, list[str] | None]:
    """Return MODEL and the images among the words that follow RUN on the command line; None for what is not there.

    The first word is MODEL, unless it is the path of an image or of a folder. ``demo`` before other words is MODEL even where a
    folder has this name; ``./demo`` is the folder.

    Args:
        words: the words.
        has_rows: whether rows of the probe set were given, so that no image is expected.

    Raises:
        SettingsError: if images and rows are both given.
    """
    is_word = len(words) > 1 and SPELLINGS["demo"].fits(words[0])
    is_image = bool(words) and not is_word and (Path(words[0]).is_dir() or Path(words[0]).suffix.lower() in ENDINGS)
    model = None if is_image or not words else words[0]
    images = list(words if is_image else words[1:])
    if has_rows and images:
        raise SettingsError(f"--rows takes images of the probe set: leave out {images[0]}, or leave out --rows")
    return model, images or None


def _list_rows(rows: object) -> list[int | str]:
    """Return one row, or several, as a list.

    Raises:
        SettingsError: if there is none.
    """
    several: list[int | str] = list(rows) if isinstance(rows, Iterable) and not isinstance(rows, str) else [rows]  # type: ignore[list-item]  # find_rows checks it
    if not several:
        raise SettingsError("no row was given: name at least one image of the run's probe set")
    return several


def _open_run(run: Result | str | Path) -> Result:
    """Return a result, or load it from its folder; nothing is written there."""
    if isinstance(run, Result):
        return run
    given: object = run
    if not isinstance(given, (str, os.PathLike)):
        raise SettingsError(f"expected a result or the folder of a run, got {describe_type(given)}")
    return load_finished(Path(given))


def _select_layers(run: Result, layers: str | Sequence[str] | None) -> Result:
    if layers is None:
        return run
    return replace(run, layers=Layers({name: run[name] for name in arguments.choose_run_layers(run, layers)}))


@dataclass(frozen=True, eq=False)
class _ImageRequest:
    """The images that were asked for, and what runs on them; the arguments of `look`."""

    network: NetworkLike | None
    images: GivenImage | Sequence[GivenImage] | None
    rows: int | str | Sequence[int | str] | None
    data: str | Path | ConceptSource | None
    device: str
    preprocess: PreprocessLike | None
    projection: Projections | None
    arch: str | None
    weights: str | Path | None
    trust: bool

    def read(
        self, run: Result, labeled: Mapping[str, NDArray[np.int64]], whole: Result, progress: Progress
    ) -> tuple[list[ImageLook], str]:
        """Return the units that fire in the images, and a note on where activations are from."""
        if self.images is not None:
            source: ConceptSource = collect_images(self.images)
            network = self._open_network(whole)
            every = range(len(source))
            return read_with_network(run, network, source, every, labeled, self.device, progress), ""
        rows = _list_rows(self.rows)
        if self.network is None:
            stored = run.open_probe_set() if self.data is None else open_run_probe_set(run, self.data)
            return read_stored(run, rows, labeled, stored, whole)
        concepts = open_run_probe_set(run, self.data)
        network = self._open_network(whole)
        names = list_image_names(concepts)
        places = {row: place for place, row in enumerate(names)}
        positions = [places[row] for row in find_rows(names, rows)]
        return read_with_network(run, network, concepts, positions, labeled, self.device, progress, has_rows=True), ""

    def _open_network(self, whole: Result) -> Network:
        """Return the network of a run, with all of its layers, prepared as the run prepared it."""
        network = self.network
        if network is not None and (self.preprocess is not None or self.projection is not None):
            network = open_given_network(
                network, arguments.require_preprocess(self.preprocess), arch=self.arch, weights=self.weights, trust=self.trust
            )  # fmt: skip
            if self.projection is not None:
                network, _ = attach_projections(network, list(whole.layers), self.projection)
            return open_run_network(whole, network)
        return open_run_network(whole, network, arch=self.arch, weights=self.weights, trust=self.trust)
