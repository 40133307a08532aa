"""``netdissect data from-…``: make probe sets of your own images, one command per format of labels."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from netdissect.cli.console import print_line
from netdissect.cli.help_screen import HelpScreen
from netdissect.cli.option_groups import EXECUTION, OPTIONS, SEVERAL, SWITCH, as_parameters, describe_default
from netdissect.cli.typed_words import PATHS
from netdissect.probe_sets.set_options import SetOptions
from netdissect.progress import show_progress

if TYPE_CHECKING:
    from cyclopts import App

_CPUS = os.cpu_count() or 1
_SET = Group("Probe set", sort_key=3, help_formatter=HelpScreen())
_SET_RARE = Group("Probe set: rare options", sort_key=4, help_formatter=HelpScreen(rare=True))
_COMMANDS = Group("Probe sets of your own images", sort_key=2)
_COCO_USAGE = "Usage: netdissect data from-coco ANNOTATIONS [PHOTOS] --out PATH [OPTIONS]"
_Quiet = Annotated[bool, Parameter(group=EXECUTION), SWITCH]
_First = Annotated[int | None, describe_default("1; 0 if the first name means no label")]
_NumberColumn = Annotated[str | None, describe_default("found by its name")]
_Workers = Annotated[int, Parameter(group=EXECUTION, show_default=lambda _: "one per CPU core")]


if TYPE_CHECKING:
    ProbeSetOptions = SetOptions
else:
    ProbeSetOptions = as_parameters(SetOptions, _SET, _SET_RARE)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """The options of every importer.

    Args:
        workers: Processes that work in parallel.
        quiet: Show no progress.
    """

    probe_set: ProbeSetOptions = field(default_factory=ProbeSetOptions)
    workers: _Workers = _CPUS
    quiet: _Quiet = False


def _run_import(importer: str, shared: SharedOptions, *arguments: Any, **options: Any) -> None:
    """Call a function of `netdissect.probe_sets.importers` and print what it made."""
    from netdissect.cli.data import print_build_result
    from netdissect.probe_sets import importers

    options |= vars(shared.probe_set) | {"workers": shared.workers, "say": print_line}
    with show_progress(not shared.quiet) as bars:
        result = getattr(importers, importer)(*arguments, **options, progress=bars)
    if shared.probe_set.preview:
        print_line(f"{result.folder / 'preview.html'} shows a few labeled images")
    print_build_result(result)


def from_masks(
    photos: Path,
    masks: Path,
    /,
    *,
    classes: Path,
    out: Path,
    mask_suffix: str = "",
    photo_suffix: str = "",
    first: _First = None,
    number_column: _NumberColumn = None,
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of a folder of images and a folder of masks with the same names.

    Args:
        photos: Folder of images.
        masks: Folder of masks: class numbers (gray or palette), or colors.
        classes: Class list: .txt (a name per line, or number: name), .csv (name, number, category, r, g, b), .json, or
            as an annotation tool writes it (docs/broden.md).
        out: Folder of the probe set.
        mask_suffix: End of a mask's name that its image's name lacks, such as _mask.
        photo_suffix: End of an image's name that its mask's name lacks, such as _leftImg8bit.
        first: Number of the first class of a list without numbers.
        number_column: Column of the class list that holds the masks' numbers.
        shared: options of every importer.
    """
    _run_import(
        "from_masks", shared, photos, masks, classes, out, mask_suffix=mask_suffix, photo_suffix=photo_suffix, first=first,
        number_column=number_column,
    )  # fmt: skip


def from_coco(
    annotations: Path,
    photos: Annotated[Path | None, describe_default("the folder of the JSON")] = None,
    /,
    *,
    out: Path,
    masks: Annotated[Path | None, describe_default("the folder with the name of the JSON")] = None,
    boxes: Annotated[bool, SWITCH] = False,
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of COCO's JSON: instances, or panoptic.

    Args:
        annotations: The JSON; or a folder as Roboflow exports it, with _annotations.coco.json next to each split's images.
        photos: Folder of images.
        out: Folder of the probe set.
        masks: Folder of panoptic label maps.
        boxes: Use the box of an annotation without an outline as its mask.
        shared: options of every importer.
    """
    _run_import("from_coco", shared, annotations, photos, out, masks=masks, boxes=boxes)


def from_annotations(
    where: Path,
    /,
    *,
    out: Path,
    tool: Annotated[str | None, describe_default("recognized from the files")] = None,
    photos: Annotated[Path | None, describe_default("next to the annotations")] = None,
    boxes: Annotated[bool, SWITCH] = False,
    leave_out: Annotated[list[str] | None, SEVERAL, describe_default("none")] = None,
    attribute: Annotated[str | None, describe_default("the only one")] = None,
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of an annotation tool's files: labelme, CVAT, Label Studio, Supervisely, Hasty, VGG VIA, YOLO.

    Args:
        where: Folder or file that the tool exported.
        out: Folder of the probe set.
        tool: The tool: cvat, hasty, labelme, label-studio, supervisely, via or yolo.
        photos: Folder of the images.
        boxes: Use detection boxes, which have no outline, as masks.
        leave_out: Leave out shapes that cover no pixels: points, lines, boxes, skeletons, cuboids.
        attribute: Attribute that holds the class, if shapes have several attributes (VIA).
        shared: options of every importer.
    """
    _run_import(
        "from_annotations", shared, where, out, tool=tool, photos=photos, boxes=boxes, leave_out=leave_out or (),
        attribute=attribute,
    )  # fmt: skip


def from_voc(
    folder: Path,
    /,
    *,
    out: Path,
    classes: Annotated[Path | None, describe_default("labelmap.txt of the folder, else VOC's 20 classes")] = None,
    first: _First = None,
    number_column: _NumberColumn = None,
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of a folder laid out as PASCAL VOC: JPEGImages, SegmentationClass.

    Args:
        folder: The folder.
        out: Folder of the probe set.
        classes: Class list.
        first: Number of the first class of a list without numbers.
        number_column: Column of the class list that holds the masks' numbers.
        shared: options of every importer.
    """
    _run_import("from_voc", shared, folder, out, classes=classes, first=first, number_column=number_column)


def from_ade(folder: Path, /, *, out: Path, shared: SharedOptions = SharedOptions()) -> None:
    """Make a probe set of ADE20K: the full release, or the 150 classes of its challenge.

    Args:
        folder: Folder of the release.
        out: Folder of the probe set.
        shared: options of every importer.
    """
    _run_import("from_ade", shared, folder, out)


def from_hf(
    dataset: Annotated[str, PATHS],
    /,
    *,
    out: Path,
    image: Annotated[str | None, describe_default("the column of images")] = None,
    mask: Annotated[str | None, describe_default("the column of masks")] = None,
    label: Annotated[str | None, describe_default("none")] = None,
    classes: Annotated[Path | None, describe_default("the data set's")] = None,
    part: Annotated[str | None, describe_default("all")] = None,
    first: _First = None,
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of a Hugging Face data set with a column of masks, or of classes; or of a prepared probe set.

    Args:
        dataset: Name of the data set on the hub, the folder it was saved to, or a prepared file.
        out: Folder of the probe set.
        image: Column of the images.
        mask: Column of the masks.
        label: Column of classes of whole images, instead of masks.
        classes: Class list.
        part: Use only this part, such as validation.
        first: Number of the first class of a list without numbers.
        shared: options of every importer.
    """
    _run_import(
        "from_hf", shared, dataset, out, image=image, mask=mask, label=label, classes=classes, part=part, first=first
    )


def from_labels(folder: Path, /, *, out: Path, shared: SharedOptions = SharedOptions()) -> None:
    """Make a probe set of class folders: one label for each whole image, such as a scene or a texture.

    Args:
        folder: Folder that holds a folder per class.
        out: Folder of the probe set.
        shared: options of every importer.
    """
    _run_import("from_labels", shared, folder, out)


def from_segmenter(
    model: Annotated[str, PATHS],
    photos: Path,
    /,
    *,
    out: Path,
    classes: Annotated[Path | None, describe_default("the network's")] = None,
    threshold: float = 0.0,
    device: str = "auto",
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of unlabeled images, labeled by a segmentation network.

    Args:
        model: hf:NAME, torchvision:NAME or python:module:function.
        photos: Folder of images.
        out: Folder of the probe set.
        classes: Class list.
        threshold: Probability below which a pixel gets no label.
        device: Device of the network: auto, cpu, cuda or cuda:N.
        shared: options of every importer.
    """
    from netdissect.networks.labelers.segmenters import load_segmenter
    from netdissect.probe_sets.importers.class_list import read_class_names

    names = None if classes is None else read_class_names(classes)
    network = load_segmenter(model, classes=names, threshold=threshold, device=device)
    _run_import("from_segmenter", shared, network, photos, out)


def from_words(
    photos: Path,
    /,
    *,
    concepts: str,
    out: Path,
    model: Annotated[str, PATHS] = "hf:CIDAS/clipseg-rd64-refined",
    threshold: float = 0.5,
    device: str = "auto",
    shared: SharedOptions = SharedOptions(),
) -> None:
    """Make a probe set of unlabeled images, with words of your own as concepts.

    Args:
        photos: Folder of images.
        concepts: The words, separated by commas.
        out: Folder of the probe set.
        model: A CLIPSeg model of transformers.
        threshold: Smallest probability at which a pixel is labeled with a word.
        device: Device of the network: auto, cpu, cuda or cuda:N.
        shared: options of every importer.
    """
    from netdissect.networks.labelers.open_vocabulary import load_open_vocabulary, parse_concepts

    network = load_open_vocabulary(parse_concepts(concepts), model=model, threshold=threshold, device=device)
    _run_import("from_words", shared, network, photos, out)


def add_import_commands(data: App) -> None:
    """Add the importers to ``netdissect data``."""
    for command in (
        from_masks, from_coco, from_annotations, from_voc, from_ade, from_hf, from_labels, from_segmenter, from_words,
    ):  # fmt: skip
        usage = _COCO_USAGE if command is from_coco else None
        data.command(command, group=_COMMANDS, group_parameters=OPTIONS, usage=usage)
    # Without these, the error for from-labelme would suggest from-labels, which is another importer.
    for tool in ("labelme", "cvat", "label-studio", "supervisely", "hasty", "via", "yolo"):
        data.command(functools.partial(from_annotations, tool=tool), name=f"from-{tool}", show=False)
