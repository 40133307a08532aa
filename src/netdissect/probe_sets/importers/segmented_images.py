"""``from-segmenter`` and ``from-words``: import unlabeled images, which a network labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from netdissect.errors import DataFileError, SettingsError
from netdissect.io import atomic, images
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.io.reading import read_bytes
from netdissect.probe_sets.compile.build_cache import BuildCache
from netdissect.probe_sets.importers.image_folders import find_images, flatten_path
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.imported_images import ImportedImages
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts, stat_files, to_planes
from netdissect.protocols import Segmenter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.protocols import Progress


@dataclass(frozen=True, kw_only=True)
class SegmentedImages(ImportedImages):
    """Images labeled by a network; an image's record is its file and that of its label maps.

    Attributes:
        segmenter: the network; None in worker processes.
    """

    segmenter: Segmenter | None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the network out when pickled."""
        return {**super().__getstate__(), "segmenter": None}

    def prepare(self, progress: Progress) -> None:
        """Label every image that has no label maps yet."""
        assert self.segmenter is not None
        progress.start("segment", len(self.images))
        for entry in self.images:
            photo, maps = entry.record
            if not maps.is_file():
                planes = to_planes(np.asarray(self.segmenter(images.load_image(photo, upright=True))))
                _check_planes(planes, entry.file, len(self.segmenter.classes))
                atomic.write_bytes(maps, encode_npz({"planes": planes.astype(np.uint16)}, compressed=True))
            progress.advance(1)

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, upright, as the network saw it."""
        return images.load_image(entry.record[0], upright=True)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label maps of an image for every category."""
        maps = entry.record[1]
        try:
            planes = parse_npz(read_bytes(maps))["planes"]
        except (OSError, ValueError, KeyError) as error:
            raise DataFileError(
                f"{maps}: this label map of an unfinished probe set is damaged ({error}); delete it"
            ) from error
        codes = np.array([self.classes.codes.get(code, 0) for code in range(int(planes.max(initial=0)) + 1)], np.uint16)
        split = self.classes.split_by_category(codes[planes])
        return {category: stack[0] if len(stack) == 1 else stack for category, stack in split.items()}


def from_segmenter(
    segmenter: Segmenter, photos: str | Path, out: str | Path, **options: Unpack[ImportOptionsDict]
) -> BuildResult:
    """Make a probe set of unlabeled images: a network labels them, and its classes are the concepts.

    The labels are only as good as the network. Finished label maps are kept, so repeating an interrupted call continues it.

    Args:
        segmenter: the network; `netdissect.load_segmenter` loads one of transformers or torchvision.
        photos: folder of images.
        out: folder of the probe set.
        options: see `ImportOptions`.

    Raises:
        DataError: or a subclass, if anything is wrong with the files or the network's labels.
        SettingsError: if an option is out of its range.
    """
    return _import_segmented(segmenter, photos, out, "from-segmenter", options)


def from_words(
    segmenter: Segmenter, photos: str | Path, out: str | Path, **options: Unpack[ImportOptionsDict]
) -> BuildResult:
    """Make a probe set with words of your own as concepts, labeled by an open-vocabulary network.

    Args:
        segmenter: the network, loaded with the words by `netdissect.load_open_vocabulary`.
        photos: folder of images.
        out: folder of the probe set.
        options: see `ImportOptions`.

    Raises:
        DataError: as `from_segmenter`.
        SettingsError: if an option is out of its range.
    """
    return _import_segmented(segmenter, photos, out, "from-words", options)


def _import_segmented(
    segmenter: Segmenter, photos: str | Path, out: str | Path, command: str, options: ImportOptionsDict
) -> BuildResult:
    settings = ImportOptions.from_keywords(options)
    folder = Path(photos)
    if not isinstance(segmenter, Segmenter):
        raise SettingsError(
            f"expected a segmenter, with classes, about and fingerprint(), got {type(segmenter).__name__}: "
            f"netdissect.ImageLabeler makes one of a function"
        )
    if not segmenter.classes:
        raise SettingsError("the network has no class: nothing can be labeled")
    fingerprint = segmenter.fingerprint()
    maps = BuildCache(Path(out)).folder / "maps"
    source = SegmentedImages(
        name=settings.choose_name(folder), about=f"images of {folder}", segmenter=segmenter, settings_hash=fingerprint,
        classes=settings.read_classes(list(segmenter.classes), first=1),
        images=tuple(
            SourceImage(
                flatten_path(path, folder),
                (path, maps / f"{hash_parts(fingerprint, stat_files([path]), str(path))}.npz"),
                (path,),
            )
            for path in find_images(folder, settings.say)[: settings.limit]
        ),
    )  # fmt: skip
    note = f"Labeled by {segmenter.about}.\nMade with: netdissect data {command}."
    return settings.write_probe_set(source, out, note=note)


def _check_planes(planes: NDArray[np.integer[Any]], file: str, classes: int) -> None:
    """Raise DataFileError if a network's labels are not whole numbers up to its number of classes."""
    is_valid = planes.ndim == 3 and planes.size and planes.dtype.kind in "ui"
    if not is_valid or not 0 <= planes.min() <= planes.max() <= classes:
        raise DataFileError(
            f"{file}: the network gave {planes.dtype} {planes.shape} with values beyond its {classes} classes: expected label "
            f"maps of whole numbers from 0 to {classes}"
        )
