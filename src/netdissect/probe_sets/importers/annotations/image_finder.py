"""Find images by the names in annotation files, only below one folder."""

from __future__ import annotations

import fnmatch
import os
import posixpath
from pathlib import Path

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.text import escape_line


def find_files(root: Path, pattern: str, out: Path | None) -> list[Path]:
    """Return the files below a folder whose names match a pattern, sorted.

    Args:
        root: the folder.
        pattern: a shell pattern of names.
        out: folder of the probe set, which is skipped, as are hidden files and folders.
    """
    skipped = None if out is None else out.absolute()
    found = []
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).absolute() != skipped]
        found += [here / name for name in files if fnmatch.fnmatchcase(name, pattern) and not name.startswith(".")]
    return sorted(found)


class ImageFinder:
    """The images below a folder, found by name.

    Args:
        root: the folder; nothing outside of it is opened.
        out: folder of the probe set, which is skipped.
        images_only: whether the annotations are in another folder; then folders in a name that do not exist are ignored.
    """

    def __init__(self, root: Path, out: Path | None, *, images_only: bool) -> None:
        if not root.is_dir():
            raise DataNotFoundError(f"there is no folder of images {root}")
        self.root = root
        self._out = out
        self._images_only = images_only
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name_in_file: str, *, where: object, first_folder: Path | None = None) -> Path | None:
        r"""Return the image with a name in an annotation file; None if there is none.

        A name is searched for as a path from `first_folder`, as a path from the folder, and then anywhere below the folder.

        Args:
            name_in_file: the name, with ``/`` or ``\``.
            where: the annotation file, for errors.
            first_folder: folder that is searched first, such as that of the annotation file.

        Raises:
            DataFileError: if the name leads outside the folder, or several images have it.
        """
        name = name_in_file.replace("\\", "/")
        try:
            os.fsencode(name)
        except UnicodeEncodeError as error:
            raise DataFileError(f"{where}: the image's name {name_in_file!a} cannot be written") from error
        if not name.strip("/. ") or "\0" in name:
            raise DataFileError(f"{where}: expected the name of an image, got {escape_line(name_in_file)!r}")
        absolute = name.startswith("/") or name[1:2] == ":"
        if self._images_only:
            name = "/".join(part for part in name.split("/") if part not in ("", ".", "..") and not part.endswith(":"))
        else:
            for start in (first_folder, self.root) if not absolute else ():
                found = self._find_inside(start, name)
                if found is not None:
                    return found
            if absolute or self._leads_out(name, first_folder):
                raise DataFileError(
                    f"{where}: its image {escape_line(name_in_file)!r} is outside of {self.root}: --photos names the folder of "
                    f"the images"
                )
        return self._find_by_ending(posixpath.normpath(name).removeprefix("../"), where)

    def name_image(self, photo: Path) -> str:
        """Return an image's name in the probe set: its path below the folder, with ``-`` between folders."""
        return "-".join(photo.relative_to(self.root).parts)

    def _leads_out(self, name: str, first_folder: Path | None) -> bool:
        for start in (self.root, first_folder):
            if start is not None and Path(os.path.normpath(start / name)).is_relative_to(os.path.normpath(self.root)):
                return False
        return True

    def _find_inside(self, start: Path | None, name: str) -> Path | None:
        """Return the image at a path, if it is below the folder; links are not resolved."""
        if start is None:
            return None
        path = Path(os.path.normpath(start / name))
        root = Path(os.path.normpath(self.root))
        if not path.is_relative_to(root) or not path.is_file():
            return None
        return self.root / path.relative_to(root)

    def _find_by_ending(self, name: str, where: object) -> Path | None:
        """Return the image whose path shares the most trailing parts with a name; None if there is none."""
        parts = name.split("/")
        same = self._index().get(parts[-1], [])
        for count in range(len(parts), 0, -1):
            fitting = [path for path in same if list(path.relative_to(self.root).parts[-count:]) == parts[-count:]]
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                first, second = (path.relative_to(self.root) for path in fitting[:2])
                raise DataFileError(
                    f"{where}: its image {escape_line(name)!r} may be {first} or {second} of {self.root}: --photos names the "
                    f"folder of the images"
                )
        return None

    def _index(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for path in find_files(self.root, "*", self._out):
                if path.suffix.lower() in images.ENDINGS:
                    self._by_name.setdefault(path.name, []).append(path)
        return self._by_name

    def find_stem(self, stem: str) -> list[Path]:
        """Return the images with a stem."""
        return [path for paths in self._index().values() for path in paths if path.stem == stem]
