"""Find the images below a folder, name them, put them into splits, and pair them with masks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netdissect.errors import DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.importers.split_names import find_split_depth, read_split_at
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdissect.probe_sets.importers.import_options import ImportOptions


def find_images(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Return every image below a folder, sorted.

    Args:
        folder: the folder.
        say: called with a sentence that counts the files that are not images.

    Raises:
        DataNotFoundError: if there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"there is no folder of images {folder}")
    found, others = [], Counter[str]()
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or path.is_dir():
            continue
        suffix = path.suffix.lower()
        if suffix in images.ENDINGS:
            found.append(path)
        else:
            others[suffix] += 1
    if others:
        listed = ", ".join(f"{suffix or 'no ending'} {count}" for suffix, count in sorted(others.items()))
        left_out = count_noun(
            others.total(), "file is left out, going by its ending", "files are left out, going by their endings"
        )
        say(f"{folder}: {left_out} ({listed})")
    if not found:
        raise DataNotFoundError(
            f"{folder} holds no image: expected files ending in {', '.join(sorted(images.ENDINGS))}"
        )
    return found


def flatten_path(path: Path, folder: Path) -> str:
    """Return an image's name in the probe set: its path below a folder, with ``-`` between folders."""
    return "-".join(path.relative_to(folder).parts)


def derive_names_and_splits(paths: Sequence[Path], folder: Path) -> list[tuple[str, str]]:
    """Return each image's name in the probe set and its split, from its path below a folder.

    If every image is in a folder named like a split, these folders are the splits; otherwise splits are empty.
    """
    places = [path.relative_to(folder).parts for path in paths]
    depth = find_split_depth(places, besides=0)
    return [("-".join(place), read_split_at(place, depth)) for place in places]


def pair_by_stem(
    photos: Path, masks: Path, options: ImportOptions, *, below: Sequence[str] = ("",)
) -> list[tuple[Path, Path]]:
    """Return every PNG mask with the image that has the same stem.

    Args:
        photos: the folder of images.
        masks: the folder of masks.
        options: with `skip_missing`, masks without an image are left out.
        below: the subfolders of both folders that hold the files.

    Raises:
        DataNotFoundError: if masks have no image, or there is no mask.
    """
    pairs, unpaired = [], []
    for name in below:
        by_stem = {path.stem: path for path in reversed(find_images(photos / name, options.say))}
        for mask in sorted((masks / name).glob("*.png")):
            if mask.stem in by_stem:
                pairs.append((by_stem[mask.stem], mask))
            else:
                unpaired.append(mask)
    if unpaired and not (pairs and options.skip_missing):
        raise DataNotFoundError(
            f"{count_noun(len(unpaired), 'mask')} of {masks} without image in {photos}: {abbreviate_paths(unpaired)}; --skip-missing "
            f"leaves them out"
        )
    if not pairs:
        raise DataNotFoundError(f"{masks} holds no mask: expected {'/'.join(filter(None, below)) or masks.name}/*.png")
    return pairs


def abbreviate_paths(paths: Sequence[Path], most: int = 3) -> str:
    """Return the first few file names, for a message."""
    shown = ", ".join(path.name for path in paths[:most])
    return shown if len(paths) <= most else f"{shown} and {len(paths) - most} more"
