"""Write a look into a folder: the page, label maps, masks and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.io.text import ESCAPE_UNENCODABLE
from netdissect.protocols import NullProgress
from netdissect.report.look_folder import replace_look
from netdissect.report.look_numbers import LookNumbers
from netdissect.report.look_page import render_look_page
from netdissect.report.look_tables import (
    encode_maps,
    format_json,
    format_numbers_csv,
    format_units_csv,
    list_map_files,
    name_image_folder,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.protocols import Progress
    from netdissect.report.image_look import ImageLook
    from netdissect.results.run_result import Result

_PAGE, _UNITS, _NUMBERS, _RECORD = "index.html", "units.csv", "numbers.csv", "look.json"


def write_look(
    run: Result,
    images: Sequence[ImageLook],
    folder: Path,
    threshold: float,
    note: str = "",
    *,
    masks: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write the units that fire in images into a folder.

    Args:
        run: the run, with the layers that were looked at.
        images: the images.
        folder: a new folder, or one of an earlier look, whose files are replaced.
        threshold: score from which a unit counts as labeled.
        note: what a reader should know about where activations are from.
        masks: whether the mask of every unit and the sum of masks of every concept are files of their own.
        progress: advanced by one for each image.

    Returns:
        the page, ``index.html``.

    Raises:
        FolderTakenError: if the folder holds anything but a look.
        RunBusyError: if another process writes there.
    """
    progress = progress or NullProgress()
    numbers = {name: LookNumbers(layer, threshold) for name, layer in run.layers.items()}
    folders = [name_image_folder(number, image) for number, image in enumerate(images, 1)]
    maps = [
        [list_map_files(place, look, numbers[name], masks=masks) for name, look in image.layers.items()]
        for place, image in zip(folders, images, strict=True)
    ]
    names = [_PAGE, _UNITS, _NUMBERS, _RECORD, *(name for files in maps for of_layer in files for name in of_layer)]
    progress.start("write", len(images))
    with replace_look(folder, names) as write:
        for image, files in zip(images, maps, strict=True):
            for look, of_layer in zip(image.layers.values(), files, strict=True):
                for name, data in zip(of_layer, encode_maps(look, numbers[look.name], masks=masks), strict=True):
                    write(name, data)
            progress.advance(1)
        texts = {
            _UNITS: format_units_csv(images),
            _NUMBERS: format_numbers_csv(numbers),
            _RECORD: format_json(run, images, numbers, threshold, note),
            _PAGE: render_look_page(run, images, numbers, threshold, note),
        }
        for name, text in texts.items():
            write(name, text.encode(errors=ESCAPE_UNENCODABLE))
    return folder / _PAGE
