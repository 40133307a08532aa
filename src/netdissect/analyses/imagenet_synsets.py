"""The synset ids of ImageNet's classes, which names of a network's outputs alone do not have."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netdissect.errors import MissingExtraError
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from netdissect.analyses.class_names import ClassIndex

#: Share of the names that must be ImageNet's, at their places; libraries spell a few in another way.
_LEAST_SHARE = 0.9


def list_imagenet_synsets(classes: ClassIndex) -> list[str]:
    """Return the synset ids of the classes if they are those of ImageNet-1k, as timm lists them; else, or without timm, none."""
    with contextlib.suppress(MissingExtraError, AttributeError):
        info = import_optional("timm.data", extra="timm", purpose="to know ImageNet's synset ids").ImageNetInfo()
        synsets = [str(name) for name in info.label_names()]
        described = [info.index_to_description(at, detailed=False) for at in range(len(synsets))]
        if len(synsets) != len(classes):
            return []
        fitting = sum(classes.find(name) == at for at, words in enumerate(described) for name in words.split(",")[:1])
        return synsets if fitting >= _LEAST_SHARE * len(synsets) else []
    return []
