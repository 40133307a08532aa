"""Export what a finished run's network computes, for analyses of one's own (docs/export.md)."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.analyses.activation_pass import open_activation_pass
from netdissect.analyses.export_folder import lock_export_folder, write_record
from netdissect.analyses.export_parts import (
    FRACTIONS,
    ExportChoice,
    compute_quantiles,
    keep_batch,
    make_activation_columns,
    make_count_columns,
    make_maxima_columns,
    write_array,
    write_row_groups,
)
from netdissect.analyses.finished_run import open_asked_run
from netdissect.analyses.image_classes import open_images
from netdissect.analyses.run_network import open_run_network
from netdissect.analyses.run_probe_set import open_run_probe_set
from netdissect.arguments import choose_run_layers
from netdissect.bounds import MAX_IMAGES, require_choice, require_integer
from netdissect.engine.forward import ReadingLog
from netdissect.errors import DataError, SettingsError
from netdissect.io import atomic
from netdissect.probe_sets.source import hash_parts
from netdissect.progress import show_progress
from netdissect.results.run_folder import WORK
from netdissect.runtime.array_store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from netdissect.analyses.activation_pass import ActivationPass
    from netdissect.analyses.export_parts import ArrayFormat, Arrays
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.run_result import Result

#: Bytes of activations of a part, about.
_PART_BYTES = 2**27


def export_activations(
    run: Result | str | Path,
    network: NetworkLike | None = None,
    data: str | Path | ConceptSource | None = None,
    *,
    out: str | Path,
    layers: Sequence[str] | str | None = None,
    activations: ArrayFormat | None = "npy",
    counts: bool = False,
    quantiles: bool = False,
    maxima: bool = False,
    limit: int | None = None,
    device: str = "auto",
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    progress: Progress | bool = True,
) -> Path:
    """Write what a finished run's network computes over images into a folder (docs/export.md).

    Memory stays bounded; an interrupted export goes on where it was.

    Args:
        run: a result, or the folder of a run; neither is changed.
        network: the run's network; None for the bundled one.
        data: a probe set, or any folder of images; None takes the run's probe set.
        out: the folder, new or empty.
        layers: layers of the run, also by patterns such as ``layer4.*`` or ``last``; None for all.
        activations: the activations of every cell as one .npy array, float32, shape (N, U, h, w), or as Parquet; None for
            none.
        counts: count the pixels of every unit's mask, of its label and of both, image by image; over the run's probe set.
        quantiles: the exact quantiles of every unit's activations.
        maxima: the maximum of every image and unit.
        limit: only the first images.
        device: where the network runs.
        arch: as for `netdissect.dissect`, of a network that is given as MODEL.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.dissect`.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.

    Returns:
        the folder.

    Raises:
        SettingsError: if nothing is to be exported, or the network or probe set is not the run's.
        FolderTakenError: if the folder holds something else.
        NetdissectError: one of its subclasses, if the images or the network are wrong.
    """
    require_choice("activations", activations, (None, "npy", "parquet"))  # type: ignore[arg-type]
    choice = ExportChoice(activations, counts, quantiles, maxima)
    if not any(asdict(choice).values()):
        raise SettingsError("nothing is to be exported: choose among activations, counts, quantiles and maxima")
    if limit is not None:
        require_integer("limit", limit, 1, MAX_IMAGES)
    with show_progress(progress) as shown, open_asked_run(run) as asked:
        result, names = asked.result, choose_run_layers(asked.result, layers)
        images = open_run_probe_set(result, data) if counts or data is None else open_images(data)
        chosen = np.arange(len(images))[:limit]
        opened = open_run_network(result, network, arch=arch, weights=weights, trust=trust)
        facts = (images.fingerprint, chosen.size, result.network.fingerprint, result.network.input_size, names)
        key = hash_parts(*facts, asdict(choice), [result[name].thresholds.tobytes() for name in names], device)
        with lock_export_folder(Path(out), key) as is_finished:
            if is_finished:
                return Path(out)
            store = Store(Path(out) / WORK / key[:16])
            with open_activation_pass(result, opened, images, names, shown, device) as started:
                parts = _collect_parts(result, started, choice, chosen, store, shown)
            _Assembly(result, images, choice, Path(out), store, parts, shown).write(names, key)
            store.clear()
    return Path(out)


def _collect_parts(
    run: Result,
    started: ActivationPass,
    choice: ExportChoice,
    chosen: NDArray[np.int64],
    store: Store,
    progress: Progress,
) -> int:
    """Run the network over the images, store the parts, and return how many there are."""
    per_image = 4 * sum(layer.units * layer.grid[0] * layer.grid[1] for layer in started.layers)
    divided = started.divide(chosen, max(1, _PART_BYTES // per_image))
    progress.start("activations", chosen.size)
    for number, part in enumerate(divided):
        if f"part-{number}" not in store:
            kept: dict[str, list[NDArray[Any]]] = {"images": []}
            for read, outputs in started.run(part, ReadingLog(run.settings.on_error == "skip")):
                kept["images"].append(read)
                for at, layer in enumerate(started.layers):
                    batch = keep_batch(choice, run[layer.name], outputs[layer.name], read, started.context)
                    for name, values in batch.items():
                        kept.setdefault(f"{at}.{name}", []).append(values)
            store.put(f"part-{number}", {name: np.concatenate(own) for name, own in kept.items() if own})
        progress.advance(part.size)
    return len(divided)


@dataclass(frozen=True, eq=False)
class _Assembly:
    """Writes the files of an export from its parts."""

    run: Result
    images: ConceptSource
    choice: ExportChoice
    folder: Path
    store: Store
    parts: int
    progress: Progress

    def write(self, names: Sequence[str], key: str) -> None:
        """Write the files of every layer, the list of images and the record."""
        read = np.concatenate([np.zeros(0, np.int64), *self._iterate("images")])
        if not read.size:
            raise DataError(f"none of the images of {self.images.name} could be read, so nothing was exported")
        described = {}
        self.progress.start("files", len(names))
        for at, name in enumerate(names):
            described[name] = self._write_layer(at, name, read)
            self.progress.advance(1)
        lines = [(position, self.images.row(position), self.images.image_name(position)) for position in read.tolist()]
        self._write_csv("images.csv", ("position", "row", "image"), lines)
        write_record(self.folder, {
            "key": key, "finished": True, "network": self.run.network.name, "fingerprint": self.run.network.fingerprint,
            "data": self.images.name, "data_fingerprint": self.images.fingerprint, "images": int(read.size),
            "input_size": list(self.run.network.input_size), **asdict(self.choice), "layers": described,
        })  # fmt: skip

    def _write_layer(self, at: int, name: str, read: NDArray[np.int64]) -> dict[str, Any]:
        """Write the files of a layer, and return what ``export.json`` says of them."""
        layer = self.run[name]
        stem, grid = layer.layer.file_stem, layer.layer.grid
        shape = (int(read.size), layer.layer.units, *grid)
        files: dict[str, str] = {}
        if self.choice.activations is not None:
            files["activations"] = f"{stem}-activations.{self.choice.activations}"
            with atomic.open_replacement(self.folder / files["activations"]) as file:
                if self.choice.activations == "npy":
                    write_array(file, self._iterate(f"{at}.activations"), shape)
                else:
                    pairs = zip(self._rows(), self._iterate(f"{at}.activations"), strict=True)
                    write_row_groups(file, (make_activation_columns(*pair) for pair in pairs))
        if self.choice.maxima:
            files["maxima"] = f"{stem}-image-maxima.parquet"
            with atomic.open_replacement(self.folder / files["maxima"]) as file:
                write_row_groups(file, (make_maxima_columns(part) for part in self._iterate(f"{at}.maxima")))
        if self.choice.counts:
            files["counts"] = f"{stem}-image-counts.parquet"
            with atomic.open_replacement(self.folder / files["counts"]) as file:
                columns = zip(self._rows(), self._iterate_counts(at), strict=True)
                write_row_groups(file, (make_count_columns(*pair, layer.labels, layer.vocabulary) for pair in columns))
        if self.choice.quantiles:
            files["quantiles"] = f"{stem}-activation-quantiles.csv"
            self._write_quantiles(files["quantiles"], at, shape)
        return {"units": shape[1], "grid": list(grid), "shape": list(shape), "files": files}

    def _write_quantiles(self, name: str, at: int, shape: tuple[int, ...]) -> None:
        """Write the quantiles of a layer; activations that are no file of the export are in one while they are sorted."""
        settings = self.run.settings
        fractions = sorted({*FRACTIONS, settings.quantile, *(settings.quantiles or ())})
        whole = self.folder / WORK / "activations.npy"
        with whole.open("wb") as file:
            write_array(file, self._iterate(f"{at}.activations"), shape)
        try:
            # The mapped array has no name here, so that it is closed before its file is removed: Windows requires it.
            found = compute_quantiles(np.load(whole, mmap_mode="r", allow_pickle=False), fractions)
        finally:
            whole.unlink()
        lines = [
            (unit, q, value)
            for unit, own in enumerate(found.tolist(), start=1)
            for q, value in zip(fractions, own, strict=True)
        ]
        self._write_csv(name, ("unit", "fraction_above", "activation"), lines)

    def _iterate(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield an array of every part that read an image."""
        for number in range(self.parts):
            arrays = self.store.get(f"part-{number}")
            if name in arrays:
                yield arrays[name]

    def _iterate_counts(self, at: int) -> Iterator[Arrays]:
        for number in range(self.parts):
            arrays = self.store.get(f"part-{number}")
            if "images" in arrays:
                yield {name: arrays[f"{at}.{name}"] for name in ("mask", "label", "both", "counted")}

    def _rows(self) -> Iterator[NDArray[np.int64]]:
        for positions in self._iterate("images"):
            yield np.array([self.images.row(position) for position in positions.tolist()], np.int64)

    def _write_csv(self, name: str, head: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)
        atomic.write_text(self.folder / name, out.getvalue())
