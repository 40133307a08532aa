"""Open probe sets, whatever holds their images: folders, files and names, or what a program has in its hands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.bounds import describe_type, format_value
from netdissect.config import Settings
from netdissect.errors import SettingsError
from netdissect.probe_sets.broden.reader import Broden
from netdissect.progress import require_progress, show_progress
from netdissect.protocols import ConceptSource

if TYPE_CHECKING:
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.probe_sets.given.given_concepts import ConceptsLike
    from netdissect.probe_sets.given.normalization import Normalization
    from netdissect.protocols import Progress


def open_probe_set(
    data: Any,
    concepts: ConceptsLike | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    image: str | None = None,
    mask: str | None = None,
    category: str | None = None,
    preprocess: PreprocessLike | None = None,
    size: int | None = None,
    name: str | None = None,
    out: str | Path | None = None,
    progress: Progress | bool = True,
) -> ConceptSource:
    """Open a probe set, or make one of images and masks that a program holds (docs/broden.md, Data from Python).

    Args:
        data: images with their masks: a torch data set or loader; a ``datasets.Dataset`` or ``DatasetDict``; a pair of all images
            and all masks, as tensors, arrays or lists; or any iterable of pairs (image, masks), of dicts, or of batches of them.
            Several masks of one image, (K, h, w), are binary, one for each concept. Or a folder in Broden's format, a prepared
            file, the name of either, or a URL.
        concepts: what masks mean: names of the numbers 1, 2, … (0, 1, … if the first is ``background``); a dict number → name
            or → (name, category); a dict category → names, for masks by category; or a `Vocabulary`. None takes what the
            data says itself.
        split: use only this split, of data with splits: ``val`` and ``validation`` mean the same, and no other part is read.
        limit: use at most this many images, the first that have labels; the rest is not read.
        image: key or column of the images; None finds it.
        mask: key or column of the masks; None finds it.
        category: category of concepts without one; None takes object, and scene where each image has the number of a class.
        preprocess: what float images were normalized with, as `dissect` takes it; None tries the usual ones.
        size: side in pixels to which images are scaled, and label maps to half of it; None keeps all as they are if they
            have one size, else 224.
        name: of the probe set; None takes that of the data's class.
        out: a prepared file to write, ``NAME.arrow``, which later calls and the command line take as data; None keeps the
            images in a temporary file, which is removed with the probe set.
        progress: shows how many images are read.

    Returns:
        the probe set, which every function takes as ``data=``; data is read once, here. Its fingerprint depends on the
        pixels and labels.

    Raises:
        DataError: or a subclass, if an image or a mask cannot be used as it is; the message names it.
        SettingsError: if an option is out of its range, or does not apply to such data.

    Example:
        >>> import numpy as np
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> masks = np.array([[[0, 1], [2, 2]], [[1, 1], [1, 0]]])
        >>> probe_set = open_probe_set((images, masks), ["cat", "dog"])
        >>> len(probe_set), probe_set.image_size, probe_set.label_size(0), probe_set.vocabulary.names
        (2, (8, 8), (2, 2), ('cat', 'dog'))
    """
    options = {
        "concepts": concepts, "image": image, "mask": mask, "category": category, "preprocess": preprocess, "size": size,
        "name": name, "out": out,
    }  # fmt: skip
    if not is_given(data):
        from netdissect import arguments

        return arguments.open_selected_probe_set(data, Settings(split=split, limit=limit), refused=options)[0]
    from netdissect.probe_sets.given.given_probe_set import GivenOptions, open_given

    target = _require_prepared_path(out)
    require_progress(progress)
    _require_texts(image=image, mask=mask, category=category, name=name, split=split)
    found = GivenOptions(
        concepts, category, split, limit, image, mask, size, name, lambda: read_normalization(preprocess)
    )
    with show_progress(progress) as shown:
        return open_given(data, found, shown, target)


def open_given_data(
    data: Any, settings: Settings, concepts: Any, preprocess: Preprocess, progress: Progress | bool | None
) -> Broden:
    """Open data that `is_given` as `netdissect.dissect` does: with the split and limit of its settings.

    Args:
        data: the data.
        settings: all settings.
        concepts: as for `open_probe_set`.
        preprocess: the network's preprocessing, with which float images may have been normalized.
        progress: shows how many images are read.
    """
    from netdissect.probe_sets.given.given_probe_set import GivenOptions, open_given

    options = GivenOptions(
        concepts,
        split=settings.split,
        limit=settings.limit,
        find_normalization=lambda: read_normalization(preprocess),
    )
    with show_progress(progress) as shown:
        return open_given(data, options, shown)


def is_given(data: object) -> bool:
    """Return whether data is what a program holds, and neither a name nor an opened probe set."""
    if data is None or isinstance(data, (str, bytes, os.PathLike, bool, int, float, type)):
        return False
    return not isinstance(data, (Broden, ConceptSource))


def read_normalization(given: object) -> Normalization | None:
    """Return what float images were normalized with; None if nothing is known, or it cannot be undone."""
    from netdissect.networks.transforms import read_preprocess
    from netdissect.probe_sets.given.normalization import Normalization

    found = read_preprocess(given)
    if found is None or found.grayscale or found.mean.ndim == 3:
        return None
    mean, std = ([float(number) for number in values] for values in (found.mean, found.std))
    return Normalization(found.describe(), found.rescale_factor, tuple(mean), tuple(std), found.channels)


def _require_prepared_path(out: object) -> Path | None:
    """Return the path of a prepared file to write; None for None."""
    if out is None:
        return None
    if not isinstance(out, (str, os.PathLike)) or not str(out).endswith(".arrow"):
        raise SettingsError(f"out= takes the prepared file to write, such as 'mine.arrow', not {format_value(out)}")
    return Path(out)


def _require_texts(**options: object) -> None:
    for name, value in options.items():
        if value is not None and not isinstance(value, str):
            raise SettingsError(f"{name}= takes a text, not {describe_type(value)}")
