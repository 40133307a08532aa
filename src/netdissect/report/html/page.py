"""The HTML report: pages that open from disk, with no network and nothing from outside."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from netdissect import atomic
from netdissect.concepts import display_name
from netdissect.report.figures import category_color

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run import RunResult


def write(result: RunResult, folder: Path) -> Path:
    """Write ``index.html`` and one page per layer; return the first."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("netdissect.report.html", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["display"] = display_name
    environment.globals["category_color"] = category_color
    threshold = result.settings.threshold
    for name in ("style.css", "sort.js"):
        atomic.write_bytes(
            folder / name, resources.files("netdissect.report.html").joinpath("static", name).read_bytes()
        )
    common = {
        "run": result,
        "threshold": threshold,
        "by_label": result.detectors(threshold, "label"),
        "by_category": result.detectors(threshold, "category"),
    }
    for layer in result.layers.values():
        html = environment.get_template("layer.html").render(layer=layer, **common)
        atomic.write_text(folder / f"{layer.layer.file_stem}.html", html)
    index = folder / "index.html"
    atomic.write_text(index, environment.get_template("index.html").render(**common))
    return index
