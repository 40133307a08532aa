"""Draw the images of the demo that the README shows, from a finished run.

    python -m benchmarks demo_images -- RUN [OUT]        OUT: docs/images by default

demo-scenes.png shows scenes of the bundled probe set, and one with its label maps. demo-units.png shows exemplars of units
of the last layer: of the units whose exemplars show their concept, the best of each concept, half of them objects.
"""

from __future__ import annotations

import argparse
import colorsys
import io
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import netdissect as nd
from benchmarks.screenshots import OUT, compress_png
from netdissect.concepts import CATEGORY_ORDER, display_name
from netdissect.demo.world import SUBJECTS, render_image
from netdissect.demo.world.scenes import SCENES
from netdissect.demo.world.world_concepts import NUMBERS
from netdissect.report import strips
from netdissect.report.category_colors import TEXT_COLORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.units import UnitRow

TILE, GAP = 112, 4
COLUMNS = 8
#: The scene whose label maps are shown.
LABELED = "farm"
UNITS, EXEMPLARS = 16, 6
#: Height of an exemplar and of the text above a strip, in pixels.
_SMALL, _LINE = 76, 36
_INK, _QUIET, _PAPER = (32, 33, 36), (95, 99, 104), (255, 255, 255)
_COLORS = {"black": "222222", "blue": "4b86f7", "brown": "8a5a35", "grey": "9a9a9a", "green": "5a9a48", "orange": "f08a2c",
           "pink": "f5a3bd", "purple": "7f4fa0", "red": "d0382f", "white": "fafafa", "yellow": "f4cf3a"}  # fmt: skip


def main(rest: Sequence[str] | None = None) -> None:
    """Draw both images of one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    options = parser.parse_args(rest)
    for name, image in (("demo-scenes", draw_scenes()), ("demo-units", draw_units(nd.load(options.run)))):
        path = options.out / f"{name}.png"
        path.write_bytes(compress_png(image))
        print(path, path.stat().st_size)


def draw_scenes() -> Image.Image:
    """Return an image of scenes and textures and, below them, one scene with its label maps."""
    names, turn = list(SCENES), len(SUBJECTS)
    shown = [place + turn * (place % 4) for place in range(len(names)) if place % 3 != 2]  # not all from one round
    shown += range(2 * len(names), turn, 2)
    shown = shown[: len(shown) // COLUMNS * COLUMNS]
    rows = len(shown) // COLUMNS
    width = COLUMNS * (TILE + GAP) - GAP
    wide = (width - 4 * GAP) // 5
    sheet = Image.new("RGB", (width, rows * (TILE + GAP) + 8 + wide + 24), _PAPER)
    for place, index in enumerate(shown):
        corner = (place % COLUMNS * (TILE + GAP), place // COLUMNS * (TILE + GAP))
        sheet.paste(Image.fromarray(render_image(index, size=TILE, seed=0).image), corner)
    image, labels = render_image(names.index(LABELED), size=2 * wide, seed=0)
    top = rows * (TILE + GAP) + 8
    pen = ImageDraw.Draw(sheet)
    for place, kind in enumerate(("scene", "object", "part", "material", "color")):
        left = place * (wide + GAP)
        plane = labels[kind]
        drawn = image[::2, ::2] if isinstance(plane, int) else color_label_map(plane, kind)
        sheet.paste(Image.fromarray(drawn), (left, top))
        word = f"scene: {LABELED}" if kind == "scene" else f"{kind} labels"
        pen.text((left + 2, top + wide + 6), word, fill=TEXT_COLORS[kind], font=_font(13))
    return sheet


def color_label_map(plane: NDArray[np.uint16], kind: str) -> NDArray[np.uint8]:
    """Return a label map as RGB: color names in their color, every other label in its own."""
    table = np.full((int(plane.max()) + 1, 3), 236, np.uint8)
    for number in np.unique(plane[plane > 0]):
        if kind == "color":
            code = _COLORS[list(_COLORS)[number - min(NUMBERS["color"].values())]]
            table[number] = tuple(bytes.fromhex(code))
        else:
            hue = number * 0.618034 % 1
            table[number] = [round(255 * value) for value in colorsys.hls_to_rgb(hue, 0.45 + 0.2 * (number % 2), 0.55)]
    return table[plane]


def draw_units(run: nd.Result) -> Image.Image:
    """Return an image of the exemplars of units of the last layer, with their labels."""
    layer = list(run.layers.values())[-1]
    shown = [
        row for row in layer.units if row.label and row.score >= run.settings.threshold and is_visible(run, layer, row)
    ]
    chosen = choose_units(shown)
    half = -(-len(chosen) // 2)
    strip = EXEMPLARS * (_SMALL + strips.GAP)
    column = strip + 24
    sheet = Image.new("RGB", (2 * column - 24, half * (_SMALL + _LINE)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, row in enumerate(chosen):
        left, top = place // half * column, place % half * (_SMALL + _LINE)
        pen.text((left, top + 3), display_name(row.label), fill=_INK, font=_font(14, bold=True))
        after = left + pen.textlength(display_name(row.label), font=_font(14, bold=True)) + 8
        pen.text((after, top + 4), row.category, fill=TEXT_COLORS[row.category], font=_font(13))
        caption = f"{layer.layer.name} unit {row.unit}, IoU {row.score:.2f}"
        at = left + strip - strips.GAP - pen.textlength(caption, font=_font(12))
        pen.text((at, top + 5), caption, fill=_QUIET, font=_font(12))
        seen = strips.encode_strip(
            layer, row.channel, run.network.input_size, lambda image: run.read_image_file(image) or b"", height=_SMALL,
            most=EXEMPLARS,
        )  # fmt: skip
        sheet.paste(Image.open(io.BytesIO(seen)), (left, top + 24))
    return sheet


def is_visible(run: nd.Result, layer: LayerResult, row: UnitRow) -> bool:
    """Return whether all but one of a unit's exemplars show its concept."""
    probe_set = run.open_probe_set()
    assert probe_set is not None, "the probe set no longer exists"
    code = run.probe_set.vocabulary.names.index(row.label) + 1
    found = [probe_set.read_labels(int(image)) for image in layer.exemplars.images[row.channel][:EXEMPLARS]]
    return sum(bool((labels.planes == code).any() or code in labels.whole) for labels in found) >= EXEMPLARS - 1


def choose_units(rows: Sequence[UnitRow]) -> list[UnitRow]:
    """Choose the best unit of each concept, half of them objects, the rest from the other categories in turn."""
    best: dict[str, list[UnitRow]] = {kind: [] for kind in CATEGORY_ORDER}
    known = set()
    for row in sorted(rows, key=lambda row: -row.score):
        if row.label not in known:
            known.add(row.label)
            best[row.category].append(row)
    first, *others = best.values()  # objects, and the rest
    objects = first[: max(UNITS // 2, UNITS - sum(map(len, others)))]
    in_turn = [row for rank in zip_longest(*others) for row in rank if row is not None]
    chosen = objects + in_turn[: UNITS - len(objects)]
    return sorted(chosen, key=lambda row: (CATEGORY_ORDER.index(row.category), -row.score))


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return matplotlib's sans-serif font."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


if __name__ == "__main__":
    main()
