"""Reports for a headless Chromium to open from disk."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.io import atomic
from netdissect.protocols import NullProgress
from netdissect.report import figures
from netdissect.results.controls import UNTRAINED, ControlLayer, ControlRun

if TYPE_CHECKING:
    from pathlib import Path

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 780}
#: Resolves two frames after the last change of the height of the page and the last data file; after 120 frames at most.
RESTS = """() => new Promise((done) => {
  let [frames, still, height] = [0, 0, -1];
  const look = () => {
    const now = document.documentElement.scrollHeight;
    still = now === height && !document.head.querySelector("script[data-key]") ? still + 1 : 0;
    height = now;
    if (still >= 2 || ++frames > 120) done();
    else requestAnimationFrame(look);
  };
  look();
})"""
#: True once every share of a mask on the concept has its text; false while there is none.
SHARES = """() => {
  const all = [...document.querySelectorAll('.share-on')];
  return all.length && all.every((span) => span.textContent);
}"""

#: The color of the page.
PAPER = "() => getComputedStyle(document.body).backgroundColor"
#: The addresses of the pages of the first layers, by report, as far as visits know them.
FIRST_LAYERS: dict[Path, str] = {}


def write_report(result, folder, source, **options):
    """Write a report with a small square in place of every figure.

    Drawing them takes three quarters of a report's time; tests/unit/report/figures and test_real.py have the real ones.
    """
    square = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>'
    with pytest.MonkeyPatch.context() as patch:
        for name in ("draw_bar_graph", "draw_layer_graph"):
            patch.setattr(figures, name, lambda _, path, __: atomic.write_text(path, square))
        return report.write_report(result, folder, source, NullProgress(), **options)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A report: its result and its folder."""
    folder = tmp_path_factory.mktemp("drawn")
    result, probe_set = made_up_runs.make_run((24, 90, 40), 40, pictures=50, grouped=True)
    write_report(result, folder, probe_set, single_file=True, classic=True)
    return result, folder


@pytest.fixture(scope="session")
def trusted(tmp_path_factory):
    """A report of a run with trust tables and two controls: its result and its folder."""
    folder = tmp_path_factory.mktemp("trusted")
    result, probe_set = made_up_runs.make_run((24, 90), 40, pictures=50, trusted=True, grouped=True)
    layers = {
        name: replace(layer, trust=made_up_runs.make_trust(layer, reference=True, seed=number))
        for number, (name, layer) in enumerate(result.layers.items())
    }
    controls = tuple(
        ControlRun(
            f"seed-{seed}", UNTRAINED, "a" * 32, 0.04,
            {name: ControlLayer(10 + seed, layer.layer.units, 8, 1.6, 0.4, 1.8) for name, layer in layers.items()},
        )
        for seed in (1, 2)
    )  # fmt: skip
    result = replace(result, layers=layers, controls=controls)
    write_report(result, folder, probe_set, single_file=True, classic=True)
    return result, folder


@pytest.fixture(scope="session")
def axe():
    module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    return module.Axe()


def find_violations(axe, page, *, both_themes=False):
    """Return the accessibility rules that a page violates, and where; with `both_themes`, its colors in the other theme too."""
    found = run_axe(axe, page, {})
    if both_themes:
        now = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
        other = {"dark": "light", "light": "dark"}[now]
        paper = page.evaluate(PAPER)
        page.emulate_media(color_scheme=other)
        page.evaluate(RESTS)
        assert page.evaluate(PAPER) != paper, f"the page has no {other} theme"
        found += [(other, *one) for one in run_axe(axe, page, {"runOnly": ["color-contrast"]})]
        page.emulate_media(color_scheme=now)
    return found


def run_axe(axe, page, options):
    """Run axe's rules, or those of the options; only violations are described, because describing all else takes longer than
    the rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.axe_script)
    options = {"preload": False, "resultTypes": ["violations"], **options}
    found = page.evaluate("(options) => axe.run(options)", options)["violations"]
    return [(entry["id"], [node["target"] for node in entry["nodes"]][:3]) for entry in found]


class Visit:
    """A visit to a page, which fails at its end if the page logged an error or requested anything from outside."""

    def __init__(self, context):
        self.page = context.new_page()
        self.wrong = []
        self.page.on(
            "console", lambda message: message.type in ("error", "warning") and self.wrong.append(message.text)
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:", "blob:")) or self.wrong.append(request.url),
        )
        # An image that is still loading when the page is left is no failure.
        self.page.on(
            "requestfailed",
            lambda request: "ABORTED" in (request.failure or "") or self.wrong.append(f"failed: {request.url}"),
        )

    def open(self, path: Path, address: str = "") -> None:
        """Open a report at an address; at the page of its first layer by default."""
        if self.page.url != "about:blank":
            self.page.goto("about:blank")
        known = address or FIRST_LAYERS.get(path, "")
        self.page.goto(path.resolve().as_uri() + known)
        self.page.wait_for_function("() => document.documentElement.classList.contains('running')")
        if address or not self.page.evaluate("() => Boolean(netdissect.pages && netdissect.run.layers.length)"):
            return
        if not known:
            FIRST_LAYERS[path] = self.page.evaluate("netdissect.makeAddress({ view: 'layer' })")
            self.page.evaluate("(address) => location.replace(address)", FIRST_LAYERS[path])
        self.page.wait_for_selector("#overview:not([hidden])")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def number(self, selector: str) -> int:
        return int(self.text(selector).replace(",", ""))

    def settle(self) -> None:
        """Wait until all changes are drawn, no data file is being loaded, and the height of the page rests."""
        self.page.evaluate(RESTS)

    def point(self, locator, x: float, y: float, shows: str) -> None:
        """Point at an element, x and y pixels from its corner, until something is shown.

        What is loaded late may have moved the element after its place was measured, so its place is measured again.
        """
        for nudge in range(40):
            locator.scroll_into_view_if_needed()
            box = locator.bounding_box()
            self.page.mouse.move(box["x"] + x + nudge % 2, box["y"] + y)
            self.settle()
            if self.page.locator(shows).is_visible():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{shows} is not shown")

    def wait_for_shares(self) -> None:
        """Wait until every share of a mask on the concept has its text."""
        self.page.wait_for_function(SHARES)


@pytest.fixture
def visiting(browser):
    """Start visits, with options of a browser context."""
    with contextlib.ExitStack() as visits:
        started = []

        def start(**options) -> Visit:
            context = browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **options})
            visits.callback(context.close)
            visit = Visit(context)
            started.append(visit)
            return visit

        yield start
        for visit in started:
            assert not visit.wrong, visit.wrong


@pytest.fixture
def visit(visiting, drawn):
    """A visit to the report on a desktop."""
    started = visiting()
    started.open(drawn[1] / "html" / "index.html")
    return started
