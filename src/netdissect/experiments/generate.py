"""Dissecting a generator: a probe set of its own images, labeled, each with the latent it was made from.

After Bau et al., "GAN Dissection" (ICLR 2019): which concept does a unit of a generator draw?
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from netdissect.errors import ModelError, SettingsError
from netdissect.io import atomic, folders
from netdissect.probe_sets.broden.reader import LATENTS_FILE
from netdissect.probe_sets.compile.build_cache import PROBE_SET_FOLDER
from netdissect.probe_sets.importers import from_segmenter
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from netdissect.networks.units.generator import Generator
    from netdissect.protocols import Progress, Segmenter


@dataclass(frozen=True)
class ImageLabeler:
    """A function from an image to labels, with the names of its classes: what `generate_probe_set` labels images with.

    Attributes:
        function: given an image, RGB, uint8, (h, w, 3), returns a plane of labels (h', w') or several (p, h', w'); 0
            is nothing, n the class at position n - 1.
        classes: names of the classes.
        about: a sentence for the set's README.txt.
    """

    function: Callable[[NDArray[np.uint8]], NDArray[np.integer[Any]]]
    classes: Sequence[str]
    about: str = "a function"

    def fingerprint(self) -> str:
        """Return a hash of what is known of it."""
        told = (getattr(self.function, "__qualname__", type(self.function).__name__), tuple(self.classes), self.about)
        return hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
        """Return the labels of an image."""
        return self.function(picture)


def generate_probe_set(
    generator: Generator,
    labeller: Segmenter,
    out: str | Path,
    *,
    images: int = 1000,
    seed: int = 0,
    latents: NDArray[np.float32] | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
    **options: Any,
) -> Path:
    """Make a probe set of a generator's images.

    Args:
        generator: the generator.
        labeller: labels an image: `ImageLabeler`, or a network of ``netdissect.networks.labelers.segmenters``.
        out: the set's folder.
        images: how many images.
        seed: of the latents.
        latents: the latents themselves, float32, shape (N, …); None draws them from a standard normal distribution.
        batch_size: images at once.
        progress: shown how far it is.
        options: as for sets of your own, such as ``category="object"`` (docs/broden.md).

    Returns:
        the folder: what `netdissect.dissect` takes as data, with the generator as model.

    Raises:
        ModelError: if it makes no images, or another one of the same latent every time.
        DataError: one of its leaves, for anything wrong with the labels.
        SettingsError: for an option out of its range.

    Example:
        >>> from netdissect.experiments.generate import Labeller, generate                        # doctest: +SKIP
        >>> from netdissect.networks.units.generator import Generator                                       # doctest: +SKIP
        >>> generator = Generator(module, latent=(128,))                                            # doctest: +SKIP
        >>> made = generate_probe_set(generator, ImageLabeler(segment, ["sky", "tree"]), "dataset/gan", seed=0)   # doctest: +SKIP
        >>> result = netdissect.dissect(generator, ["layer4"], made)                                # doctest: +SKIP
    """
    if images < 1 or batch_size < 1:
        raise SettingsError(f"images and batch_size must be at least 1, not {images} and {batch_size}")
    given = generator.latents(images, seed) if latents is None else np.asarray(latents, np.float32)
    if given.ndim < 1 or given.shape[1:] != generator.latent or not len(given):
        shape = ", ".join(["N", *map(str, generator.latent)])
        raise SettingsError(f"expected latents of shape ({shape}), got {given.shape}")
    _require_deterministic(generator, given[:batch_size])
    folder = Path(out)
    if folders.find_owner(folder, PROBE_SET_FOLDER) == "ours":
        (folder / LATENTS_FILE).unlink(missing_ok=True)  # of the set that is replaced
    with tempfile.TemporaryDirectory(prefix="netdissect-") as temporary:
        size = _write_images(generator, given, Path(temporary), batch_size, progress or NullProgress())
        from_segmenter(
            labeller, temporary, folder, **{"name": "generated", "size": size, "progress": progress} | options
        )
    atomic.write_bytes(folder / LATENTS_FILE, _encode_npy(_sort_by_row(folder, given)))
    return folder


def _require_deterministic(generator: Generator, latents: NDArray[np.float32]) -> None:
    first, second = (generator.pictures(latents) for _ in range(2))
    if (first != second).any():
        raise ModelError(
            f"{generator.name} makes another picture of the same latent every time: fix its noise, so that its units "
            f"are those that made the picture"
        )


def _write_images(
    generator: Generator,
    latents: NDArray[np.float32],
    folder: Path,
    batch_size: int,
    progress: Progress,
) -> int:
    """Write a generator's images, numbered; return their side."""
    progress.start("generate", len(latents))
    height = width = 0
    for start in range(0, len(latents), batch_size):
        made = generator.pictures(latents[start : start + batch_size])
        for number, picture in enumerate(made, start):
            Image.fromarray(picture).save(folder / f"{number:08d}.png")
        height, width = made.shape[1:3]
        progress.advance(len(made))
    if height != width:
        raise ModelError(f"{generator.name} makes pictures of {width} x {height}: probe sets are square")
    return height


def _sort_by_row(folder: Path, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return latents in the order of the set's rows, by the numbers that its images are called."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as table:
        numbers = [int(Path(record["image"]).stem) for record in csv.DictReader(table)]
    return latents[numbers]


def _encode_npy(latents: NDArray[np.float32]) -> bytes:
    out = io.BytesIO()
    np.save(out, latents, allow_pickle=False)
    return out.getvalue()
