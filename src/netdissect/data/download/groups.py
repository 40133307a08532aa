"""Names that stand for several entries of the registry, or for one that is spelled otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.data.download.registry import Entry

#: The editions of Broden that the released code fetches.
EDITIONS = ("broden1_224", "broden1_227", "broden1_384")
#: What Broden is built from.
SOURCES = ("ade20k", "dtd", "opensurfaces", "pascal")
#: The network that the released code's first example dissects.
EXAMPLE = "caffe_reference_places365"


def meant(names: Sequence[str], entries: Mapping[str, Entry], *, networks: bool) -> list[str]:
    """Return the entries that names stand for, each once; a name that stands for none is left as it is.

    Args:
        names: as they were typed: ``all``, ``broden`` and ``all-sources``, or ``all`` and ``example`` for networks, stand for
            what the released code's scripts of that kind fetch; case and the characters between words do not matter.
        entries: the registry.
        networks: whether networks are meant, or probe sets and sources.

    Example:
        >>> from netdissect.data.download.registry import load_registry
        >>> meant(["Broden1-227"], load_registry(), networks=False)
        ['broden1_227']
    """
    if networks:
        groups = {
            "all": [name for name, entry in entries.items() if entry.kind == "network"], "example": [EXAMPLE],
        }  # fmt: skip
    else:
        groups = {name: list(EDITIONS) for name in ("all", "broden", "broden1")} | {"allsources": list(SOURCES)}
    plain = {_plain(name): name for name in entries}
    plain |= {_plain(name).replace("broden1", "broden"): name for name in entries}
    wanted: list[str] = []
    for name in names:
        wanted += [name] if name in entries else groups.get(_plain(name)) or [plain.get(_plain(name), name)]
    return list(dict.fromkeys(wanted))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
