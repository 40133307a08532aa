"""What is true of every page of the report: accessible, in the window, named, reached by keyboard."""

import pytest
from tests.browser.conftest import DESKTOP, PHONE, find_violations

pytestmark = pytest.mark.browser

LOOKS = {"desktop": {"viewport": DESKTOP}, "phone": {"viewport": PHONE, "has_touch": True}}
#: Images and charts without a text, where none of their parents has one or is hidden from screen readers.
NAMELESS = """() => {
  const named = (element) => element.closest("[aria-hidden=true], [role=img][aria-label], [role=img][aria-labelledby]");
  const shown = [...document.querySelectorAll("canvas, svg, img")].filter((element) => element.getClientRects().length);
  return shown.filter((element) => !named(element) && !(element.matches("img") && element.hasAttribute("alt"))
    && !element.hasAttribute("aria-label")).map((element) => element.outerHTML.slice(0, 120));
}"""
HEADINGS = (
    "() => [...document.querySelectorAll('h1')].filter((h) => h.getClientRects().length).map((h) => h.textContent)"
)


def list_views(visit):
    return visit.page.evaluate("[...netdissect.pages.keys()]")


def open_view(visit, view):
    """Open a page as its link would; the page of a unit, a concept and an image is that of the first."""
    visit.page.evaluate(
        """(view) => {
          const address = ["unit", "concept", "layer", "image"].includes(view) ? netdissect.makeAddress({ view, image: 0 }) : `#/${view === "network" ? "" : view}`;
          netdissect.go(netdissect.parseAddress(address));
        }""",
        view,
    )
    visit.page.wait_for_timeout(150)  # until data files are asked for
    visit.settle()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_fits_the_window_has_a_heading_and_names_its_images_and_charts(
    visiting, trusted, axe, look
):
    visit = visiting(**LOOKS[look])
    visit.open(trusted[1] / "html/index.html", "#/")
    titles = set()
    views = list_views(visit)
    for view in views:
        open_view(visit, view)
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        headings = visit.page.evaluate(HEADINGS)
        assert len(headings) == 1, (view, headings)
        assert headings[0].strip(), view
        assert visit.page.evaluate(NAMELESS) == [], view
        assert find_violations(axe, visit.page, both_themes=look == "desktop") == [], (
            view
        )  # colors are those of both looks
        titles.add(visit.page.title())
    assert len(titles) == len(views)


def test_the_keyboard_alone_gets_to_every_page_of_the_navigation(visiting, trusted):
    visit = visiting()
    visit.open(trusted[1] / "html/index.html", "#/")
    links = visit.page.locator("#navigation a")
    for place in range(links.count()):
        target = links.nth(place).get_attribute("href")
        visit.page.evaluate("document.getElementById('skip').focus()")
        for _ in range(40):
            visit.page.keyboard.press("Tab")
            if (
                visit.page.evaluate(
                    "document.activeElement.closest('#navigation') && document.activeElement.getAttribute('href')"
                )
                == target
            ):
                break
        else:
            pytest.fail(f"Tab does not reach {target}")
        visit.page.keyboard.press("Enter")
        visit.settle()
        visit.page.wait_for_timeout(200)
        assert links.nth(place).get_attribute("aria-current") == "page"
        assert len(visit.page.evaluate(HEADINGS)) == 1
