"""What the HTML report costs: its weight, its first second, a step of the slider, a frame of scrolling.

    python -m benchmarks.report                    2,048 units x 1,200 concepts, made up
    python -m benchmarks.report made-up RUN …      beside it finished runs, their reports as they lie there
    python -m benchmarks.report --rounds 5
    python -m benchmarks.report RUN --pictures docs/images    only take the README's pictures of a run's report

Headless Chromium opens ``html/index.html`` from disk. Every figure is a median over the rounds, frames over all frames.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shutil
import statistics
import tempfile
from pathlib import Path

from netdissect import report
from netdissect.protocols import Silent

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
WINDOW = {"width": 1400, "height": 1000}

#: Resolves when the pictures of the visible cards are there and their masks are painted.
_PAINTED = """() => new Promise((done) => {
  const look = () => {
    const strips = [...document.querySelectorAll("#cards .strip")].filter((strip) => {
      const box = strip.getBoundingClientRect();
      return box.bottom > 0 && box.top < innerHeight;
    });
    const there = strips.length && strips.every((strip) => strip.querySelector("canvas.masks[width]:not([width='300'])")
      && [...strip.querySelectorAll("img")].every((image) => image.complete));
    if (there) done(performance.now()); else requestAnimationFrame(look);
  };
  look();
})"""
#: Time of every step of the slider until styles and places are computed again.
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
  const slider = document.getElementById("cut-graph");
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


def measure(index: Path, chromium: str, rounds: int) -> dict[str, list[float]]:
    """Open a report from disk some times and return every measurement."""
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
                ("search key", {"query": "ca"}),
            ):
                keep(f"{name}, ms", []).append(page.evaluate(_TIMED, does))
                page.evaluate(_TIMED, {"sort": "score", "show": "all", "query": ""})
            page.wait_for_timeout(300)
            keep("idle frame, ms", []).extend(page.evaluate(_FRAMES, "nothing"))
            keep("scroll frame, ms", []).extend(page.evaluate(_FRAMES, "scroll"))
            browser.close()
    return found


#: The README's pictures: window, theme, what is looked at.
_PICTURES = {
    "overview": ((1400, 1000), "light", {}, "0"),
    "units": ((1400, 900), "light", {}, "document.getElementById('units').offsetTop - 60"),
    "unit": ((1400, 1000), "light", {"view": "unit", "rank": 0}, "0"),
    "unit-dark": ((1400, 1000), "dark", {"view": "unit", "rank": 1}, "0"),
    "concept": ((1400, 1000), "light", {"view": "concept", "rank": 0}, "0"),
    "phone": ((390, 844), "light", {}, "document.getElementById('units').offsetTop"),
}
_LARGEST = 250_000


def picture(index: Path, chromium: str, folder: Path) -> None:
    """Take the README's pictures of a report, each as WebP of at most 250 kB; its last layer is shown."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for name, ((width, height), theme, does, top) in _PICTURES.items():
            phone = width < 500
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, is_mobile=phone, has_touch=phone,
                device_scale_factor=2 if phone else 1,
            )  # fmt: skip
            page = context.new_page()
            page.goto(index.resolve().as_uri())
            page.wait_for_function("() => performance.getEntriesByName('netdissect-ready').length")
            page.evaluate(
                """(does) => {
                  const layer = netdissect.run.layers.length - 1;
                  netdissect.go({ layer });
                  const unit = netdissect.run.layers[layer].ranked[does.rank || 0];
                  if (does.view) netdissect.go({ view: does.view, unit, concept: netdissect.run.layers[layer].label[unit] });
                }""",
                does,
            )
            page.wait_for_timeout(700)
            page.evaluate(f"window.scrollTo(0, {top})")
            page.wait_for_timeout(1500)
            shot = Image.open(io.BytesIO(page.screenshot()))
            for quality in (90, 80, 70, 60, 45, 30):
                out = io.BytesIO()
                shot.save(out, format="WEBP", quality=quality, method=6)
                if out.tell() <= _LARGEST:
                    break
            (folder / f"report-{name}.webp").write_bytes(out.getvalue())
            print(folder / f"report-{name}.webp", out.tell())
            context.close()
        browser.close()


def weigh(html: Path) -> dict[str, int]:
    """Return the bytes of a report by what they are."""

    def size(*patterns: str) -> int:
        return sum(path.stat().st_size for pattern in patterns for path in html.glob(pattern) if path.is_file())

    return {
        "page (HTML, CSS, scripts)": size("index.html", "app/*.js", "app/*.css"),
        "fonts": size("app/fonts/*"),
        "numbers": size("data/run.js", "data/names.js", "data/layer-?.js", "data/layer-??.js", "data/*-counts.js"),
        "grids": size("data/*-masks-*.js"),
        "label maps": size("data/labels/*.js"),
        "pictures": size("image/probe/*"),
        "classic strips, figures and pages": size("image/*.*", "*.html") - size("index.html"),
    }


def made_up(folder: Path) -> Path:
    """Draw the report of a made-up run of 2,048 units and 1,200 concepts."""
    from tests import pretend

    result, probe_set = pretend.run(
        (2048,), 1200, pictures=2000, exemplars=20, input_size=224, name="pretend 2,048 x 1,200"
    )
    report.write(result, folder, probe_set, Silent())
    return folder


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("runs", nargs="*", type=Path)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--json", type=Path, help="also write every measurement here")
    words.add_argument("--pictures", type=Path, help="only take the README's pictures of the run, into this folder")
    given = words.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium")
    if given.pictures:
        if len(given.runs) != 1:
            raise SystemExit("--pictures takes the pictures of one run: name it")
        picture(given.runs[0] / "html" / "index.html", chromium, given.pictures)
        return
    with tempfile.TemporaryDirectory() as made:
        runs = [made_up(Path(made)) if str(run) == "made-up" else run for run in given.runs or [Path("made-up")]]
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, no GPU; headless Chromium, {WINDOW['width']} x {WINDOW['height']}; medians (95th percentile)\n"
        )
        columns = []
        for run in runs:
            weights = {f"{name}, MB": f"{size / 1e6:.2f}" for name, size in weigh(run / "html").items()}
            found = measure(run / "html" / "index.html", chromium, given.rounds)
            times = {
                name: f"{statistics.median(values):.1f} ({_percentile(values, 0.95):.1f})"
                for name, values in found.items()
            }
            columns.append(("made up" if run == Path(made) else run.name, {**weights, **times}))
            if given.json:
                given.json.write_text(json.dumps(found))
    print("| | " + " | ".join(name for name, _ in columns) + " |")
    print("|-|" + "-|" * len(columns))
    for row in columns[0][1]:
        print(f"| {row} | " + " | ".join(values[row] for _, values in columns) + " |")


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()
