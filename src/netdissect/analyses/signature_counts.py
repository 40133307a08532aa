"""The counts of a run by label signature: checked against the run, and as the search for formulas takes them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from netdissect.errors import RunError
from netdissect.stats.partitions import make_partitions
from netdissect.stats.signatures import Signatures, find_images_with, prepare_signatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.signature_tally import SignatureTally, SparseCounts
    from netdissect.results.layer_result import LayerResult
    from netdissect.stats.partitions import Partition
    from netdissect.stats.signatures import PreparedSignatures


@dataclass(frozen=True, eq=False)
class SignatureImages:
    """The signatures of some images, and what the searches of all units share of them.

    Attributes:
        prepared: the signatures.
        pixels_there: label pixels of every concept over the images that have some categories, by the bits of these; filled as
            formulas name them.
    """

    prepared: PreparedSignatures
    pixels_there: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def find_best_single(self, formula: Sequence[int], signature: NDArray[np.int64], count: NDArray[np.int64]) -> float:
        """Return the IoU of the best single concept over the images of a formula, among the categories that it names.

        Args:
            formula: columns of the formula's concepts; none gives 0.
            signature: the signatures that a unit's masks meet, shape (n,).
            count: pixels of the masks that have each of them, shape (n,).
        """
        found = self.prepared.signatures
        categories = tuple(sorted({int(found.primary[column]) for column in formula}))
        if not categories:
            return 0.0
        includes = find_images_with(found, categories)
        bits = sum(1 << category for category in categories)
        if bits not in self.pixels_there:
            self.pixels_there[bits] = _sum_pixels(found, np.where(includes, found.pixels, 0))
        masks = np.zeros(found.pixels.size, np.int64)
        masks[signature] = np.where(includes[signature], count, 0)
        Y, X, M = self.pixels_there[bits], _sum_pixels(found, masks), int(masks.sum())
        named = np.isin(found.primary, categories) & (M + Y - X > 0)
        return float((X[named] / (M + Y - X)[named]).max(initial=0.0))


@dataclass(frozen=True, eq=False)
class SearchTables:
    """What the searches of all units share.

    Attributes:
        own: all images.
        lent: those that take the labels of others.
        partitions: the pixels that formulas can tell apart.
        place: place of every signature of the tally among them, int64, shape (S,).
    """

    own: SignatureImages
    lent: SignatureImages
    partitions: tuple[Partition, ...]
    place: NDArray[np.int64]

    @classmethod
    def make(cls, tally: SignatureTally, vocabulary: Vocabulary, lent_row: int) -> SearchTables:
        """Return the tables of a tally.

        Args:
            tally: the tally, whose row 0 has the pixels of all images.
            vocabulary: the concepts.
            lent_row: row of the pixels of the images that take the labels of others.
        """
        sets = [(presence, tuple(dict.fromkeys(columns))) for presence, columns in tally.signatures]
        numbers = {entry: number for number, entry in enumerate(dict.fromkeys(sets))}
        place = np.array([numbers[entry] for entry in sets], np.int64)
        own, lent = (_make_signatures(numbers, place, tally.pixels[row], vocabulary) for row in (0, lent_row))
        images = SignatureImages(prepare_signatures(own))
        return cls(
            images, SignatureImages(prepare_signatures(lent)) if lent_row else images, make_partitions(own), place
        )

    def select(self, counts: SparseCounts, table: int, unit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the signatures that a unit's masks meet in a table, each once, and how often, shape (n,) each."""
        first, last = (np.searchsorted(counts.table, table, side) for side in ("left", "right"))
        start = first + np.searchsorted(counts.unit[first:last], unit, "left")
        end = first + np.searchsorted(counts.unit[first:last], unit, "right")
        found, inverse = np.unique(self.place[counts.signature[start:end]], return_inverse=True)
        pixels = np.zeros(found.size, np.int64)
        np.add.at(pixels, inverse, counts.pixels[start:end])
        return found, pixels


def require_run_counts(
    tally: SignatureTally, layers: Mapping[str, LayerResult], units: Mapping[str, NDArray[np.int64]]
) -> None:
    """Refuse counts that are not a run's.

    Args:
        tally: the counts by signature; its table 0 has the images' own labels.
        layers: the layers of the run.
        units: the channel of every row of the tally, shape (u,), by layer name.

    Raises:
        RunError: if labels or masks have changed since the run; the message says which.
    """
    sizes = np.array([len(columns) for _, columns in tally.signatures], np.int64)
    columns = np.array([column for _, found in tally.signatures for column in found], np.int64)
    presence = np.array([entry for entry, _ in tally.signatures], np.int64)
    for name, channels in units.items():
        layer = layers[name]
        G = _sum_columns(columns, sizes, tally.pixels[0], len(layer.vocabulary))
        if not np.array_equal(G, layer.counts.G):
            concept = layer.vocabulary.names[int(np.flatnonzero(G != layer.counts.G)[0])]
            raise RunError(
                f"the labels of the probe set have changed since the run, those of {concept} among others: run it again"
            )
        for channel, pixels in zip(channels.tolist(), _spread_rows(tally, name, channels.size), strict=True):
            I = _sum_columns(columns, sizes, pixels, len(layer.vocabulary))
            in_category = np.array(
                [pixels[presence & (1 << k) != 0].sum() for k in range(len(layer.vocabulary.categories))], np.int64
            )
            A = in_category[layer.vocabulary.primary]
            if not (np.array_equal(I, layer.counts.I[channel]) and np.array_equal(A, layer.counts.A[channel])):
                raise RunError(_describe_change(layer, channel, I, A))


def _describe_change(layer: LayerResult, channel: int, I: NDArray[np.int64], A: NDArray[np.int64]) -> str:
    """Return in words that a unit's masks are not those of the run."""
    counts = layer.counts
    worst = max(np.abs(I - counts.I[channel]).max(initial=0), np.abs(A - counts.A[channel]).max(initial=0))
    return (
        f"unit {channel + 1} of {layer.name} has other masks than in the run, by up to {worst:,} of "
        f"{counts.A[channel].max(initial=0):,} pixels: activations differ in their last bits on another device or with other versions of "
        f"torch; use those of the run, or run it again with --keep, which needs no second scan"
    )


def _spread_rows(tally: SignatureTally, layer: str, units: int) -> Iterator[NDArray[np.int64]]:
    """Yield the pixels of every unit's masks by signature, with the images' own labels, shape (S,)."""
    counts = tally.masks[layer]
    end = np.searchsorted(counts.table, 0, "right")
    cuts = np.searchsorted(counts.unit[:end], np.arange(units + 1))
    for first, last in itertools.pairwise(cuts):
        pixels = np.zeros(len(tally.signatures), np.int64)
        pixels[counts.signature[first:last]] = counts.pixels[first:last]
        yield pixels


def _sum_columns(
    columns: NDArray[np.integer], sizes: NDArray[np.int64], pixels: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    """Return the pixels of every concept from those of every signature, shape (C,); exact up to 2^53."""
    return np.bincount(columns, np.repeat(pixels, sizes), width).astype(np.int64)


def _sum_pixels(signatures: Signatures, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pixels of every concept, shape (C,), from those of every signature, shape (S,)."""
    return _sum_columns(signatures.columns, np.diff(signatures.start), pixels, signatures.primary.size)


def _make_signatures(
    sets: Mapping[tuple[int, tuple[int, ...]], int],
    place: NDArray[np.int64],
    pixels: NDArray[np.int64],
    vocabulary: Vocabulary,
) -> Signatures:
    """Return signatures of different sets of concepts, with their pixels."""
    total = np.zeros(len(sets), np.int64)
    np.add.at(total, place, pixels)
    return Signatures(
        np.cumsum([0, *(len(columns) for _, columns in sets)], dtype=np.int64),
        np.array([column for _, columns in sets for column in columns], np.int64),
        np.array([presence for presence, _ in sets], np.int64),
        total,
        vocabulary.primary,
    )
