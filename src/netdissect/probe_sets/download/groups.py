"""Expand names of groups of registry entries, and names in other spellings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.probe_sets.download.registry import RegistryEntry

#: The editions of Broden that the released code fetches.
BRODEN_EDITIONS = ("broden1_224", "broden1_227", "broden1_384")
#: The sources that Broden is built from.
BRODEN_SOURCES = ("ade20k", "dtd", "opensurfaces", "pascal")
#: The network that the released code's first example dissects.
EXAMPLE_NETWORK = "caffe_reference_places365"


def expand_names(names: Sequence[str], entries: Mapping[str, RegistryEntry], *, networks: bool) -> list[str]:
    """Return the registry entries that names stand for, each once; unknown names stay as they are.

    Args:
        names: as typed. ``all``, ``broden`` and ``all-sources``, or for networks ``all`` and ``example``, stand for what
            the released code's scripts fetch; case and characters between words do not matter.
        entries: the registry.
        networks: whether the names are of networks, or of probe sets and sources.

    Example:
        >>> from netdissect.probe_sets.download.registry import load_registry
        >>> expand_names(["Broden1-227"], load_registry(), networks=False)
        ['broden1_227']
    """
    if networks:
        groups = {
            "all": [name for name, entry in entries.items() if entry.kind == "network"], "example": [EXAMPLE_NETWORK],
        }  # fmt: skip
    else:
        groups = {name: list(BRODEN_EDITIONS) for name in ("all", "broden", "broden1")} | {
            "allsources": list(BRODEN_SOURCES)
        }
    plain = {_simplify(name): name for name in entries}
    plain |= {_simplify(name).replace("broden1", "broden"): name for name in entries}
    wanted: list[str] = []
    for name in names:
        wanted += [name] if name in entries else groups.get(_simplify(name)) or [plain.get(_simplify(name), name)]
    return list(dict.fromkeys(wanted))


def _simplify(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
