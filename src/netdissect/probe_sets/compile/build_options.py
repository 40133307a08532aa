"""Options of a build: everything but the sources that determines a probe set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.bounds import MAX_IMAGE_SIDE, MAX_IMAGES, require_between, require_integer
from netdissect.probe_sets.compile.color_names import ColorNames, load_built_in_colors, read_color_table
from netdissect.probe_sets.compile.synonyms import Synonyms, load_synonyms
from netdissect.probe_sets.source import hash_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.probe_sets.source import Source

#: Increase it when the same options give another probe set than before.
_EDITION = 1


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a probe set is built.

    Attributes:
        size: side of the images in pixels; label maps have half of it, rounded down.
        min_frequency: leave out labels that touch fewer images.
        min_coverage: leave out labels that cover less, as a sum of shares of images.
        train: share of the images in the split ``train``; the others are in ``val``.
        limit: use only the first `limit` images of every source; None uses all.
        colors: whether every image gets a label map of color names.
        color_table: the published table of color names as a file; None uses the built-in model.
        synonyms: name of a built-in synonym table, or a file; see synonyms.py.
        lower_case: whether names are written in lower case.
    """

    size: int = 224
    min_frequency: int = 1
    min_coverage: float = 0.0
    train: float = 0.7
    limit: int | None = None
    colors: bool = True
    color_table: Path | None = None
    synonyms: str | Path = "none"
    lower_case: bool = False

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            SettingsError: if one is out of its range.
        """
        require_integer("size", self.size, 2, MAX_IMAGE_SIDE)
        require_between("train", self.train, "lie between 0 and 1, a share of the images", 0, 1)
        if self.limit is not None:
            require_integer("limit", self.limit, 1, MAX_IMAGES)
        require_integer("min-frequency", self.min_frequency, 0, MAX_IMAGES)
        require_between("min-coverage", self.min_coverage, "be a number of at least 0", 0, MAX_IMAGES)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.size, self.size

    @property
    def label_size(self) -> tuple[int, int]:
        """Height and width of the label maps in pixels."""
        return self.size // 2, self.size // 2

    def load_color_names(self) -> ColorNames | None:
        """Return the table of color names; None if images get no label map of colors."""
        if not self.colors:
            return None
        return load_built_in_colors() if self.color_table is None else read_color_table(self.color_table)

    def load_synonym_table(self) -> Synonyms:
        """Return the synonym table."""
        return load_synonyms(self.synonyms)

    def describe(self, sources: Sequence[Source]) -> dict[str, str]:
        """Return everything that determines the probe set, as text; an unfinished build is continued only if it is the same."""
        colors = self.load_color_names()
        settings = {name: str(value) for name, value in dataclasses.asdict(self).items()}
        return settings | {
            "edition": str(_EDITION),
            "color_table": f"{self.color_table or 'built in'} {'' if colors is None else colors.fingerprint()}".strip(),
            "synonyms": f"{self.synonyms} {self.load_synonym_table().fingerprint()}",
            "sources": " ".join(source.name for source in sources),
            **{f"source {source.name}": source.fingerprint() for source in sources},
        }


def hash_state(state: dict[str, str]) -> str:
    """Return the hash of a state."""
    return hash_parts(sorted(state.items()))
