"""``netdissect data from-…``: probe sets of your own images, one command for each kind of label."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from netdissect.cli.console import ProgressBars, print_line

if TYPE_CHECKING:
    from cyclopts import App

    from netdissect.probe_sets.compile.make import BuildResult

_Flag = Parameter(negative="")
_CPUS = os.cpu_count() or 1
_SET = Group("The set", sort_key=1)
_WORK = Group("How the work is done", sort_key=2)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SharedImportOptions:
    """Options that every own set has.

    Attributes:
        size: side of the images in pixels; label maps have half of it.
        name: folder below images/; the images' folder if not given.
        category: category of classes that name none: object, scene, part, material, texture, or any word.
        rename: a .csv with the columns name, as, category: other names, other categories; an empty as drops a class.
        train: share of the images in the split train, where the data does not say.
        limit: only the first so many images.
        colors: whether every image gets a plane of color names.
        color_table: the published table of color names as a file; a built-in model if not given.
        min_frequency: classes that touch fewer images are left out.
        min_coverage: classes that cover less, in added-up shares of images, are left out.
        skip_missing: leave out images whose image or mask is missing.
        preview: labeled images shown in preview.html; 0 writes none.
        workers: processes that work.
        quiet: show no progress.
    """

    size: Annotated[int, Parameter(group=_SET)] = 224
    name: Annotated[str | None, Parameter(group=_SET)] = None
    category: Annotated[str | None, Parameter(group=_SET)] = None
    rename: Annotated[Path | None, Parameter(group=_SET)] = None
    train: Annotated[float, Parameter(group=_SET)] = 0.7
    limit: Annotated[int | None, Parameter(group=_SET)] = None
    colors: Annotated[bool, Parameter(group=_SET)] = True
    color_table: Annotated[Path | None, Parameter(["--color-table", "--colour-table"], group=_SET)] = None
    min_frequency: Annotated[int, Parameter(group=_SET)] = 1
    min_coverage: Annotated[float, Parameter(group=_SET)] = 0.0
    skip_missing: Annotated[bool, Parameter(negative="", group=_SET)] = False
    preview: Annotated[int, Parameter(group=_SET)] = 12
    workers: Annotated[int, Parameter(group=_WORK)] = _CPUS
    quiet: Annotated[bool, Parameter(negative="", group=_WORK)] = False

    def making(self) -> dict[str, Any]:
        """Return the options as the Python calls take them."""
        options = {
            name: getattr(self, name)
            for name in (
                "size", "name", "rename", "train", "limit", "colors", "color_table", "min_frequency", "min_coverage",
                "skip_missing", "preview", "workers",
            )
        }  # fmt: skip
        return options | ({} if self.category is None else {"category": self.category}) | {"say": print_line}


def _run_import(common: SharedImportOptions | None, make: Callable[[dict[str, Any]], BuildResult]) -> None:
    given = common or SharedImportOptions()
    with ProgressBars(quiet=given.quiet) as bars:
        made = make({**given.making(), "progress": bars})
    from netdissect.cli.data import print_build_result

    if given.preview:
        print_line(f"{made.folder / 'preview.html'} shows a few labeled images")
    print_build_result(made)


def from_masks(
    photos: Path,
    masks: Path,
    /,
    *,
    classes: Path,
    out: Path,
    mask_suffix: str = "",
    photo_suffix: str = "",
    first: int | None = None,
    number_column: str | None = None,
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of a folder of images and a folder of masks of the same names.

    Args:
        photos: folder of images.
        masks: folder of masks: class numbers (grey or palette), or colors.
        classes: class list: .txt (a name a line, or number: name), .csv (name, number, category, r, g, b), .json, or as
            a tool writes it (docs/broden.md).
        out: the set's folder.
        mask_suffix: what a mask's name has after the image's, such as _mask.
        photo_suffix: what an image's name has and its mask's has not, such as _leftImg8bit.
        first: number of the first class of a list without numbers.
        number_column: column of the class list that holds the masks' numbers.
        common: options of every own set.
    """
    from netdissect.probe_sets import importers

    def make(options: dict[str, Any]) -> BuildResult:
        return importers.from_masks(
            photos, masks, classes, out, mask_suffix=mask_suffix, photo_suffix=photo_suffix, first=first,
            number_column=number_column, **options,
        )  # fmt: skip

    _run_import(common, make)


def from_coco(
    annotations: Path,
    photos: Path | None = None,
    /,
    *,
    out: Path,
    masks: Path | None = None,
    boxes: Annotated[bool, _Flag] = False,
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of COCO's JSON: instances, or panoptic.

    Args:
        annotations: the JSON; or a folder as Roboflow exports it, _annotations.coco.json beside every split's images.
        photos: folder of images; the JSON's own if not given.
        out: the set's folder.
        masks: folder of panoptic label maps; the one named as the JSON if not given.
        boxes: take the box of an annotation without an outline as its mask.
        common: options of every own set.
    """
    from netdissect.probe_sets import importers

    _run_import(
        common, lambda options: importers.from_coco(annotations, photos, out, masks=masks, boxes=boxes, **options)
    )


def from_annotations(
    where: Path,
    /,
    *,
    out: Path,
    tool: str | None = None,
    photos: Path | None = None,
    boxes: Annotated[bool, _Flag] = False,
    leave_out: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    attribute: str | None = None,
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of what an annotation tool wrote: labelme, CVAT, Label Studio, Supervisely, Hasty, VGG VIA, YOLO.

    Args:
        where: the folder or file that the tool exported; whose it is, is told by what is in it.
        out: the set's folder.
        tool: the tool's name, where that is not told: cvat, hasty, labelme, label-studio, supervisely, via or yolo.
        photos: folder of the images, where they do not lie beside the annotations.
        boxes: take detection boxes, which say nothing of an outline, as masks.
        leave_out: leave out shapes that cover no pixels: points, lines, boxes, skeletons, cuboids.
        attribute: which of a shape's attributes is its class, where it has several (VIA).
        common: options of every own set.
    """
    from netdissect.probe_sets import importers

    def make(options: dict[str, Any]) -> BuildResult:
        return importers.from_annotations(
            where, out, tool=tool, photos=photos, boxes=boxes, leave_out=leave_out or (), attribute=attribute, **options
        )

    _run_import(common, make)


def from_voc(
    folder: Path,
    /,
    *,
    out: Path,
    classes: Path | None = None,
    first: int | None = None,
    number_column: str | None = None,
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of a folder laid out as PASCAL VOC: JPEGImages, SegmentationClass.

    Args:
        folder: the folder.
        out: the set's folder.
        classes: class list; labelmap.txt of the folder, or VOC's 20 classes, if not given.
        first: number of the first class of a list without numbers.
        number_column: column of the class list that holds the masks' numbers.
        common: options of every own set.
    """
    from netdissect.probe_sets import importers

    _run_import(
        common,
        lambda options: importers.from_voc(
            folder, out, classes=classes, first=first, number_column=number_column, **options
        ),
    )


def from_ade(folder: Path, /, *, out: Path, common: SharedImportOptions | None = None) -> None:
    """Make a probe set of ADE20K: the full release, or the 150 classes of its challenge.

    Args:
        folder: the release's folder.
        out: the set's folder.
        common: options of every own set.
    """
    from netdissect.probe_sets import importers

    _run_import(common, lambda options: importers.from_ade(folder, out, **options))


def from_hf(
    dataset: str,
    /,
    *,
    out: Path,
    image: str | None = None,
    mask: str | None = None,
    label: str | None = None,
    classes: Path | None = None,
    part: str | None = None,
    first: int | None = None,
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of a Hugging Face data set with a column of masks, or of classes.

    Args:
        dataset: a folder it was saved to, or its name on the hub.
        out: the set's folder.
        image: column of the images; found if not given.
        mask: column of the masks; found if not given.
        label: column of classes instead of masks.
        classes: class list; the one the data set carries if not given.
        part: only this part, such as validation.
        first: number of the first class of a plain list.
        common: options of every own set.
    """
    from netdissect.probe_sets import importers

    def make(options: dict[str, Any]) -> BuildResult:
        return importers.from_hf(
            dataset, out, image=image, mask=mask, label=label, classes=classes, part=part, first=first, **options
        )

    _run_import(common, make)


def from_labels(folder: Path, /, *, out: Path, common: SharedImportOptions | None = None) -> None:
    """Make a probe set of class folders: a label for every whole image, as scenes or textures.

    Args:
        folder: holds a folder per class.
        out: the set's folder.
        common: options of every own set; the category is scene if not given.
    """
    from netdissect.probe_sets import importers

    _run_import(common, lambda options: importers.from_labels(folder, out, **options))


def from_segmenter(
    model: str,
    photos: Path,
    /,
    *,
    out: Path,
    classes: Path | None = None,
    threshold: float = 0.0,
    device: str = "auto",
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of unlabelled images, labeled by a segmentation network.

    Args:
        model: hf:NAME, torchvision:NAME or python:module:function.
        photos: folder of images.
        out: the set's folder.
        classes: class list, where the network carries none.
        threshold: probability below which a pixel carries no label.
        device: where the network runs: auto, cpu, cuda or cuda:N.
        common: options of every own set.
    """
    from netdissect.networks.labelers import segmenters
    from netdissect.probe_sets import importers
    from netdissect.probe_sets.importers.class_list import read_class_names

    names = None if classes is None else read_class_names(classes)
    network = segmenters.load_segmenter(model, classes=names, threshold=threshold, device=device)
    _run_import(common, lambda options: importers.from_segmenter(network, photos, out, **options))


def from_words(
    photos: Path,
    /,
    *,
    concepts: str,
    out: Path,
    model: str = "hf:CIDAS/clipseg-rd64-refined",
    threshold: float = 0.5,
    device: str = "auto",
    common: SharedImportOptions | None = None,
) -> None:
    """Make a probe set of unlabelled images with your own words as concepts.

    Args:
        photos: folder of images.
        concepts: the words, with commas between them.
        out: the set's folder.
        model: a CLIPSeg model of transformers.
        threshold: probability from which a pixel carries a word.
        device: where the network runs: auto, cpu, cuda or cuda:N.
        common: options of every own set.
    """
    from netdissect.networks.labelers import open_vocabulary
    from netdissect.probe_sets import importers

    network = open_vocabulary.load_open_vocabulary(
        open_vocabulary.parse_concepts(concepts), model=model, threshold=threshold, device=device
    )
    _run_import(common, lambda options: importers.from_words(network, photos, out, **options))


def add_import_commands(data: App, group: Group) -> None:
    """Add the commands to ``netdissect data``."""
    for command in (
        from_masks, from_coco, from_annotations, from_voc, from_ade, from_hf, from_labels, from_segmenter, from_words,
    ):  # fmt: skip
        data.command(command, group=group)
    # What a person types who thinks of the tool; the nearest other name would be from-labels, which is something else.
    for tool in ("labelme", "cvat", "label-studio", "supervisely", "hasty", "via", "yolo"):
        data.command(functools.partial(from_annotations, tool=tool), name=f"from-{tool}", show=False)
