"""Open labeled images: class folders, images with a table of their classes, or a probe set with labels of whole images."""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from netdissect import arguments
from netdissect.analyses.class_names import ClassIndex, index_classes, match_classes
from netdissect.analyses.image_label_tables import read_image_labels
from netdissect.analyses.labeled_images import LabeledImages
from netdissect.bounds import describe_type, require_integer
from netdissect.concepts import display_name
from netdissect.config import Settings
from netdissect.errors import DataFileError, DataNotFoundError, SettingsError, suggest_nearest
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.importers.class_folders import find_class_images
from netdissect.probe_sets.importers.image_folders import find_images
from netdissect.probe_sets.importers.split_names import parse_split
from netdissect.probe_sets.unlabeled_images import UnlabeledImages
from netdissect.protocols import ConceptSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.analyses.class_names import ClassNamesLike

#: Images and their classes: a folder, a probe set, images that were opened before, or files or arrays with `labels`.
ImageData: TypeAlias = "str | Path | ConceptSource | LabeledImages | Sequence[str | Path | NDArray[np.uint8]]"
#: Classes of images: a table, or the class of every image by name or by position.
ImageLabelsLike: TypeAlias = "str | Path | Sequence[int] | Sequence[str] | NDArray[np.integer[Any]]"


def open_labeled_images(
    data: ImageData,
    classes: ClassNamesLike | None = None,
    labels: ImageLabelsLike | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
) -> LabeledImages:
    """Open images whose classes are known.

    Args:
        data: a folder with one folder per class, named like the class, its synset id or its number; a folder of images with
            `labels`; a probe set whose labels of whole images (scenes, textures) are classes; or, in Python, files or arrays
            (RGB, uint8, shape (H, W, 3)) with `labels`.
        classes: the classes in the order of the network's outputs, or a file that lists them (`index_classes`); None takes the
            names that the images have.
        labels: a table of images and their classes (`read_image_labels`), or the class of every image, -1 for none.
        split: only images of this split, where the images are divided into splits.
        limit: at most this many images; of class folders, equally many of every class as far as possible.

    Raises:
        DataNotFoundError: if there are no such images.
        DataFileError: if no class of the images is in the list, or a table or list is damaged.
        SettingsError: if arguments do not fit each other.
    """
    if limit is not None:
        require_integer("limit", limit, 1, sys.maxsize)
    if isinstance(data, LabeledImages):
        if classes is not None or labels is not None or split is not None:
            raise SettingsError(
                "images that were opened before have classes already: leave classes, labels and split out"
            )
        return data.limit(limit)
    index = None if classes is None else index_classes(classes)
    if labels is not None and not isinstance(labels, (str, Path)):
        return _label_sequence(data, list(labels), index).limit(limit)
    root = _find_images_folder(data)
    if root is not None:
        if labels is not None:
            return _label_listed(root, Path(labels), index, limit)
        return _open_class_folders(root, index, split, limit)
    source, _ = arguments.open_selected_probe_set(data, Settings(split=split))
    if labels is not None:
        return _label_probe_set(source, Path(labels), index).limit(limit)
    return _read_whole_labels(source, index).limit(limit)


def open_images(data: str | Path | ConceptSource) -> ConceptSource:
    """Open a probe set, or a folder of images that is none.

    Raises:
        DataNotFoundError: if there are no images.
        NetdissectError: one of its subclasses, if the probe set is damaged.
    """
    root = _find_images_folder(data)
    if root is None:
        return arguments.open_selected_probe_set(data, Settings())[0]
    paths = find_images(root, lambda _: None)
    return UnlabeledImages(root.resolve().name, paths, _name_files(paths, root), str(root.resolve()))


def _find_images_folder(data: object) -> Path | None:
    """Return the folder of images that is no probe set; None if the images come from anything else."""
    if not isinstance(data, (str, Path)) or "://" in str(data):
        return None
    return Path(data) if Path(data).is_dir() and not (Path(data) / "index.csv").exists() else None


def _open_class_folders(root: Path, index: ClassIndex | None, split: str | None, limit: int | None) -> LabeledImages:
    notes: list[str] = []
    found = find_class_images(root, notes.append)
    if split is not None:
        splits = sorted({image.split for image in found} - {""})
        found = [image for image in found if image.split == (parse_split(split) or split)]
        if not found:
            raise SettingsError(
                f"no folder of {root} is named like the split {split!r}: {suggest_nearest(split, splits)}"
            )
    index, positions = match_classes(root, [image.class_name for image in found], index, notes)
    chosen = _take_evenly(positions, limit)
    paths = [found[at].path for at in chosen]
    source = UnlabeledImages(root.resolve().name, paths, _name_files(paths, root), str(root.resolve()))
    return LabeledImages(source, positions[chosen], index.names, tuple(notes))


def _label_listed(root: Path, table: Path, index: ClassIndex | None, limit: int | None) -> LabeledImages:
    """Return the images of a folder that a table lists."""
    notes: list[str] = []
    entries = read_image_labels(table)
    files = find_images(root, notes.append)
    names = _name_files(files, root)
    places = _find_places(names, [entry.image for entry in entries], table, root)
    index, positions = match_classes(table, [entry.class_name for entry in entries], index, notes)
    chosen = _take_evenly(positions, limit)
    paths = [files[places[at]] for at in chosen]
    source = UnlabeledImages(root.resolve().name, paths, _name_files(paths, root), str(root.resolve()))
    return LabeledImages(source, positions[chosen], index.names, tuple(notes))


def _label_probe_set(source: ConceptSource, table: Path, index: ClassIndex | None) -> LabeledImages:
    """Return a probe set's images with the classes that a table gives to them."""
    notes: list[str] = []
    entries = read_image_labels(table)
    names = [source.image_name(image) for image in range(len(source))]
    places = _find_places(names, [entry.image for entry in entries], table, source.name)
    index, positions = match_classes(table, [entry.class_name for entry in entries], index, notes)
    labels = np.full(len(source), -1, np.int64)
    labels[places] = positions
    return LabeledImages(source, labels, index.names, tuple(notes))


def _label_sequence(data: Any, labels: Sequence[object], index: ClassIndex | None) -> LabeledImages:
    """Return images with the class of each, both from Python."""
    if isinstance(data, ConceptSource):
        source = data
    elif isinstance(data, (str, Path)) or not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise SettingsError(
            f"labels= is a class for every image, so data= takes a list of files or arrays, or a probe set, not "
            f"{describe_type(data)}: with a folder, labels= takes a table of its images"
        )
    else:
        images = [Path(image) if isinstance(image, (str, Path)) else np.asarray(image) for image in data]
        names = [image.name if isinstance(image, Path) else f"image {at}" for at, image in enumerate(images)]
        source = UnlabeledImages("images", images, names)
    if len(labels) != len(source):
        raise SettingsError(f"labels= takes a class for every image: expected {len(source)}, got {len(labels)}")
    words = [str(label) for label in labels]
    named = np.array([word != "-1" for word in words], np.bool_)
    if not named.any():
        raise SettingsError(
            "labels= gives no image a class: expected a name, or a position from 0, for every image that has one"
        )
    notes: list[str] = []
    index, found = match_classes("labels=", [words[at] for at in np.flatnonzero(named)], index, notes)
    positions = np.full(len(words), -1, np.int64)
    positions[named] = found
    return LabeledImages(source, positions, index.names, tuple(notes))


def _read_whole_labels(source: ConceptSource, index: ClassIndex | None) -> LabeledImages:
    """Return a probe set's images with the classes that label whole images."""
    notes: list[str] = []
    whole = _list_whole_labels(source)
    used = sorted({column for columns in whole for column in columns})
    if not used:
        raise DataFileError(
            f"{source.name} labels no whole image (scene, texture), so its images have no classes: give class folders, or a "
            f"table of images and classes with --labels"
        )
    names = [display_name(source.vocabulary.names[column]) for column in used]
    index, found = match_classes(source.name, names, index, notes)
    class_of = dict(zip(used, found.tolist(), strict=True))
    labels = np.full(len(source), -1, np.int64)
    several = 0
    for image, columns in enumerate(whole):
        own = {class_of[column] for column in columns} - {-1}
        several += len(own) > 1
        labels[image] = own.pop() if len(own) == 1 else -1
    if several:
        notes.append(f"{several:,} images of {source.name} have labels of several classes and are left out")
    return LabeledImages(source, labels, index.names, tuple(notes))


def _list_whole_labels(source: ConceptSource) -> list[list[int]]:
    """Return the columns of the labels for the whole of every image."""
    codes = source.vocabulary.codes
    if isinstance(source, Broden):
        return [(codes[list(row.whole)] - 1).tolist() for row in source.rows]
    return [(source.read_labels(image).whole - 1).tolist() for image in range(len(source))]


def _find_places(names: Sequence[str], listed: Sequence[str], table: Path, where: object) -> list[int]:
    """Return the position of every listed image among the names of images: by path, by file name or by stem."""
    tables: list[dict[str, list[int]]] = []
    for shorten in (str, lambda name: name.rpartition("/")[2], lambda name: Path(name).stem):
        by_name: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(names):
            by_name[shorten(name)].append(place)
        tables.append(by_name)
    places = []
    for image in listed:
        plain = image.replace("\\", "/").removeprefix("./")
        short = plain.rpartition("/")[2]
        matches = next(
            (t[key] for t, key in zip(tables, (plain, short, Path(short).stem), strict=True) if key in t), []
        )
        if len(matches) != 1:
            problem = f"{len(matches)} images have that name" if matches else "there is no such image"
            raise DataNotFoundError(f"{table} names the image {image}, and {problem} in {where}")
        places.append(matches[0])
    if len(set(places)) < len(places):
        twice = listed[next(at for at, place in enumerate(places) if places.index(place) < at)]
        raise DataFileError(f"{table} names the image {twice} twice, under different names: name every image once")
    return places


def _take_evenly(labels: NDArray[np.int64], limit: int | None) -> NDArray[np.int64]:
    """Return the positions of labeled images, rising; at most `limit`, the first ones of every class in turn."""
    labeled = np.flatnonzero(labels >= 0)
    if limit is None or limit >= labeled.size:
        return labeled
    own = [labeled[labels[labeled] == label].tolist() for label in np.unique(labels[labeled])]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*own))
    return np.array(sorted(itertools.islice((at for at in turns if at is not None), limit)), np.int64)


def _name_files(paths: Sequence[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]
