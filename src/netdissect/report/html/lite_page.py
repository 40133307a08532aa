"""Write the report as one file that is small enough to send: fewer exemplars, smaller images and coarser label maps."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, features

from netdissect.concepts import Labels
from netdissect.io import images
from netdissect.report import label_maps
from netdissect.report.cache import read_cached_file
from netdissect.report.html import exemplar_data, page_data, script_data, single_page
from netdissect.results.exemplar_groups import GROUP_SIZES
from netdissect.results.run_layers import Layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netdissect.report.html.page_data import PageData
    from netdissect.results.exemplar_groups import ExemplarGroup
    from netdissect.results.layer_result import LayerResult

    Block = tuple[str, str, str]

#: Bytes of the file, where its numbers leave room for the fewest exemplars and images of the least size.
BUDGET = 6_000_000
#: Exemplars of a unit by group, and of a run without groups; other groups are left out. The most that the budget allows.
_COUNTS = (
    {"strongest": 6, "typical": 4, "on_concept": 2, "alone": 12},
    {"strongest": 4, "typical": 3, "on_concept": 1, "alone": 8},
    {"strongest": 3, "typical": 2, "on_concept": 1, "alone": 5},
)
#: Longer side of an image in pixels: the largest that the budget allows is taken.
_SIDES = (192, 160, 128, 96)
#: Images whose size is measured to choose the side, and the part of the budget that is not planned for.
_MEASURED, _SPARE = 48, 0.02
_QUALITY = 60
#: Label maps with a longer side than this keep every second pixel.
_FINE = 80


def write_lite_file(data: PageData, folder: Path, path: Path) -> Path:
    """Write the report as one smaller file, which says what it leaves out.

    Args:
        data: what the report shows.
        folder: the report's folder, which has the panels' figures.
        path: the file.

    Returns:
        the file.
    """
    small, blocks, side = _choose(data, folder)
    small = replace(small, left_out=_describe(data, small, side))
    single_page.write_parts(
        single_page.render_single_page(small, [*blocks, *_list_images(data.images, list(small.images), side)]), path
    )
    return path


def _choose(data: PageData, folder: Path) -> tuple[PageData, list[Block], int]:
    """Return what the smaller report shows, its blocks without the images, and the longer side of its images."""
    shell = len("".join(single_page.render_single_page(data, ())))
    for counts in _COUNTS:
        small = _reduce(data, counts)
        blocks = [*_list_numbers(small), *_list_labels(small), *single_page.embed_figures(small, folder)]
        room = BUDGET * (1 - _SPARE) - sum(len(text) for _, _, text in blocks) - shell
        rows = list(small.images)
        some = rows[:: max(1, len(rows) // _MEASURED)]
        for side in _SIDES:
            sizes = [len(text) for _, _, text in _list_images(data.images, some, side)]
            if sum(sizes) * len(rows) <= room * max(1, len(some)):
                return small, blocks, side
    return small, blocks, _SIDES[-1]


def _reduce(data: PageData, counts: Mapping[str, int]) -> PageData:
    """Return what the smaller report shows, with some exemplars of each unit."""
    layers = {name: _reduce_layer(layer, counts) for name, layer in data.result.layers.items()}
    rows = {int(row) for layer in layers.values() for row in layer.exemplar_rows}
    # Browsers tell formats by their first bytes, so the names need not say WebP.
    names = {row: Path(f"{row:06d}.jpg") for row in sorted(rows)}
    labels = replace(data.labels, files={row: file for row, file in data.labels.files.items() if row in rows})
    return replace(data, result=replace(data.result, layers=Layers(layers)), images=names, labels=labels, classic=False)


def _reduce_layer(layer: LayerResult, counts: Mapping[str, int]) -> LayerResult:
    """Return a layer with the first exemplars of some groups."""
    groups, strongest = layer.groups, layer.exemplars
    most = counts["alone" if groups is None else "strongest"]
    first = replace(
        strongest, images=strongest.images[:, :most], maxima=strongest.maxima[:, :most], grids=strongest.grids[:, :most]
    )
    if groups is not None:
        kept: dict[str, Any] = {name: _cut_group(getattr(groups, name), counts.get(name, 0)) for name in GROUP_SIZES}
        groups = replace(groups, pixels=groups.pixels[:, :most], labeled=groups.labeled[:, :most], **kept)
    return replace(layer, exemplars=first, groups=groups)


def _cut_group(group: ExemplarGroup, most: int) -> ExemplarGroup:
    return replace(
        group, images=group.images[:, :most], maxima=group.maxima[:, :most], grids=group.grids[:, :most], pixels=group.pixels[:, :most],
        labeled=group.labeled[:, :most],
    )  # fmt: skip


def _list_numbers(data: PageData) -> Iterator[Block]:
    for key, text in page_data.pack_page_data(data):
        yield f"data/{key}", "application/json", text


def _list_labels(data: PageData) -> Iterator[Block]:
    concepts = len(data.result.probe_set.vocabulary)
    for row, path in data.labels.files.items():
        found = label_maps.decode_label_script(read_cached_file(path).decode("ascii"), concepts)
        if max(found.shape) > _FINE:
            found = Labels(np.ascontiguousarray(found.planes[:, ::2, ::2]), found.whole)
        text = label_maps.encode_label_script(row, found)
        yield f"data/labels/{row:06d}", "application/json", script_data.read_script_arguments(text)


def _list_images(files: Mapping[int, Path], rows: Sequence[int], side: int) -> Iterator[Block]:
    for row in rows:
        data = base64.b64encode(shrink_file(read_cached_file(files[row]), side)).decode()
        yield f"image/probe/{row:06d}.jpg", "text/plain", data


def shrink_file(data: bytes, side: int) -> bytes:
    """Return an image file with a longer side of at most `side` pixels, as WebP where Pillow writes it, else as JPEG."""
    out = io.BytesIO()
    with images.open_image(data, "of the report") as opened:
        image = Image.fromarray(images.convert_to_rgb(opened, "of the report"))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if features.check("webp"):
        image.save(out, format="WEBP", quality=_QUALITY, method=4)
    else:
        image.save(out, format="JPEG", quality=_QUALITY)
    return out.getvalue()


def _describe(data: PageData, small: PageData, side: int) -> str:
    """Return what the file leaves out, as a sentence."""
    full = max((exemplar_data.count_slots(layer) for layer in data.result.layers.values()), default=0)
    kept = max((exemplar_data.count_slots(layer) for layer in small.result.layers.values()), default=0)
    return (
        f"This is the small edition of the report, to be sent: it has {kept} of {full} exemplars of a unit, images of at most {side} "
        f"pixels and coarser label maps; all numbers are those of the run. netdissect report RUN --single-file writes all of it."
    )
