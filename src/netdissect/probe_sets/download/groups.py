"""Names that stand for several entries of the registry, or for one that is spelled otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.probe_sets.download.registry import RegistryEntry

#: The editions of Broden that the released code fetches.
BRODEN_EDITIONS = ("broden1_224", "broden1_227", "broden1_384")
#: What Broden is built from.
BRODEN_SOURCES = ("ade20k", "dtd", "opensurfaces", "pascal")
#: The network that the released code's first example dissects.
EXAMPLE_NETWORK = "caffe_reference_places365"


def expand_names(names: Sequence[str], entries: Mapping[str, RegistryEntry], *, networks: bool) -> list[str]:
    """Return the entries that names stand for, each once; a name that stands for none is left as it is.

    Args:
        names: as they were typed: ``all``, ``broden`` and ``all-sources``, or ``all`` and ``example`` for networks, stand for
            what the released code's scripts of that kind fetch; case and the characters between words do not matter.
        entries: the registry.
        networks: whether networks are meant, or probe sets and sources.

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
    plain = {_plain(name): name for name in entries}
    plain |= {_plain(name).replace("broden1", "broden"): name for name in entries}
    wanted: list[str] = []
    for name in names:
        wanted += [name] if name in entries else groups.get(_plain(name)) or [plain.get(_plain(name), name)]
    return list(dict.fromkeys(wanted))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
