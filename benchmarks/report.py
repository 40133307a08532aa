"""Measure the HTML report: its size, loading, a step of the slider, a frame of scrolling.

    python -m benchmarks.report                    2,048 units x 1,200 concepts, made up
    python -m benchmarks.report made-up RUN …      also the reports of finished runs
    python -m benchmarks.report --rounds 5

Headless Chromium opens ``html/index.html`` from disk. Figures are medians over the rounds, of frames over all frames.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect import report
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
WINDOW = {"width": 1400, "height": 1000}

#: Resolves when the images of the visible cards are loaded and their masks are painted.
_PAINTED = """() => new Promise((done) => {
  const look = () => {
    const strips = [...document.querySelectorAll("#cards .strip")].filter((strip) => {
      const box = strip.getBoundingClientRect();
      return box.bottom > 0 && box.top < innerHeight;
    });
    const complete = strips.length && strips.every((strip) => strip.querySelector("canvas.masks[width]:not([width='300'])")
      && [...strip.querySelectorAll("img")].every((image) => image.complete));
    if (complete) done(performance.now()); else requestAnimationFrame(look);
  };
  look();
})"""
#: Time of every step of the slider until styles and layout are computed again.
_STEPS = """(through) => {
  const times = [];
  for (let i = 0; i < 120; i++) {
    const cut = 0.02 + 0.001 * (i < 60 ? i : 120 - i);
    const began = performance.now();
    netdissect.change({ cut: Number(cut.toFixed(3)) });
    netdissect.flush();
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  return times;
}"""
_RECOUNT = """() => {
  const began = performance.now();
  for (let i = 0; i < 100; i++) for (const layer of netdissect.run.layers) netdissect.recount(layer, 0.02 + i * 0.001);
  return (performance.now() - began) / 100;
}"""
#: Time between frames while something is done before each.
_FRAMES = """(what) => new Promise((done) => {
  const times = [];
  let last = null;
  let frame = 0;
  const slider = document.getElementById("threshold-graph");
  const tick = (now) => {
    if (last !== null) times.push(now - last);
    last = now;
    if (frame++ === 150) return done(times);
    if (what === "scroll") scrollBy(0, 40);
    if (what === "slide") { slider.value = 0.02 + 0.001 * (frame % 60); slider.dispatchEvent(new Event("input")); }
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})"""
_TIMED = """(does) => {
  const began = performance.now();
  netdissect.change(does);
  netdissect.flush();
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""


def measure_report(index: Path, chromium: str, rounds: int) -> dict[str, list[float]]:
    """Open a report from disk several times; return every measurement."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {}
    layers = 0
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            page = browser.new_page(viewport=WINDOW)
            page.goto(index.resolve().as_uri())
            page.wait_for_function("() => performance.getEntriesByName('netdissect-ready').length")
            keep = found.setdefault
            layers = page.evaluate("netdissect.run.layers.length")
            keep("content in place, ms", []).append(
                page.evaluate("performance.getEntriesByName('netdissect-ready')[0].startTime")
            )
            page.evaluate(f"netdissect.change({{layer: {layers - 1}}})")
            page.evaluate("document.getElementById('units').scrollIntoView()")
            keep("visible strips drawn, ms", []).append(page.evaluate(_PAINTED))
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(300)
            keep("recount of all layers, ms", []).append(page.evaluate(_RECOUNT))
            keep("slider step, overview in sight, ms", []).extend(page.evaluate(_STEPS))
            keep("slider frame, ms", []).extend(page.evaluate(_FRAMES, "slide"))
            page.evaluate("document.getElementById('units').scrollIntoView()")
            page.wait_for_timeout(300)
            keep("slider step, cards in sight, ms", []).extend(page.evaluate(_STEPS))
            for name, does in (
                ("sort", {"sort": "label"}),
                ("category filter", {"show": "object"}),
                ("beyond chance only", {"beyond": True}),
                ("search key", {"query": "ca"}),
            ):
                keep(f"{name}, ms", []).append(page.evaluate(_TIMED, does))
                page.evaluate(_TIMED, {"sort": "score", "show": "all", "query": "", "beyond": False})
            page.wait_for_timeout(300)
            keep("idle frame, ms", []).extend(page.evaluate(_FRAMES, "nothing"))
            keep("scroll frame, ms", []).extend(page.evaluate(_FRAMES, "scroll"))
            browser.close()
    return found


def find_chromium() -> str:
    """Return the installed Chromium."""
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium")
    return found


def measure_sizes(html: Path) -> dict[str, int]:
    """Return the bytes of a report by what they are."""

    def size(*patterns: str) -> int:
        return sum(path.stat().st_size for pattern in patterns for path in html.glob(pattern) if path.is_file())

    return {
        "page (HTML, CSS, scripts)": size("index.html", "app/*.js", "app/*.css"),
        "fonts": size("app/fonts/*"),
        "numbers": size(
            "data/run.js", "data/names.js", "data/layer-?.js", "data/layer-??.js", "data/*-counts.js", "data/*-trust.js"
        ),
        "grids": size("data/*-masks-*.js"),
        "label maps": size("data/labels/*.js"),
        "images": size("image/probe/*"),
        "classic strips, figures and pages": size("image/*.*", "*.html") - size("index.html"),
    }


def draw_made_up_report(folder: Path) -> Path:
    """Write the report of a made-up run of 2,048 units and 1,200 concepts, with trust tables."""
    from tests import made_up_runs

    result, probe_set = made_up_runs.make_run(
        (2048,), 1200, pictures=2000, exemplars=20, input_size=224, name="made-up 2,048 x 1,200", trusted=True
    )
    report.write_report(result, folder, probe_set, NullProgress())
    return folder


def main(rest: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write every measurement here")
    arguments = parser.parse_args(rest)
    chromium = find_chromium()
    with tempfile.TemporaryDirectory() as temporary:
        runs = [
            draw_made_up_report(Path(temporary)) if str(run) == "made-up" else run
            for run in arguments.runs or [Path("made-up")]
        ]
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, no GPU; headless Chromium, {WINDOW['width']} x {WINDOW['height']}; medians (95th percentile)\n"
        )
        columns = []
        for run in runs:
            weights = {f"{name}, MB": f"{size / 1e6:.2f}" for name, size in measure_sizes(run / "html").items()}
            found = measure_report(run / "html" / "index.html", chromium, arguments.rounds)
            times = {
                name: f"{statistics.median(values):.1f} ({_find_percentile(values, 0.95):.1f})"
                for name, values in found.items()
            }
            columns.append(("made up" if run == Path(temporary) else run.name, {**weights, **times}))
            if arguments.json:
                arguments.json.write_text(json.dumps(found))
    print("| | " + " | ".join(name for name, _ in columns) + " |")
    print("|-|" + "-|" * len(columns))
    for row in columns[0][1]:
        print(f"| {row} | " + " | ".join(values[row] for _, values in columns) + " |")


def _find_percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()
