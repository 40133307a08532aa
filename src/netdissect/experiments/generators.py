"""Dissecting a generator: a probe set of its own pictures, labelled, each with the latent it was made from.

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

from netdissect.data.broden import LATENTS
from netdissect.data.build.work import SET
from netdissect.data.own import from_segmenter
from netdissect.errors import ModelError, SettingsError
from netdissect.io import atomic, folders
from netdissect.protocols import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from netdissect.data.own import Segmenter
    from netdissect.models.generator import Generator
    from netdissect.protocols import Progress


@dataclass(frozen=True)
class Labeller:
    """A function from a picture to labels, with the names of its classes: what `generate` labels pictures with.

    Attributes:
        function: given a picture, RGB, uint8, (h, w, 3), returns a plane of labels (h', w') or several (p, h', w'); 0
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
        """Return the labels of a picture."""
        return self.function(picture)


def generate(
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
    """Make a probe set of a generator's pictures.

    Args:
        generator: the generator.
        labeller: labels a picture: `Labeller`, or a network of ``netdissect.models.segmenters``.
        out: the set's folder.
        images: how many pictures.
        seed: of the latents.
        latents: the latents themselves, float32, shape (N, …); None draws them from a standard normal distribution.
        batch_size: pictures at once.
        progress: shown how far it is.
        options: as for sets of your own, such as ``category="object"`` (docs/broden.md).

    Returns:
        the folder: what `netdissect.dissect` takes as data, with the generator as model.

    Raises:
        ModelError: if it makes no pictures, or another one of the same latent every time.
        DataError: one of its leaves, for anything wrong with the labels.
        SettingsError: for an option out of its range.

    Example:
        >>> from netdissect.experiments.generators import Labeller, generate                        # doctest: +SKIP
        >>> from netdissect.models.generator import Generator                                       # doctest: +SKIP
        >>> generator = Generator(module, latent=(128,))                                            # doctest: +SKIP
        >>> made = generate(generator, Labeller(segment, ["sky", "tree"]), "dataset/gan", seed=0)   # doctest: +SKIP
        >>> result = netdissect.dissect(generator, ["layer4"], made)                                # doctest: +SKIP
    """
    if images < 1 or batch_size < 1:
        raise SettingsError(f"images and batch_size must be at least 1, not {images} and {batch_size}")
    given = generator.latents(images, seed) if latents is None else np.asarray(latents, np.float32)
    if given.ndim < 1 or given.shape[1:] != generator.latent or not len(given):
        shape = ", ".join(["N", *map(str, generator.latent)])
        raise SettingsError(f"expected latents of shape ({shape}), got {given.shape}")
    _see_that_it_repeats(generator, given[:batch_size])
    folder = Path(out)
    if folders.whose(folder, SET) == "ours":
        (folder / LATENTS).unlink(missing_ok=True)  # of the set that is replaced
    with tempfile.TemporaryDirectory(prefix="netdissect-") as temporary:
        size = _draw(generator, given, Path(temporary), batch_size, progress or Silent())
        from_segmenter(
            labeller, temporary, folder, **{"name": "generated", "size": size, "progress": progress} | options
        )
    atomic.write_bytes(folder / LATENTS, _table(_in_rows(folder, given)))
    return folder


def _see_that_it_repeats(generator: Generator, latents: NDArray[np.float32]) -> None:
    first, second = (generator.pictures(latents) for _ in range(2))
    if (first != second).any():
        raise ModelError(
            f"{generator.name} makes another picture of the same latent every time: fix its noise, so that its units "
            f"are those that made the picture"
        )


def _draw(
    generator: Generator,
    latents: NDArray[np.float32],
    folder: Path,
    batch_size: int,
    progress: Progress,
) -> int:
    """Write a generator's pictures, numbered; return their side."""
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


def _in_rows(folder: Path, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return latents in the order of the set's rows, by the numbers that its pictures are called."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as table:
        numbers = [int(Path(record["image"]).stem) for record in csv.DictReader(table)]
    return latents[numbers]


def _table(latents: NDArray[np.float32]) -> bytes:
    out = io.BytesIO()
    np.save(out, latents, allow_pickle=False)
    return out.getvalue()
