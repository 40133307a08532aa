"""Measure the HTML report: its size, loading, a step of the slider, a frame of scrolling, the opening of each page.

    python -m benchmarks.report                    2,048 units x 1,200 concepts, made up
    python -m benchmarks.report made-up RUN …      also the reports of finished runs
    python -m benchmarks.report --rounds 5 --throttle 4    on a processor that is slowed down four times

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
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

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
#: Time until a page has been drawn, without what it loads.
_TIMED_PAGE = """(view) => {
  const began = performance.now();
  netdissect.go(netdissect.parseAddress(view === "image" ? netdissect.makeAddress({ view, image: 0 }) : `#/${view}`));
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""
_TIMED = """(does) => {
  const began = performance.now();
  netdissect.change(does);
  netdissect.flush();
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""


#: Time until the results of what is typed into the search box are laid out, after every key.
_TYPED = """async (text) => {
  await netdissect.prepareSearch();
  const box = document.getElementById("find");
  const times = [];
  for (let length = 1; length <= text.length; length++) {
    box.value = text.slice(0, length);
    const began = performance.now();
    box.dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  box.value = "";
  box.dispatchEvent(new Event("input"));
  return times;
}"""
#: Time until the page of a unit has its numbers.
_OPEN = """(unit) => new Promise((done) => {
  const began = performance.now();
  netdissect.go({ view: "unit", layer: netdissect.run.layers.length - 1, unit });
  const look = () => {
    if (document.querySelector("#page .profile tbody tr")) done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  look();
})"""
#: Collects the durations of tasks of more than 50 ms.
_WATCH_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.longTasks.push(entry.duration); })
  .observe({ type: "longtask", buffered: true });
"""
#: Pages whose opening is timed, besides those of a layer and a unit.
_NOT_TIMED = ("network", "layer", "unit")


def measure_report(index: Path, chromium: str, rounds: int, throttle: float = 1) -> dict[str, list[float]]:
    """Open a report from disk several times, on a processor that is slowed down `throttle` times; return every measurement."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            page = browser.new_page(viewport=WINDOW)
            page.add_init_script(_WATCH_TASKS)
            if throttle > 1:
                session = page.context.new_cdp_session(page)
                session.send("Emulation.setCPUThrottlingRate", {"rate": throttle})
            _measure_visit(page, index, found)
            browser.close()
    return found


def _measure_visit(page: Any, index: Path, found: dict[str, list[float]]) -> None:
    """Visit a report once, and add every measurement."""

    def keep(name: str, value: Any) -> None:
        found.setdefault(name, []).extend(value if isinstance(value, list) else [value])

    loaded: set[str] = set()
    page.on("request", lambda request: loaded.add(request.url))
    page.goto(index.resolve().as_uri())
    page.wait_for_function("() => performance.getEntriesByName('netdissect-ready').length")
    ready = "performance.getEntriesByName('netdissect-ready')[0].startTime"
    keep("first page in place, ms", page.evaluate(ready))
    page.wait_for_timeout(300)
    keep("loaded for the first page, MB", _weigh(loaded))
    layer = f"#/layer/{page.evaluate('encodeURIComponent(netdissect.run.layers.at(-1).name)')}"
    page.goto("about:blank")
    page.goto(index.resolve().as_uri() + layer)
    page.wait_for_function("() => performance.getEntriesByName('netdissect-ready').length")
    keep("layer page in place, ms", page.evaluate(ready))
    page.evaluate("document.getElementById('units').scrollIntoView()")
    keep("visible cards drawn, ms", page.evaluate(_PAINTED))
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(300)
    keep("recount of all layers, ms", page.evaluate(_RECOUNT))
    keep("slider step, graph in sight, ms", page.evaluate(_STEPS))
    keep("slider frame, ms", page.evaluate(_FRAMES, "slide"))
    page.evaluate("document.getElementById('units').scrollIntoView()")
    page.wait_for_timeout(300)
    keep("slider step, cards in sight, ms", page.evaluate(_STEPS))
    for name, does in (
        ("sort", {"sort": "label"}),
        ("category filter", {"show": "object"}),
        ("beyond chance only", {"beyond": True}),
        ("first filter key", {"query": "c"}),  # builds the index
        ("filter key", {"query": "ca"}),
        ("filter key", {"query": "cat"}),
        ("filter key", {"query": "do"}),
    ):
        keep(f"{name}, ms", page.evaluate(_TIMED, does))
        page.evaluate(_TIMED, {"sort": "score", "show": "all", "query": "", "beyond": False})
    for text in ("cats", "concept 12", "unit 433", "qqqqqq"):
        keep("search key, ms", page.evaluate(_TYPED, text))
    page.wait_for_timeout(300)
    keep("idle frame, ms", page.evaluate(_FRAMES, "nothing"))
    keep("scroll frame, ms", page.evaluate(_FRAMES, "scroll"))
    for unit in (3, 4, 5):  # the first loads the layer's counts
        keep("unit opens, ms" if unit > 3 else "first unit opens, ms", page.evaluate(_OPEN, unit))
        page.wait_for_timeout(300)
    for view in page.evaluate("[...netdissect.pages.keys()]"):
        if view not in _NOT_TIMED:
            keep(f"page {view}, script, ms", page.evaluate(_TIMED_PAGE, view))
            page.wait_for_timeout(300)
    keep("longest task, ms", page.evaluate("Math.max(0, ...window.longTasks)"))
    keep("loaded for such a visit, MB", _weigh(loaded))
    page.goto("about:blank")
    page.goto(index.resolve().as_uri() + layer)
    page.locator("#cards a.card").first.hover()  # as a person does before pressing it
    page.wait_for_timeout(600)
    keep("first unit opens after it was pointed at, ms", page.evaluate(_OPEN, 3))


def _weigh(urls: set[str]) -> float:
    """Return the megabytes of files by their URLs."""
    paths = {Path(unquote(urlparse(url).path)) for url in urls if url.startswith("file:")}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


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
        (2048,),
        1200,
        pictures=2000,
        exemplars=20,
        input_size=224,
        name="made-up 2,048 x 1,200",
        trusted=True,
        grouped=True,
    )
    report.write_report(result, folder, probe_set, NullProgress())
    return folder


def main(rest: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--throttle", type=float, default=1, help="how many times slower the processor is made")
    parser.add_argument("--json", type=Path, help="also write every measurement here")
    arguments = parser.parse_args(rest)
    chromium = find_chromium()
    with tempfile.TemporaryDirectory() as temporary:
        runs = [
            draw_made_up_report(Path(temporary)) if str(run) == "made-up" else run
            for run in arguments.runs or [Path("made-up")]
        ]
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, no GPU; headless Chromium, {WINDOW['width']} x {WINDOW['height']}, processor slowed down {arguments.throttle:g} times; medians (95th percentile)\n"
        )
        columns = []
        for run in runs:
            weights = {f"{name}, MB": f"{size / 1e6:.2f}" for name, size in measure_sizes(run / "html").items()}
            weights["folder html/, MB"] = (
                f"{sum(path.stat().st_size for path in (run / 'html').rglob('*') if path.is_file()) / 1e6:.1f}"
            )
            found = measure_report(run / "html" / "index.html", chromium, arguments.rounds, arguments.throttle)
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
        print(f"| {row} | " + " | ".join(values.get(row, "–") for _, values in columns) + " |")


def _find_percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()
