"""Make a probe set from the images of a generator, to dissect the generator (Bau et al., "GAN Dissection", ICLR 2019)."""

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
from netdissect.progress import require_progress, show_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from netdissect.networks.units.generator import Generator
    from netdissect.protocols import Progress, Segmenter


@dataclass(frozen=True)
class ImageLabeler:
    """A function that returns label maps of images, and the names of its classes.

    Attributes:
        function: maps an RGB image, uint8, shape (h, w, 3), to a label map, shape (h', w') or, with several labels per
            pixel, (p, h', w'): 0 means no label, n the class at position n - 1.
        classes: names of the classes.
        about: a sentence for the probe set's README.txt.
    """

    function: Callable[[NDArray[np.uint8]], NDArray[np.integer[Any]]]
    classes: Sequence[str]
    about: str = "a function"

    def fingerprint(self) -> str:
        """Return a hash of the function's name, the classes and the description."""
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return hashlib.blake2b(repr((name, tuple(self.classes), self.about)).encode(), digest_size=16).hexdigest()

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
        """Return the label map of an image."""
        return self.function(image)


def generate_probe_set(
    generator: Generator,
    labeler: Segmenter,
    out: str | Path,
    *,
    images: int = 1000,
    seed: int = 0,
    latents: NDArray[np.float32] | None = None,
    batch_size: int = 32,
    progress: Progress | bool = True,
    **options: Any,
) -> Path:
    """Make a probe set from a generator's images, with the latent of each.

    Args:
        generator: the generator.
        labeler: labels the images: an `ImageLabeler`, or a segmentation network.
        out: the folder of the probe set.
        images: number of images.
        seed: seed of the latents.
        latents: the latents, float32, shape (N, …); None draws them from a standard normal distribution.
        batch_size: images generated at a time.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        options: as for importers, such as ``category="object"`` (docs/broden.md).

    Returns:
        the folder; pass it to `netdissect.dissect` as `data`, with the generator as `model`.

    Raises:
        ModelError: if the generator makes no images, or different images from the same latent.
        DataError: one of its subclasses, if the labels are invalid.
        SettingsError: if an option is out of range.

    Example::

        import netdissect as nd

        generator = nd.Generator(module, latent=(128,))
        labeler = nd.ImageLabeler(segment, ["sky", "tree"])
        data = nd.generate_probe_set(generator, labeler, "dataset/gan", images=6, seed=0)
        result = nd.dissect(generator, ["layer4"], data)
    """
    require_progress(progress)
    if images < 1 or batch_size < 1:
        raise SettingsError(f"images and batch_size must be at least 1, not {images} and {batch_size}")
    latents = generator.draw_latents(images, seed) if latents is None else np.asarray(latents, np.float32)
    if latents.ndim < 1 or latents.shape[1:] != generator.latent or not len(latents):
        shape = ", ".join(["N", *map(str, generator.latent)])
        raise SettingsError(f"expected latents of shape ({shape}), got {latents.shape}")
    _require_deterministic(generator, latents[:batch_size])
    folder = Path(out)
    if folders.find_owner(folder, PROBE_SET_FOLDER) == "ours":
        (folder / LATENTS_FILE).unlink(missing_ok=True)  # it belongs to the probe set that is replaced
    with tempfile.TemporaryDirectory(prefix="netdissect-") as temporary, show_progress(progress) as shown:
        size = _write_images(generator, latents, Path(temporary), batch_size, shown)
        merged: dict[str, Any] = {"name": "generated", "size": size, "progress": shown} | options
        from_segmenter(labeler, temporary, folder, **merged)
    atomic.write_bytes(folder / LATENTS_FILE, _encode_npy(_sort_by_row(folder, latents)))
    return folder


def _require_deterministic(generator: Generator, latents: NDArray[np.float32]) -> None:
    """Raise ModelError if the generator makes different images from the same latents."""
    first, second = (generator.make_images(latents) for _ in range(2))
    if (first != second).any():
        raise ModelError(
            f"{generator.name} makes a different image from the same latent every time: fix its noise, so that the "
            f"dissected activations are those that made the image"
        )


def _write_images(
    generator: Generator,
    latents: NDArray[np.float32],
    folder: Path,
    batch_size: int,
    progress: Progress,
) -> int:
    """Write the images of latents as ``<position>.png``; return their side in pixels."""
    progress.start("generate", len(latents))
    height = width = 0
    for start in range(0, len(latents), batch_size):
        batch = generator.make_images(latents[start : start + batch_size])
        for number, image in enumerate(batch, start):
            Image.fromarray(image).save(folder / f"{number:08d}.png")
        height, width = batch.shape[1:3]
        progress.advance(len(batch))
    if height != width:
        raise ModelError(f"{generator.name} makes images of {width} x {height}: probe sets are square")
    return height


def _sort_by_row(folder: Path, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return latents in the order of the probe set's rows, whose images are named after their positions."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as table:
        positions = [int(Path(record["image"]).stem) for record in csv.DictReader(table)]
    return latents[positions]


def _encode_npy(latents: NDArray[np.float32]) -> bytes:
    out = io.BytesIO()
    np.save(out, latents, allow_pickle=False)
    return out.getvalue()
