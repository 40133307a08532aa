"""What an export keeps of a batch of images, and the files that the parts become."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from netdissect.engine.image_counts import count_images
from netdissect.engine.thresholds import count_allowed_above
from netdissect.protocols import read_segments
from netdissect.results.arrow_arrays import make_number_array, make_text_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.results.layer_result import LayerResult

#: Fractions of all cells above the activations of a quantile table, besides the run's own quantiles.
FRACTIONS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
#: Bytes of activations that are sorted at once.
_SORTED_BYTES = 2**28
Arrays = dict[str, "NDArray[Any]"]
ArrayFormat = Literal["npy", "parquet"]


@dataclass(frozen=True)
class ExportChoice:
    """What is exported.

    Attributes:
        activations: the format of the activations; None leaves them out.
        counts: whether pixels are counted image by image.
        quantiles: whether quantiles of the activations are.
        maxima: whether the maximum of every image and unit is.
    """

    activations: ArrayFormat | None
    counts: bool
    quantiles: bool
    maxima: bool


def keep_batch(
    choice: ExportChoice, layer: LayerResult, values: torch.Tensor, images: NDArray[np.int64], context: WorkerContext
) -> Arrays:
    """Return what is kept of one layer over a batch, each array with the images along its first axis.

    Args:
        choice: what is exported.
        layer: the layer's result.
        values: its activations, float32, shape (B, h, w, U), contiguous.
        images: positions of the images, int64, shape (B,).
        context: the images and threads.
    """
    kept: Arrays = {}
    if choice.activations is not None or choice.quantiles:
        kept["activations"] = np.ascontiguousarray(values.permute(0, 3, 1, 2).cpu().numpy())
    if choice.maxima:
        kept["maxima"] = values.amax(dim=(1, 2)).cpu().numpy()
    if choice.counts:
        labels = context.threads.map(lambda image: read_segments(context.concepts, image), images.tolist())
        counts = count_images(
            layer.layer, values, labels, layer.thresholds, layer.labels, layer.vocabulary, context.source.input_size,
            context.threads,
        )  # fmt: skip
        kept |= counts._asdict()
    return kept


def write_array(file: IO[bytes], parts: Iterable[NDArray[np.float32]], shape: tuple[int, ...]) -> None:
    """Write parts of an array below each other as one .npy file, float32, of a shape; it can be memory-mapped."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)
    for part in parts:
        file.write(np.ascontiguousarray(part, "<f4").data)


def write_row_groups(file: IO[bytes], parts: Iterable[Mapping[str, pa.Array]]) -> None:
    """Write parts of a table as one Parquet file, a row group each."""
    writer: pq.ParquetWriter | None = None
    for part in parts:
        table = pa.table(dict(part))
        if writer is None:
            writer = pq.ParquetWriter(file, table.schema, compression="zstd", write_page_checksum=True)
        writer.write_table(table, row_group_size=max(len(table), 1))
    if writer is not None:
        writer.close()


def make_activation_columns(rows: NDArray[np.int64], values: NDArray[np.float32]) -> dict[str, pa.Array]:
    """Return activations as columns: an image's row in ``index.csv``, and its U·h·w activations as a list."""
    width = int(np.prod(values.shape[1:]))
    return {
        "row": make_number_array(rows),
        "activations": pa.FixedSizeListArray.from_arrays(make_number_array(values.reshape(-1)), width),
    }


def make_maxima_columns(maxima: NDArray[np.float32]) -> dict[str, pa.Array]:
    """Return maxima as columns, one per unit, from 1, as in a run's table."""
    return {str(unit + 1): make_number_array(maxima[:, unit]) for unit in range(maxima.shape[1])}


def make_count_columns(
    rows: NDArray[np.int64], part: Mapping[str, NDArray[Any]], labels: NDArray[np.int64], vocabulary: Vocabulary
) -> dict[str, pa.Array]:
    """Return per-image counts as columns, one row per image and unit."""
    images, units = part["mask"].shape
    codes = np.tile(np.where(labels < 0, len(vocabulary), labels), images).astype(np.int32)
    names = pa.DictionaryArray.from_arrays(make_number_array(codes), make_text_array([*vocabulary.names, ""]))
    return {
        "row": make_number_array(np.repeat(rows, units)),
        "unit": make_number_array(np.tile(np.arange(1, units + 1, dtype=np.int32), images)),
        "label": names,
        "mask_pixels": make_number_array(part["mask"].ravel()),
        "label_pixels": make_number_array(part["label"].ravel()),
        "both_pixels": make_number_array(part["both"].ravel()),
        "counted": pa.array(part["counted"].ravel().tolist(), pa.bool_()),
    }


def compute_quantiles(values: NDArray[np.float32], fractions: Sequence[float]) -> NDArray[np.float32]:
    """Return the activation of every unit that a fraction of all cells lies above, float32, shape (U, Q).

    As for the thresholds (docs/method.md, § 1): of all M activations in falling order, the one at position ⌊q·M⌋; the last for
    q = 1.

    Args:
        values: the activations, shape (N, U, h, w), perhaps memory-mapped.
        fractions: the Q fractions, from 0 to 1.
    """
    images, units, height, width = values.shape
    cells = images * height * width
    places = [cells - 1 - min(count_allowed_above(Fraction(repr(q)), cells), cells - 1) for q in fractions]
    found = np.empty((units, len(fractions)), np.float32)
    block = max(1, _SORTED_BYTES // max(4 * cells, 1))
    for first in range(0, units, block):
        own = np.array(values[:, first : first + block]).swapaxes(0, 1).reshape(-1, cells)
        found[first : first + block] = np.partition(own, sorted(set(places)), axis=1)[:, places]
    return found
