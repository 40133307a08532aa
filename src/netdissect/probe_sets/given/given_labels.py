"""Masks as programs hold them, as planes of label numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.bounds import describe_type
from netdissect.errors import DataFileError, LabelError
from netdissect.io import label_images
from netdissect.probe_sets.given.array_values import is_array, is_pil_image, require_whole_numbers, to_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.probe_sets.given.given_concepts import GivenConcepts
    from netdissect.probe_sets.importers.class_list import ClassList
    from netdissect.probe_sets.source import CategoryLabels

#: What losses ignore by convention: torch's default, and Cityscapes' and ADE20K's void.
_IGNORED = (-100, -1)
_FLOAT_ADVICE = "pass label maps as integers; torchvision's ToTensor divides masks by 255, PILToTensor does not"


@dataclass(frozen=True)
class LabelReader:
    """Reads the masks of one image after the other.

    Attributes:
        concepts: what their numbers mean.
    """

    concepts: GivenConcepts

    def read(self, masks: Any, where: str) -> dict[str, CategoryLabels]:
        """Return the labels of an image by category: planes of label numbers, shape (p, h, w), or numbers for the whole image.

        Args:
            masks: a label map (h, w); binary masks (K, h, w), one for each concept, whatever they hold; a dict of either by
                category, or of ``masks`` and ``labels`` of instances; the number of a class of the whole image; None for no labels.
            where: which item of the data it is, for errors.

        Raises:
            DataFileError: if they are none of these.
            LabelError: if a number is not among the concepts.
        """
        if masks is None:
            return {}
        if not isinstance(masks, Mapping):
            return self._read_category(masks, "", where)
        if "masks" in masks:
            return self._read_instances(masks, where)
        found: dict[str, CategoryLabels] = {}
        for category, own in masks.items():
            if own is not None:
                for name, labels in self._read_category(own, str(category), where).items():
                    found[name] = _merge(found[name], labels, name, where) if name in found else labels
        return found

    def _read_category(self, masks: Any, category: str, where: str) -> dict[str, CategoryLabels]:
        """Return the labels that one mask gives; `category` is empty if it gives those of all categories."""
        own = self.concepts.find_list(category, where)
        if is_pil_image(masks) and own.colors and not own.codes:
            masks = masks.convert("RGB")
        pixels = read_mask_pixels(masks, where)
        if pixels.ndim == 0:
            return self._read_whole(int(pixels), own, where)
        if pixels.ndim == 3 and not _is_colored(pixels, own, masks):
            planes = _read_binary_masks(pixels, own, where)
        else:
            planes = own.label_mask(pixels, where)[np.newaxis]
        if category in self.concepts.lists and category:
            return {category: self.concepts.to_numbers(own, planes)}
        return {name: self.concepts.to_numbers(own, its) for name, its in _split(own, planes).items()}

    def _read_whole(self, number: int, own: ClassList, where: str) -> dict[str, CategoryLabels]:
        """Return the label of a whole image."""
        if number in own.codes:
            label = own.codes[number]
        elif number in _IGNORED:
            label = 0
        else:
            raise LabelError(f"{where}: the image's class is {number}, and concepts= names {_describe_numbers(own)}")
        return {own.categories[label - 1]: (self.concepts.numbers[own.names[label - 1]],)} if label else {}

    def _read_instances(self, masks: Mapping[Any, Any], where: str) -> dict[str, CategoryLabels]:
        """Return the labels of instances, as torchvision's detection data sets give them."""
        own = self.concepts.find_list("", where)
        if "labels" not in masks:
            raise DataFileError(
                f"{where}: the instances have masks and no labels: give both, as torchvision's detectors take them"
            )
        numbers = require_whole_numbers(
            to_array(masks["labels"], where, "labels"), where, "labels", _FLOAT_ADVICE
        ).ravel()
        if not numbers.size:
            return {}
        pixels = read_mask_pixels(masks["masks"], where, is_stack=True)
        if pixels.ndim == 4 and pixels.shape[1] == 1:
            pixels = pixels[:, 0]
        if pixels.ndim != 3 or len(pixels) != len(numbers) or (pixels.size and int(pixels.max()) > 1):
            raise DataFileError(
                f"{where}: expected {len(numbers)} binary masks of instances, shape (N, h, w), for {len(numbers)} labels, got "
                f"{' x '.join(map(str, pixels.shape))}"
            )
        labels = own.label_mask(_drop_ignored(numbers, where)[np.newaxis], where)[0]
        planes = stack_masks(pixels != 0, labels.tolist())
        return {name: self.concepts.to_numbers(own, its) for name, its in _split(own, planes).items()}


def _read_binary_masks(pixels: NDArray[Any], own: ClassList, where: str) -> NDArray[np.uint16]:
    """Return planes of labels for binary masks, one for each concept, shape (K, h, w) or (h, w, K)."""
    labels = list_plane_labels(own)
    if pixels.shape[0] not in labels and pixels.shape[-1] in labels:
        pixels = np.moveaxis(pixels, -1, 0)
    if pixels.shape[0] not in labels:
        raise DataFileError(
            f"{where}: expected {' or '.join(str(count) for count in labels)} binary masks, one for each concept, got an array "
            f"of {' x '.join(map(str, pixels.shape))}: give a mask for every concept, in the order of concepts="
        )
    if pixels.dtype != bool and int(pixels.max()) > 1:
        raise DataFileError(
            f"{where}: several masks of one image are binary, one for each concept, and one of these holds {int(pixels.max())}: pass "
            f"masks of 0 and 1 (mask > 0), or a single label map (h, w)"
        )
    return stack_masks(pixels != 0, labels[pixels.shape[0]])


def read_mask_pixels(masks: Any, where: str, *, is_stack: bool = False) -> NDArray[np.integer[Any]]:
    """Return a mask as integers, shape (), (h, w), (p, h, w) or (h, w, 3).

    Args:
        masks: a number, a PIL image, a tensor, an array, or a list of arrays.
        where: which item of the data it is, for errors.
        is_stack: whether a first dimension of length 1 counts masks.

    Raises:
        DataFileError: if it holds other than whole numbers.
        LabelError: if it holds negative numbers.
    """
    if is_pil_image(masks):
        return label_images.extract_label_numbers(masks, where, "mask")
    if isinstance(masks, Sequence) and not isinstance(masks, str) and any(is_pil_image(one) for one in masks):
        masks = np.stack([read_mask_pixels(one, where) for one in masks])
    elif isinstance(masks, Sequence) and not isinstance(masks, str) and masks and all(is_array(one) for one in masks):
        masks = np.stack([to_array(one, where, "mask") for one in masks])
    if not is_array(masks) and not isinstance(masks, (int, float, list)):
        raise DataFileError(
            f"{where}: expected masks as a label map, a PIL image, binary masks or a dict of them, got {describe_type(masks)}"
        )
    pixels = require_whole_numbers(to_array(masks, where, "mask"), where, "mask", _FLOAT_ADVICE)
    while pixels.ndim > 2 and not is_stack and 1 in (pixels.shape[0], pixels.shape[-1]):
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels[..., 0]
    if pixels.ndim == 1 or pixels.ndim > 3 + is_stack or (pixels.ndim and not pixels.size and not is_stack):
        raise DataFileError(
            f"{where}: expected a label map (h, w) or binary masks (K, h, w), got an array of shape {tuple(pixels.shape)}"
        )
    if pixels.dtype == bool:
        return pixels if pixels.ndim == 3 else pixels.astype(np.uint8)
    return _drop_ignored(pixels, where) if pixels.ndim else pixels


def stack_masks(masks: NDArray[np.bool_], labels: Sequence[int]) -> NDArray[np.uint16]:
    """Return planes of labels in which every pixel has the label of every mask that covers it; 0 is no label.

    >>> stack_masks(np.array([[[True, False]], [[True, True]], [[False, True]]]), [1, 2, 3]).tolist()
    [[[1, 3]], [[2, 2]]]
    """
    wanted = sorted(set(labels) - {0})
    planes: list[NDArray[np.uint16]] = [np.zeros(masks.shape[1:], np.uint16)]
    for label in wanted:
        covered = masks[[at for at, its in enumerate(labels) if its == label]].any(axis=0)
        plane = next((plane for plane in planes if not plane[covered].any()), None)
        if plane is None:
            plane = np.zeros(masks.shape[1:], np.uint16)
            planes.append(plane)
        plane[covered] = label
    return np.stack(planes)


def list_plane_labels(own: ClassList) -> dict[int, list[int]]:
    """Return the labels of binary masks by their number: one for each concept, or one for each entry with "no label" too."""
    everything = [own.codes[number] for number in sorted(own.codes)]
    return {len(everything): everything, len(own.names): list(range(1, len(own.names) + 1))}


def _merge(first: CategoryLabels, second: CategoryLabels, category: str, where: str) -> CategoryLabels:
    """Return the labels of two masks of one image and category."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return (*first, *second)
    if isinstance(second, tuple) and not np.any(first):
        return second
    if isinstance(first, tuple) or isinstance(second, tuple) or first.shape[-2:] != second.shape[-2:]:
        raise DataFileError(f"{where}: its masks of the category {category!r} have different sizes: give them one size")
    return np.concatenate([first, second])


def _split(own: ClassList, planes: NDArray[np.uint16]) -> dict[str, NDArray[np.uint16]]:
    """Return the planes that hold labels, by category; an empty one of the first category if none does."""
    split = own.split_by_category(planes)
    found = {category: its[its.any(axis=(1, 2))] for category, its in split.items()}
    return {category: its for category, its in found.items() if len(its)} or {own.categories[0]: planes[:1]}


def _is_colored(pixels: NDArray[Any], own: ClassList, masks: object) -> bool:
    """Return whether a mask has colors, shape (h, w, 3), and not three planes."""
    return pixels.shape[-1] == 3 and (is_pil_image(masks) or bool(own.colors))


def _drop_ignored(pixels: NDArray[np.integer[Any]], where: str) -> NDArray[np.integer[Any]]:
    """Return a mask with 0 where its numbers are ignored by convention; other negative ones are refused."""
    if not pixels.size or pixels.min() >= 0:
        return pixels
    pixels = np.where(np.isin(pixels, _IGNORED), 0, pixels)
    if pixels.min() < 0:
        raise LabelError(
            f"{where}: the mask holds the number {int(pixels.min())}: expected numbers from 0, or -1 and -100 for pixels without a label"
        )
    return pixels


def _describe_numbers(own: ClassList) -> str:
    known = sorted(own.codes)
    return f"{len(known)} numbers, {known[0]} to {known[-1]}" if known else "colors only"
