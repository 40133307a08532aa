"""Accessibility by axe-core, small screens, the classic page and the page of two runs."""

import pytest
from tests import made_up_runs
from tests.browser.conftest import DESKTOP, PHONE, find_violations

pytestmark = pytest.mark.browser

VIEWS = {
    "overview": "#/layer/block2%2Fconv",
    "below the threshold": "#/layer/block2%2Fconv?show=below&cut=0.1&q=c",
    "unit": "#/unit/block2%2Fconv/4",
    "unit below the threshold": "#/unit/block2%2Fconv/4?cut=0.9&mask=heat",
    "unit beside a pinned one": "#/unit/block2%2Fconv/4?pin=7%2Fblock2%2Fconv",
    "concept": "#/concept/3/sheep",
}


@pytest.mark.parametrize(("screen", "theme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_axe_finds_nothing(visiting, drawn, axe, theme, screen):
    visit = visiting(viewport=screen, color_scheme=theme, reduced_motion="reduce")
    for name, address in VIEWS.items():
        visit.open(drawn[1] / "html/index.html", address)
        if (name != "overview" and "below" not in name) or name.startswith("unit"):
            visit.page.wait_for_selector(".profile tbody tr, .plot canvas")
        visit.page.wait_for_timeout(100)
        assert find_violations(axe, visit.page) == [], name
    visit.open(drawn[1] / "html/index.html")
    visit.page.keyboard.press("?")
    assert find_violations(axe, visit.page) == [], "keys"


def test_axe_finds_nothing_on_the_classic_page(visiting, drawn, axe):
    for theme in ("light", "dark"):
        visit = visiting(color_scheme=theme)
        visit.page.goto((drawn[1] / "html/block2-conv.html").as_uri())
        assert find_violations(axe, visit.page) == []
        visit.page.wait_for_function("() => document.querySelector('.unit img').naturalWidth > 0")
        visit.page.get_by_role("link", name="interactive report").click()
        visit.page.wait_for_function("() => document.documentElement.classList.contains('running')")
        assert visit.page.evaluate("netdissect.state.layer") == 1


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_scrolls_sideways_on_a_phone(visiting, drawn, view):
    visit = visiting(viewport=PHONE, is_mobile=True, has_touch=True)
    visit.open(drawn[1] / "html/index.html", VIEWS[view])
    visit.page.wait_for_timeout(300)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_on_a_phone_the_threshold_stays_visible_while_the_cards_scroll(visiting, drawn):
    visit = visiting(viewport=PHONE, is_mobile=True, has_touch=True)
    visit.open(drawn[1] / "html/index.html", VIEWS["overview"])
    visit.page.evaluate("document.getElementById('units').scrollIntoView()")
    visit.settle()
    box = visit.page.locator("#threshold-bar").bounding_box()
    assert box["y"] + box["height"] <= PHONE["height"]
    assert box["height"] >= 24
    before = visit.text("#threshold-found")
    visit.page.locator("#threshold-bar").fill("0.12")
    visit.settle()
    assert visit.text("#threshold-found") != before
    assert visit.page.evaluate("netdissect.state.cut") == pytest.approx(0.12)


def test_a_swipe_turns_to_the_next_unit(visiting, drawn):
    visit = visiting(viewport=PHONE, is_mobile=True, has_touch=True)
    visit.open(drawn[1] / "html/index.html", VIEWS["overview"])
    visit.page.locator("#cards a").first.tap()
    visit.page.wait_for_selector("#page h1")
    first = visit.page.evaluate("netdissect.state.unit")
    swipe = """([from, to]) => {
      const page = document.getElementById("page");
      const touch = (x) => new Touch({ identifier: 1, target: page, clientX: x, clientY: 300 });
      page.dispatchEvent(new TouchEvent("touchstart", { touches: [touch(from)], changedTouches: [touch(from)], bubbles: true }));
      page.dispatchEvent(new TouchEvent("touchend", { touches: [], changedTouches: [touch(to)], bubbles: true }));
    }"""
    visit.page.evaluate(swipe, [300, 100])
    visit.settle()
    second = visit.page.evaluate("netdissect.state.unit")
    assert second != first
    visit.page.evaluate(swipe, [100, 300])
    visit.settle()
    assert visit.page.evaluate("netdissect.state.unit") == first


def test_a_step_of_the_slider_stays_within_a_frame_at_2048_units(visiting, tmp_path, monkeypatch):
    """A generous bound for busy machines; the benchmark holds 16 ms on a quiet one."""
    from netdissect.report import ReportCache
    from netdissect.report.html import page
    from netdissect.report.html.page_data import PageData
    from netdissect.stats import unit_map

    monkeypatch.setattr(unit_map, "MOST_POINTS", 400)  # 400 units are laid out, and the others placed beside them
    result, probe_set = made_up_runs.make_run((2048,), 1200, pictures=40, exemplars=5)
    cache = ReportCache(result, tmp_path)
    index = page.write_pages(
        PageData(result, cache.cache_images(probe_set), cache.cache_labels(probe_set)), tmp_path / "html"
    )
    visit = visiting()
    visit.open(index)
    times = visit.page.evaluate("""() => {
      const times = [];
      for (let i = 0; i < 60; i++) {
        const began = performance.now();
        netdissect.change({ cut: 0.02 + i / 1000 });
        netdissect.flush();
        document.body.getBoundingClientRect();
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b);
    }""")
    assert times[30] < 50
    assert visit.page.locator("#cards li").count() < 60
