"""The concepts of data that says itself what its masks mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netdissect.errors import SettingsError
from netdissect.probe_sets.importers.voc import VOC_CLASSES


def find_known_concepts(data: Any, mask: str | None, *, whole_images: bool) -> Any:
    """Return the concepts of torchvision's data sets, of a column of classes, or of the classes of whole images.

    Args:
        data: the data; a loader or a subset is looked through.
        mask: the column that was taken as the masks; None if the data has no columns.
        whole_images: whether each image has the number of a class.

    Returns:
        what ``concepts=`` takes.

    Raises:
        SettingsError: if the data does not say it.
    """
    inner = data
    while not hasattr(inner, "column_names") and hasattr(inner, "dataset") and inner.dataset is not inner:
        inner = inner.dataset
    own = _find_classes(inner) if whole_images else _find_torchvision(inner)
    if own is not None:
        return own
    named = None if mask is None else _find_feature_names(inner, mask)
    if named is not None:
        return named
    raise SettingsError(
        "the data does not say what its masks mean: pass concepts=, a list of names (of numbers 1, 2, …, or 0, 1, … if the "
        "first is background) or a dict number → name, to netdissect.dissect or netdissect.open_probe_set"
    )


def _find_torchvision(data: Any) -> Any:
    """Return the concepts of the masks of torchvision's own data sets; None for others."""
    if not type(data).__module__.startswith("torchvision.datasets"):
        return None
    name = type(data).__name__
    if name == "VOCSegmentation" or (name == "SBDataset" and getattr(data, "mode", None) == "segmentation"):
        return ["background", *VOC_CLASSES]
    if name == "Cityscapes" and getattr(data, "target_type", None) == ["semantic"]:
        return {one.id: (one.name if one.category != "void" else "void", "object") for one in data.classes}
    if name == "OxfordIIITPet" and list(getattr(data, "_target_types", [])) == ["segmentation"]:
        return {1: "pet", 2: "background", 3: "border"}
    return None


def _find_classes(data: Any) -> Any:
    """Return the names of the classes of a classification data set, as torchvision's have them; None for others."""
    classes = getattr(data, "classes", None)
    if not isinstance(classes, (list, tuple)) or not classes:
        return None
    names = [one[0] if isinstance(one, (tuple, list)) and one else one for one in classes]  # ImageNet's are synonyms
    return names if all(isinstance(name, str) for name in names) else None


def _find_feature_names(data: Any, mask: str) -> dict[int, str] | None:
    """Return the class names of a column of a table of the library datasets, or of all its parts; None if it has none."""
    parts = list(data.values()) if isinstance(data, Mapping) else [data]
    found = [_read_column_names(getattr(part, "features", None), mask) for part in parts]
    return found[0] if found and all(names == found[0] for names in found) else None


def _read_column_names(features: object, mask: str) -> dict[int, str] | None:
    """Return the class names of a column by their number; None if it has none."""
    feature = features.get(mask) if isinstance(features, dict) else None
    while feature is not None and not getattr(feature, "names", None) and hasattr(feature, "feature"):
        feature = feature.feature
    names = getattr(feature, "names", None)
    return dict(enumerate(map(str, names))) if names else None
