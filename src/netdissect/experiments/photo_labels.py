"""Make a probe set of a folder of photos that a network labels: with words of one's own, or with a segmentation network's classes."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - doctests use it
from typing import TYPE_CHECKING, Any

from netdissect.arguments import resolve_layer_names
from netdissect.errors import DataNotFoundError, SettingsError
from netdissect.io.names import make_portable_name
from netdissect.probe_sets.importers.image_folders import find_images

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.config import Settings
    from netdissect.networks.network import Network
    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.protocols import Progress, Segmenter

#: Smallest probability at which a pixel is labeled with a word.
WORD_THRESHOLD = 0.5
#: Most characters of a probe set's name.
_MAX_NAME = 60


def check_labels(photos: Path, words: Sequence[str] | None, segmenter: str | None) -> None:
    """Check, before anything is loaded, that there are photos and one source of labels.

    Raises:
        DataNotFoundError: if the folder does not exist.
        DataError: if it holds no images.
        SettingsError: if both words and a segmenter are given, or neither.
    """
    if words and segmenter:
        raise SettingsError("--words and --segmenter both label the photos: give one of them")
    if not words and not segmenter:
        raise SettingsError(
            f"what is in the photos of {photos}? name concepts with --words, such as --words dog sky 'red car', or a "
            f"segmentation network with --segmenter, such as --segmenter torchvision:deeplabv3_resnet50"
        )
    if not photos.is_dir():
        raise DataNotFoundError(f"{photos} is not a folder: expected a folder of photos")
    find_images(photos, lambda _: None)


def name_probe_set(photos: Path, words: Sequence[str] | None, segmenter: str | None, limit: int | None = None) -> str:
    """Return the name of the folder of a probe set: that of the photos, what labels them, and how many if not all.

    >>> name_probe_set(Path("my photos"), ["dog", "red car"], None), name_probe_set(Path("a"), ["dog"], None, 10)
    ('my photos-dog-red car', 'a-dog-first-10')
    """
    labels = "-".join(words) if words else (segmenter or "").replace(":", "-").replace("/", "-")
    first = "" if limit is None else f"-first-{limit}"
    return make_portable_name(f"{photos.resolve().name}-{labels}"[: _MAX_NAME - len(first)] + first)


def require_layers(network: Network, layers: Sequence[str], image_size: tuple[int, int], settings: Settings) -> None:
    """Check that a network has some layers, before photos are labeled for hours.

    Args:
        network: the network.
        layers: names or patterns.
        image_size: height and width of the images in pixels.
        settings: all settings.

    Raises:
        UnknownLayerError: if there is no such layer.
        ModelError: or another subclass, if the network does not run on such images, or a layer cannot be dissected.
    """
    import torch

    from netdissect.run import choose_input_size

    size = choose_input_size(network, image_size, settings.resolution)
    network.probe(resolve_layer_names(layers, network), size, geometry=settings.geometry, device=torch.device("cpu"))


def load_labeler(
    words: Sequence[str] | None, segmenter: str | None, *, word_model: str, threshold: float | None, device: str
) -> Segmenter:
    """Load the network that labels the photos.

    Args:
        words: concepts, for an open-vocabulary network; None for a segmentation network.
        segmenter: the segmentation network, as for `netdissect.load_segmenter`.
        word_model: the open-vocabulary network, as for `netdissect.load_open_vocabulary`.
        threshold: smallest probability of a label; None for 0.5 with words, and none with a segmenter.
        device: device of the network.

    Raises:
        NetdissectError: one of its subclasses, if it cannot be loaded.
    """
    from netdissect.networks.labelers.open_vocabulary import load_open_vocabulary
    from netdissect.networks.labelers.segmenters import load_segmenter

    if words:
        least = WORD_THRESHOLD if threshold is None else threshold
        return load_open_vocabulary(list(words), model=word_model, threshold=least, device=device)
    return load_segmenter(segmenter or "", threshold=threshold or 0.0, device=device)


def label_photos(
    labeler: Segmenter, photos: Path, out: Path, *, by_words: bool, size: int, limit: int | None, workers: int,
    progress: Progress, say: Callable[[str], None],
) -> BuildResult:  # fmt: skip
    """Make the probe set, or return the one that the same call has made; an interrupted call is continued.

    Args:
        labeler: the network that labels.
        photos: folder of photos.
        out: folder of the probe set.
        by_words: whether it labels words rather than its own classes.
        size: side of the images in pixels.
        limit: number of photos; None for all.
        workers: processes that work in parallel.
        progress: shows how far the work is.
        say: is given remarks.

    Raises:
        DataError: or a subclass, if photos cannot be read, or the folder holds another probe set.
    """
    from netdissect.probe_sets import importers

    make: Any = importers.from_words if by_words else importers.from_segmenter
    made: BuildResult = make(labeler, photos, out, size=size, limit=limit, workers=workers, progress=progress, say=say)
    return made
