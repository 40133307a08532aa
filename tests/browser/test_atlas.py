"""The atlas: units on a map, its keyboard alternative, its line around units, and what it follows."""

import urllib.parse

import numpy as np
import pytest
from tests.browser.conftest import DESKTOP, PHONE, find_violations

from netdissect.results import unit_likeness

pytestmark = pytest.mark.browser


def open_atlas(visit, folder, query=""):
    visit.open(folder / "html/index.html", f"#/atlas{query}")
    visit.page.wait_for_selector(".map-list a")
    visit.page.wait_for_function("() => document.querySelector('.map-field canvas').width > 100")


def find_dot(visit, layer, unit):
    """Return where a unit's dot is in the window, by the place of the run's own layout."""
    return visit.page.evaluate(
        """([name, unit]) => netdissect.loadAtlas().then((atlas) => {
          const number = atlas.find(netdissect.run.layers.find((layer) => layer.name === name), unit);
          const box = document.querySelector('.map-field').getBoundingClientRect();
          const view = netdissect.makeMapView(atlas.x, atlas.y);
          view.resize(box.width, box.height);
          return [box.left + view.toX(atlas.x[number]), box.top + view.toY(atlas.y[number])];
        })""",
        [layer, unit],
    )


def test_the_map_shows_every_unit_where_the_layout_puts_it(visit, drawn):
    result, folder = drawn
    open_atlas(visit, folder)
    assert visit.text(".map-side .note").startswith("154 units")
    layers = list(result.layers.values())
    places = unit_likeness.place_units(layers, unit_likeness.measure_likeness(layers))
    shown = visit.page.evaluate("() => netdissect.loadAtlas().then(({ x, y }) => [[...x], [...y]])")
    np.testing.assert_allclose(np.array(shown).T, places, atol=2e-5)


def test_pointing_shows_the_unit_and_a_click_opens_it(visit, drawn):
    result, folder = drawn
    open_atlas(visit, folder)
    name = "block2/conv"
    best = result.layers[name].units[0]
    x, y = find_dot(visit, name, best.channel)
    visit.page.mouse.move(x, y)
    visit.page.wait_for_selector(".map-card .card")
    text = visit.text(".map-card .meta")
    shown_layer, number = text.split(", ")[:2]
    assert (shown_layer, int(number.split()[1])) == (name, best.unit)
    visit.page.wait_for_selector(".map-card .strip img")
    visit.page.mouse.click(x, y)
    visit.page.wait_for_selector("#page:not([hidden])")
    assert visit.page.evaluate("location.hash").startswith(f"#/unit/{urllib.parse.quote(name, safe='')}/{best.unit}")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector(".map-field")
    assert visit.page.evaluate("netdissect.state.view") == "atlas"


def test_a_line_around_units_leads_to_the_list_of_them(visit, drawn):
    _, folder = drawn
    open_atlas(visit, folder)
    visit.page.get_by_role("button", name="Choose units by drawing").click()
    box = visit.page.locator(".map-field").bounding_box()
    corners = [(20, 20), (box["width"] / 2, 20), (box["width"] / 2, box["height"] - 20), (20, box["height"] - 20)]
    visit.page.mouse.move(box["x"] + corners[0][0], box["y"] + corners[0][1])
    visit.page.mouse.down()
    for x, y in corners[1:]:
        visit.page.mouse.move(box["x"] + x, box["y"] + y, steps=3)
    visit.page.mouse.up()
    expected = visit.page.evaluate(
        """([right]) => netdissect.loadAtlas().then((atlas) => {
          const box = document.querySelector('.map-field').getBoundingClientRect();
          const view = netdissect.makeMapView(atlas.x, atlas.y);
          view.resize(box.width, box.height);
          return [...atlas.x].filter((x, i) => view.toX(x) > 20 && view.toX(x) < right && view.toY(atlas.y[i]) > 20 && view.toY(atlas.y[i]) < box.height - 20).length;
        })""",
        [box["width"] / 2],
    )
    assert 0 < expected < 154
    assert int(visit.text(".map-chosen strong").split()[0]) == expected
    visit.page.get_by_role("link", name="Open as a list").click()
    visit.page.wait_for_selector(".set-cards .card")
    assert visit.text(".page[data-page=units] h1") == f"{expected} units, chosen"


def test_keys_move_and_zoom_the_map_and_the_list_follows(visit, drawn):
    _, folder = drawn
    open_atlas(visit, folder)
    visit.page.locator(".map-field").focus()
    for _ in range(4):
        visit.page.keyboard.press("+")
    visit.page.wait_for_function("() => parseInt(document.querySelector('.map-side .note').textContent) < 154")
    visit.page.keyboard.press("ArrowLeft")
    assert visit.page.evaluate("netdissect.state.view") == "atlas"
    visit.page.keyboard.press("0")
    visit.page.wait_for_function("() => document.querySelector('.map-side .note').textContent.startsWith('154 units')")
    first = visit.page.locator(".map-list a").first
    address = first.get_attribute("href")
    first.focus()
    visit.page.keyboard.press("Enter")
    visit.settle()
    assert visit.page.evaluate("location.hash") == address


def test_layers_and_colors_are_in_the_address_and_the_threshold_counts(visit, drawn):
    result, folder = drawn
    open_atlas(visit, folder, "?color=score&layers=block1%2Fconv")
    layer = result.layers["block1/conv"]
    assert visit.text(".map-side .note").startswith(f"24 units, {layer.detectors(0.04).units} detector")
    assert visit.page.get_by_role("button", name="IoU").get_attribute("aria-pressed") == "true"
    visit.page.evaluate("netdissect.change({ cut: 0.1 })")
    number = layer.detectors(0.1).units
    visit.page.wait_for_function(
        f"() => document.querySelector('.map-side .note').textContent.startsWith('24 units, {number} detector')"
    )
    visit.page.get_by_role("button", name="block2/conv").click()
    visit.page.wait_for_function("() => document.querySelector('.map-side .note').textContent.startsWith('114 units')")
    visit.page.wait_for_function("() => decodeURIComponent(location.hash).includes('layers=block1/conv;block2/conv')")
    visit.open(folder / "html/index.html", "#/atlas?layers=nolayer")
    assert visit.text("#missing") == "No layer “nolayer” in this run."


def test_near_enough_images_take_the_place_of_dots(visit, drawn):
    result, folder = drawn
    open_atlas(visit, folder)
    asked = []
    visit.page.on("request", lambda request: asked.append(request.url) if "image/probe" in request.url else None)
    for _ in range(3):
        visit.page.get_by_role("button", name="Zoom in").click()
        visit.settle()
    visit.page.wait_for_timeout(300)
    strongest = {int(row) for layer in result.layers.values() for row in layer.exemplars.images[:, 0]}
    assert asked
    assert {int(url.rsplit("/", 1)[1].split(".")[0]) for url in asked} <= strongest


@pytest.mark.parametrize(("theme", "screen"), [("light", DESKTOP), ("dark", PHONE)], ids=["light", "dark"])
def test_axe_finds_nothing_on_the_atlas(visiting, trusted, axe, theme, screen):
    visit = visiting(viewport=screen, color_scheme=theme)
    for color in ("layer", "score", "sure"):  # test_every_page has the atlas colored by category
        open_atlas(visit, trusted[1], f"?color={color}")
        assert find_violations(axe, visit.page) == [], color
        assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
