"""The options of every importer, declared once for Python and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the command line reads the type hints

from netdissect.setting_fields import declare_option


@dataclass(frozen=True, kw_only=True)
class SetOptions:
    """Options that describe a probe set; their help texts are in the fields' metadata."""

    size: int = declare_option(224, "Side of the images in pixels; label maps have half of it.")
    category: str | None = declare_option(
        None, "Category of classes without one: object, scene, part, material, texture or a word of your own.",
        none="object; scene for labels of whole images",
    )  # fmt: skip
    train: float = declare_option(0.7, "Share of images in the split train, unless the data has splits.")
    limit: int | None = declare_option(None, "Use only the first N images.", none="all")
    colors: bool = declare_option(True, "Label every pixel with the name of its color.")
    preview: int = declare_option(12, "Labeled images shown in preview.html; 0 writes no page.")
    name: str | None = declare_option(
        None, "Name of the images' folder below images/.", none="the images' folder", rare=True
    )
    rename: Path | None = declare_option(
        None, "Table of new names and categories: a .csv with the columns name, as, category; classes with as empty are dropped.",
        none="none", rare=True,
    )  # fmt: skip
    color_table: Path | None = declare_option(
        None,
        "Published table of color names as a file.",
        none="a built-in model",
        aliases=("--colour-table",),
        rare=True,
    )
    min_frequency: int = declare_option(1, "Leave out classes on fewer images than this.", rare=True)
    min_coverage: float = declare_option(
        0.0, "Leave out classes whose pixel shares, summed over all images, are below this.", rare=True
    )
    skip_missing: bool = declare_option(False, "Leave out images whose image or mask file is missing.", rare=True)
