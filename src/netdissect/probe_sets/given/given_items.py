"""Images with their masks, one by one, from whatever holds them: pairs, dicts, batches, loaders, tensors, tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netdissect.bounds import describe_type
from netdissect.errors import DataFileError, SettingsError, root_message
from netdissect.probe_sets.given.array_values import is_array, is_pil_image
from netdissect.probe_sets.importers.split_names import is_same_split, name_split

_LOG = logging.getLogger("netdissect")
#: Names of images and of masks in dicts and columns, as libraries write them; the first that is there is taken.
IMAGE_KEYS = ("image", "pixel_values", "images", "img", "photo", "jpg", "png", "inputs", "input", "x")
MASK_KEYS = (
    "mask", "masks", "annotation", "annotations", "segmentation", "segmentation_mask", "semantic_segmentation", "semantic_mask",
    "label_map", "seg_map", "gt_semantic_seg", "seg", "gt", "mask_labels", "label", "labels", "target", "y",
)  # fmt: skip
#: Key of what images that belong together share.
_GROUP_KEY = "group"
#: Most images of data without a length and without a limit: more are taken for data that never ends.
MAX_ENDLESS = 1_000_000


@dataclass(frozen=True)
class GivenItem:
    """An image with its masks, as they were given.

    Attributes:
        where: which item of the data it is, for errors.
        image: the image.
        masks: its masks; None for none.
        split: such as ``train``; empty if the data has no splits.
        group: what images that belong together share; empty for an image of its own.
    """

    where: str
    image: Any
    masks: Any
    split: str = ""
    group: str = ""


@dataclass
class GivenItems:
    """The items of some data, which is read once.

    Attributes:
        data: images tensor and masks tensor; a data set; a loader; a table of the library datasets, or a dict of them by split; or
            any iterable of pairs, dicts or batches of them.
        image: key or column of the images; None finds it.
        mask: key or column of the masks; None finds it.
        split: the only split that is read; None for all, or for data without splits.
        taken: what was taken as image and masks, in words; empty before the first item.
        mask_column: the key or column that was taken as the masks; None before the first item, and for pairs.
    """

    data: Any
    image: str | None = None
    mask: str | None = None
    split: str | None = None
    taken: str = field(default="", init=False)
    mask_column: str | None = field(default=None, init=False)

    def count(self) -> int | None:
        """Return the number of items or batches that are read; None if the data does not say."""
        parts = self.list_parts()
        if parts is not None:
            lengths = [_measure(part) for part in parts.values()]
            return None if None in lengths else sum(filter(None, lengths))
        if _is_pair_of_columns(self.data):
            return _measure(self.data[0])
        return None if isinstance(self.data, Mapping) else _measure(self.data)

    def list_parts(self) -> dict[str, Any] | None:
        """Return the tables that are read, by the name of their part; None if the data has no splits.

        Raises:
            SettingsError: if the data has no splits, or none of that name, and one was asked for.
        """
        data, wanted = self.data, self.split
        if not isinstance(data, Mapping) or not all(map(_is_table, data.values())):
            if wanted is not None:
                raise SettingsError(f"split={wanted!r}: the data has no splits: pass the images of that split alone")
            return None
        parts = {str(name): part for name, part in data.items() if wanted is None or is_same_split(str(name), wanted)}
        if data and not parts:
            raise SettingsError(
                f"split={wanted!r}: the data has the splits {', '.join(map(str, data))}: choose one of them"
            )
        return parts

    def __iter__(self) -> Iterator[GivenItem]:
        data, parts = self.data, self.list_parts()
        if parts is not None:
            for name, part in parts.items():
                for number, row in enumerate(_iterate(part, name)):
                    for item in self._read_entry(row, f"{name}[{number}]"):
                        yield replace(item, split=name_split(name))
        elif _is_pair_of_columns(data):
            yield from self._split_batch("data", *data)
        elif isinstance(data, Mapping):
            yield from self._read_entry(data, "data")
        else:
            for number, entry in enumerate(_iterate(data, "data")):
                yield from self._read_entry(entry, f"data[{number}]")

    def _read_entry(self, entry: Any, where: str) -> Iterator[GivenItem]:
        """Yield the items of a pair, a dict, or a batch of either."""
        if isinstance(entry, Mapping):
            image_key, mask_key = self._find_keys(entry, where)
            masks = None if mask_key is None else entry[mask_key]
            if (
                mask_key == "mask_labels" and "class_labels" in entry
            ):  # transformers' processors of MaskFormer and its kin
                masks = _join_instances(masks, entry["class_labels"])
            group = entry.get(_GROUP_KEY)
            yield from self._split_batch(
                where, entry[image_key], masks, str(group) if isinstance(group, (str, int)) else ""
            )
        elif isinstance(entry, (tuple, list)) and len(entry) >= 2:
            if len(entry) > 2:
                self._note(
                    f"of items of {len(entry)} parts, the first is taken as the image and the second as its masks"
                )
            self._note("pairs of image and masks")
            yield from self._split_batch(where, entry[0], entry[1])
        else:
            got = (
                f"{type(entry).__name__} of {len(entry)}" if isinstance(entry, (tuple, list)) else describe_type(entry)
            )
            raise DataFileError(
                f"{where}: expected a pair of an image and its masks, or a dict with both, got {got}: give data that yields "
                f"(image, masks)"
            )

    def _find_keys(self, entry: Mapping[Any, Any], where: str) -> tuple[str, str]:
        """Return the keys of the image and its masks."""
        names = [str(key) for key in entry]
        for asked, keyword in ((self.image, "image"), (self.mask, "mask")):
            if asked is not None and asked not in entry:
                raise SettingsError(f"{keyword}={asked!r}: {where} has the columns {', '.join(names)}")
        image = self.image or next((key for key in IMAGE_KEYS if key in entry), None)
        mask = self.mask or next((key for key in MASK_KEYS if key in entry and key != image), None)
        if image is None or mask is None:
            raise DataFileError(
                f"{where}: which columns hold images and masks? it has {', '.join(names)}: name them with image= and mask= of "
                f"netdissect.open_probe_set"
            )
        self._note(f"the columns {image!r} and {mask!r}")
        self.mask_column = mask
        return image, mask

    def _note(self, taken: str) -> None:
        """Keep what was taken, and log it the first time if there was a choice."""
        if not self.taken:
            self.taken = taken
            if not taken.startswith("pairs"):
                _LOG.info("images and masks are %s", taken)

    def _split_batch(self, where: str, image: Any, masks: Any, group: str = "") -> Iterator[GivenItem]:
        """Yield an image with its masks, or those of a batch."""
        if not _is_batch(image):
            yield GivenItem(where, image, masks, group=group)
            return
        count = len(image)
        for number in range(count):
            at = f"{where}[{number}]"
            yield GivenItem(at, image[number], _pick(masks, number, count, where), group=group)


def _iterate(data: Any, name: str) -> Iterator[Any]:
    """Yield the entries of data, once; an error of the data's own code names the entry, as ``name[5]``.

    Raises:
        SettingsError: if it cannot be iterated.
        DataFileError: if reading it fails.
    """
    read = _by_position(data) if not hasattr(type(data), "__iter__") and hasattr(data, "__getitem__") else None
    if read is None and not isinstance(data, Iterable):
        raise SettingsError(f"data= is {describe_type(data)}, which cannot be iterated: pass pairs of images and masks")
    number = 0
    try:
        entries = iter(data) if read is None else read
        while True:
            try:
                entry = next(entries)
            except StopIteration:
                return
            yield entry
            number += 1
    except (MemoryError, GeneratorExit):
        raise
    except Exception as error:
        if isinstance(error, (DataFileError, SettingsError)):
            raise
        raise DataFileError(
            f"{name}[{number}] cannot be read: the data's own code fails ({type(error).__name__}: {root_message(error)})"
        ) from error


def _by_position(data: Any) -> Iterator[Any]:
    """Yield the entries of a data set that has a length and positions, as torch's have."""
    if not hasattr(data, "__len__"):
        raise SettingsError(
            f"data= is {describe_type(data)}, which has neither a length nor an iterator: add __len__, or pass a DataLoader"
        )
    for position in range(len(data)):
        yield data[position]


def _measure(data: Any) -> int | None:
    try:
        return len(data)
    except Exception:  # noqa: BLE001 - an iterable data set's length may raise anything
        return None


def _is_table(value: object) -> bool:
    """Return whether a value is a table of the library datasets."""
    return hasattr(value, "column_names") and hasattr(value, "features")


def _is_pair_of_columns(data: Any) -> bool:
    """Return whether data is all images and all masks, and not two pairs."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        return False
    images, masks = data
    if is_array(images):
        return is_array(masks) or isinstance(masks, (list, Mapping))
    are_lists = isinstance(data, tuple) and isinstance(images, list) and (isinstance(masks, list) or is_array(masks))
    return are_lists and all(map(_is_image, images[:1]))


def _is_image(value: object) -> bool:
    return is_pil_image(value) or is_array(value)


def _is_batch(image: Any) -> bool:
    """Return whether a value is several images: a tensor of four dimensions, or a sequence of images."""
    if is_array(image):
        return len(image.shape) == 4
    return isinstance(image, Sequence) and not isinstance(image, str) and len(image) > 0 and all(map(_is_image, image))


def _pick(masks: Any, number: int, count: int, where: str) -> Any:
    """Return the masks of one image of a batch."""
    if masks is None:
        return None
    if isinstance(masks, Mapping):
        return {key: _pick(own, number, count, where) for key, own in masks.items()}
    length = _measure(masks)
    if length != count:
        raise DataFileError(
            f"{where}: expected masks for every image, got {count} images and {length if length is not None else 'no'} masks"
        )
    found = masks[number]
    return found.item() if is_array(found) and len(found.shape) == 0 else found


def _join_instances(masks: Any, classes: Any) -> Any:
    """Return the instances of an image, or of every image of a batch, from a processor's two lists."""
    if isinstance(masks, (list, tuple)):
        return [{"masks": own, "labels": its} for own, its in zip(masks, classes, strict=True)]
    return {"masks": masks, "labels": classes}
