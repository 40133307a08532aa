"""Take the screenshots of a run's report for the README and the docs.

    python -m benchmarks screenshots -- RUN [OUT] [--units N M] [--look LOOK]        OUT: docs/images by default

Only take them of a run whose images may be published, such as one over the bundled synthetic probe set. They show the last
layer, its two strongest units (or two others, by their numbers in the report), the concept of the first, and, of a run with
ablations, what class outputs lose without units. With --look, they show the page of a look (`netdissect look`) instead, with
the point on the strongest unit of its first image. With --every OUT, they show every page whole: 1,440 and 390 pixels wide,
dark, and printed (as PDF, and its pages as PNG where pdftoppm is installed); for looking at, not for the docs.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.report import FLAGS, find_chromium

if TYPE_CHECKING:
    from collections.abc import Sequence

OUT = Path("docs/images")
#: Bytes from which an image is written with a palette of 256 colors.
_LARGE = 400_000
#: Height of a page in pixels, at most, in the screenshots of every page.
_TALLEST = 9000
_CARDS = "document.getElementById('units').offsetTop - document.getElementById('toolbar').offsetHeight"


@dataclass(frozen=True)
class Screenshot:
    """One screenshot: size of the window, theme, page, scroll position, and what must be on the page for it to be taken."""

    name: str
    size: tuple[int, int]
    view: str = "layer"
    theme: str = "light"
    top: str = "0"
    rank: int = 0
    phone: bool = False
    shows: str = "main"


SCREENSHOTS = (
    Screenshot("network", (1280, 1300), "network"),
    Screenshot("atlas", (1280, 900), "atlas"),
    Screenshot("overview", (1280, 900)),
    Screenshot("units", (1280, 800), top=_CARDS),
    Screenshot(
        "use", (1280, 900), top="document.getElementById('ablation').offsetTop", shows="#ablation:not([hidden])"
    ),
    Screenshot("unit", (1280, 1000), "unit"),
    Screenshot("unit-dark", (1280, 1000), "unit", "dark", rank=1),
    Screenshot("concept", (1280, 900), "concept"),
    Screenshot("phone", (390, 844), top="document.getElementById('units').offsetTop - 118", phone=True),
)

_GO = """({ view, rank, units }) => {
  const layer = netdissect.run.layers.length - 1;
  const unit = units.length ? units[rank] - 1 : netdissect.run.layers[layer].ranked[rank];
  netdissect.go({ view, layer, unit, image: 0, concept: netdissect.run.layers[layer].label[unit] });
}"""
_OPEN = "({ view }) => netdissect.go(netdissect.parseAddress(`#/${view}`))"
#: The visible images are loaded and their masks are painted.
_DRAWN = """() => {
  const inSight = (element) => {
    const box = element.getBoundingClientRect();
    return element.getClientRects().length && box.bottom > 0 && box.top < innerHeight;
  };
  return [...document.images].filter(inSight).every((image) => image.complete)
    && [...document.querySelectorAll(".strip")].filter(inSight).every((strip) => strip.querySelector("canvas.masks[style]"));
}"""


def take_screenshots(
    index: Path, out: Path, shots: Sequence[Screenshot] = SCREENSHOTS, *, units: Sequence[int] = ()
) -> list[Path]:
    """Take screenshots of a report, of the given units if any; return the files, ``report-NAME.png``."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    files = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for shot in shots:
            context = browser.new_context(
                viewport={"width": shot.size[0], "height": shot.size[1]}, color_scheme=shot.theme, is_mobile=shot.phone,
                has_touch=shot.phone,
            )  # fmt: skip
            page = context.new_page()
            page.goto(index.resolve().as_uri())
            page.wait_for_function("() => performance.getEntriesByName('netdissect-ready').length")
            page.evaluate(_GO, {"view": shot.view, "rank": shot.rank, "units": list(units)})
            page.wait_for_timeout(500)
            if not page.locator(shot.shows).count():
                context.close()
                continue
            page.evaluate(f"window.scrollTo(0, {shot.top})")
            page.wait_for_function(_DRAWN)
            page.wait_for_timeout(700)
            files.append(out / f"report-{shot.name}.png")
            files[-1].write_bytes(compress_png(Image.open(io.BytesIO(page.screenshot())).convert("RGB")))
            context.close()
        browser.close()
    return files


def take_every_page(index: Path, out: Path) -> list[Path]:
    """Take screenshots of every page of a report, whole; return the files, ``PAGE-1440.png`` and so on."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    files = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for name, width, theme in (("1440", 1440, "light"), ("390", 390, "light"), ("dark", 1440, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=theme)
            page.goto(index.resolve().as_uri())
            page.wait_for_function("() => performance.getEntriesByName('netdissect-ready').length")
            for view in page.evaluate("[...netdissect.pages.keys()]"):
                page.evaluate(
                    _GO if view in ("layer", "unit", "concept", "image") else _OPEN,
                    {"view": view, "rank": 0, "units": []},
                )
                page.wait_for_timeout(2500)
                files.append(out / f"{view}-{name}.png")
                height = min(_TALLEST, page.evaluate("document.documentElement.scrollHeight"))
                page.set_viewport_size({"width": width, "height": height})  # all of it is in sight, and drawn
                page.wait_for_timeout(1500)
                page.screenshot(path=files[-1])
                page.set_viewport_size({"width": width, "height": 1000})
                if name == "1440":
                    files.append(out / f"{view}-print.pdf")
                    page.pdf(path=files[-1], format="A4", print_background=True)
            page.close()
        browser.close()
    if program := shutil.which("pdftoppm"):
        for path in [path for path in files if path.suffix == ".pdf"]:
            subprocess.run([program, "-r", "60", "-png", str(path), str(path.with_suffix(""))], check=True)
    return files


def take_look_screenshots(look: Path, out: Path) -> list[Path]:
    """Take screenshots of the page in a look's folder; return the files, ``look.png`` and ``look-dark.png``."""
    from playwright.sync_api import sync_playwright

    layers = json.loads((look / "look.json").read_text())["images"][0]["layers"]
    strongest = list(layers.values())[-1]["units"][0]
    files = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for name, theme in (("look", "light"), ("look-dark", "dark")):
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=theme)
            page.goto((look / "index.html").resolve().as_uri())
            page.wait_for_function("() => document.documentElement.classList.contains('running')")
            box = page.locator("#frame").bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + strongest["x"] * box["width"], box["y"] + strongest["y"] * box["height"])
            if theme == "dark":
                page.locator("#point-list button").first.click()
            page.wait_for_timeout(500)
            files.append(out / f"{name}.png")
            files[-1].write_bytes(compress_png(Image.open(io.BytesIO(page.screenshot())).convert("RGB")))
        browser.close()
    return files


def compress_png(image: Image.Image) -> bytes:
    """Return an image as an optimized PNG file, with a palette where it would be large."""
    for palette in (False, True):
        out = io.BytesIO()
        shown = (
            image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE) if palette else image
        )
        shown.save(out, format="PNG", optimize=True)
        if out.tell() <= _LARGE:
            break
    return out.getvalue()


def main(rest: Sequence[str] | None = None) -> None:
    """Take all screenshots of one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    parser.add_argument("--units", type=int, nargs=2, default=())
    parser.add_argument("--look", type=Path)
    parser.add_argument("--every", type=Path, metavar="OUT")
    arguments = parser.parse_args(rest)
    if arguments.every is not None:
        files = take_every_page(arguments.run / "html" / "index.html", arguments.every)
    elif arguments.look is not None:
        files = take_look_screenshots(arguments.look, arguments.out)
    else:
        files = take_screenshots(arguments.run / "html" / "index.html", arguments.out, units=arguments.units)
    for path in files:
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
