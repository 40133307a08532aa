"""Images that belong together, such as frames of a video or copies of an image (docs/trust.md).

They are not independent, so chance and spread treat them as one: a group takes the labels of another group, and lies in one
fold. A column of ``index.csv`` or the images' names say which they are; without either, identical files are one group.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from netdissect.errors import DataError, SettingsError
from netdissect.protocols import GROUP_COLUMN, GroupedSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import ConceptSource


def find_groups(
    concepts: ConceptSource, order: NDArray[np.int64], group_by: str | None, fingerprints: NDArray[np.uint32]
) -> tuple[NDArray[np.int64] | None, str | None]:
    """Find the images that belong together.

    Args:
        concepts: the probe set.
        order: positions of the images that were read, shape (M,).
        group_by: a column of ``index.csv``, or a regular expression for names; None takes the column ``group``, or, where
            there is none, identical files.
        fingerprints: hash of the network's input of these images, shape (M,).

    Returns:
        the number of every image's group, shape (N,), and a note for the result; None and None if no image shares its group.

    Raises:
        SettingsError: if `group_by` is neither.
    """
    names = read_group_names(concepts, group_by)
    if names is None:
        names = _name_identical(concepts, order, fingerprints)
        source = "identical files"
    else:
        source = f"--group-by {group_by}" if group_by is not None else f"the column {GROUP_COLUMN}"
    groups = _number_names(names)
    sizes = np.unique(groups[order], return_counts=True)[1]
    shared = sizes[sizes > 1]
    if not shared.size:
        return None, None
    return groups, f"{shared.sum():,} images count as {shared.size:,}, because they belong together ({source})"


def read_group_names(concepts: ConceptSource, group_by: str | None) -> Sequence[str] | None:
    """Return the name of every image's group, shape (N,), empty for an image of its own; None if nothing names them.

    Args:
        concepts: the probe set.
        group_by: as for `find_groups`.

    Raises:
        SettingsError: if `group_by` is neither a column nor a regular expression with a group that fits any name.
    """
    columns = list(concepts.columns) if isinstance(concepts, GroupedSource) else []
    if group_by is None and GROUP_COLUMN in concepts.vocabulary.categories:
        return None  # the column holds the labels of a category
    column = GROUP_COLUMN if group_by is None else group_by
    if column in columns:
        assert isinstance(concepts, GroupedSource)
        names = concepts.read_column(column)
        return names if group_by is not None or any(names) else None
    return None if group_by is None else _match_names(concepts, group_by, columns)


def _match_names(concepts: ConceptSource, group_by: str, columns: Sequence[str]) -> Sequence[str]:
    """Return what the first group of a regular expression matches in every image's name."""
    try:
        pattern = re.compile(group_by)
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingsError(
            f"--group-by {group_by!r} is neither {_list_columns(concepts, columns)} nor a regular expression ({error})"
        ) from error
    if not pattern.groups:
        raise SettingsError(
            f"--group-by {group_by!r} is not {_list_columns(concepts, columns)}; a regular expression needs parentheses around "
            f"what images of a group share in their names, as in '(.+)_[0-9]+'"
        )
    found = [pattern.search(concepts.image_name(image)) for image in range(len(concepts))]
    names = [match[1] or "" if match else "" for match in found]
    if not any(names):
        raise SettingsError(
            f"--group-by {group_by!r} matches the name of no image of {concepts.name}; the first is {concepts.image_name(0)}"
        )
    return names


def _list_columns(concepts: ConceptSource, columns: Sequence[str]) -> str:
    if not columns:
        return f"a column of {concepts.name}, which has none"
    return f"a column of {concepts.name} ({', '.join(columns)})"


def _name_identical(
    concepts: ConceptSource, order: NDArray[np.int64], fingerprints: NDArray[np.uint32]
) -> Sequence[str]:
    """Return the hash of every image's file where another image has the same fingerprint, else nothing."""
    _, inverse, counts = np.unique(fingerprints, return_inverse=True, return_counts=True)
    names = [""] * len(concepts)
    for image in order[counts[inverse] > 1].tolist():
        try:
            names[image] = hashlib.sha256(concepts.read_image_file(image)).hexdigest()
        except DataError:
            continue  # it was read before; without its file nothing says that it is another's copy
    return names


def _number_names(names: Iterable[str]) -> NDArray[np.int64]:
    """Number groups by name; an image without a name is one of its own."""
    numbers: dict[str | int, int] = defaultdict(lambda: len(numbers))
    return np.array([numbers[name or image] for image, name in enumerate(names)], np.int64)
