"""The page of an image: the units that fire on it, where, and the ways to it."""

import urllib.parse

import pytest
from tests import made_up_runs
from tests.browser.conftest import write_report

from netdissect.results.exemplar_groups import GROUP_SIZES

pytestmark = pytest.mark.browser
ROW = 20


def open_image(visit, folder, what=str(ROW)):
    visit.open(folder / "html/index.html", f"#/image/{what}")
    visit.page.wait_for_selector(".image-units a, .image-main .nothing")


def list_firing(result, row):
    """Return layer and number of every unit that has a row among its exemplars with a pixel of its mask."""
    found = set()
    for name, layer in result.layers.items():
        groups = [(layer.exemplars.images, layer.groups.pixels)] + [
            (getattr(layer.groups, group).images, getattr(layer.groups, group).pixels) for group in GROUP_SIZES
        ]
        first = {}
        for images, pixels in groups:
            for unit, slot in zip(*(images == row).nonzero(), strict=True):
                first.setdefault(int(unit), int(pixels[unit, slot]))
        found |= {(name, unit + 1) for unit, area in first.items() if area > 0}
    return found


def test_the_units_are_those_with_the_image_among_their_exemplars(visit, drawn):
    result, folder = drawn
    open_image(visit, folder)
    expected = list_firing(result, ROW)
    assert visit.text(".page[data-page=image] .lead").startswith(f"{len(expected)} units of 154 fire on this image")
    while visit.page.locator(".image-group .more").count():
        visit.page.locator(".image-group .more").first.click()
    links = visit.page.locator(".image-units a").evaluate_all("(all) => all.map((link) => link.getAttribute('href'))")
    shown = {tuple(urllib.parse.unquote(link.split("?")[0]).removeprefix("#/unit/").rsplit("/", 1)) for link in links}
    assert {(name, int(number)) for name, number in shown} == expected
    assert len(links) == len(expected)


def test_a_click_on_the_image_leaves_the_units_that_fire_there(visit, drawn):
    result, folder = drawn
    open_image(visit, folder)
    total = len(list_firing(result, ROW))
    box = visit.page.locator(".image-side .frame").bounding_box()
    visit.page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.6)
    visit.page.wait_for_selector(".image-under strong")
    number = int(visit.text(".image-under strong").split()[0])
    assert 0 < number < total
    right = visit.page.evaluate(
        """async ([right, down]) => {
          const units = (await netdissect.findUnitsOn(netdissect.state.image)).filter(({ fires }) => fires);
          let count = 0;
          for (const { layer, unit, slot } of units) {
            const grids = await netdissect.loadGrids(layer, unit);
            const side = 48, each = layer.grid[0] * layer.grid[1];
            const out = netdissect.interpolate(grids.codes, grids.start + slot * each, netdissect.decodeValues(layer, unit), netdissect.makeAxes(layer, side, side, false), layer.grid[1], new Float32Array(side * side));
            if (out[Math.floor(down * side) * side + Math.floor(right * side)] > 0) count++;
          }
          return count;
        }""",
        [0.4, 0.6],
    )
    assert number == right
    visit.page.get_by_role("button", name="Show all").click()
    visit.settle()
    assert visit.page.locator(".image-marker").is_hidden()


def test_names_rows_and_what_is_missing(visit, drawn):
    result, folder = drawn
    name = result.image_names[ROW]
    for what in (urllib.parse.quote(name, safe=""), name, "up_00020", str(ROW)):
        open_image(visit, folder, what)
        visit.page.wait_for_function(f"() => document.querySelector('.image-title').textContent === {name!r}")
    visit.page.wait_for_function("() => location.hash.startsWith('#/image/20/made%2Fup_00020.jpg')")
    for what in ("nothing.jpg", "99999"):
        visit.open(folder / "html/index.html", f"#/image/{what}")
        visit.page.wait_for_selector("#missing:not([hidden])")
        assert visit.text("#missing") == f"No image “{what}” in this report."


def test_neighbors_replace_the_step_and_escape_leads_back(visit, drawn):
    _, folder = drawn
    visit.open(folder / "html/index.html", "#/probe")
    visit.page.wait_for_selector(".probe-images a")
    visit.page.locator(".probe-images a").nth(2).click()
    visit.page.wait_for_selector(".image-units a")
    visit.page.get_by_role("link", name="Image →").click()
    visit.settle()
    assert visit.page.evaluate("netdissect.state.image") == 3
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector(".probe-images a")
    assert visit.page.evaluate("netdissect.state.view") == "probe"


def test_every_image_of_a_unit_leads_to_its_page(visit, drawn):
    result, folder = drawn
    visit.open(folder / "html/index.html", "#/unit/block2%2Fconv/5")
    visit.page.wait_for_selector(".tile .open-image")
    row = int(result.layers["block2/conv"].exemplars.images[4, 0])
    visit.page.locator(".tile .open-image").first.click()
    visit.page.wait_for_selector(".image-units a")
    assert visit.page.evaluate("netdissect.run.row[netdissect.state.image]") == row


def test_a_run_without_groups_has_pages_of_images(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((12,), 9, pictures=20)
    write_report(result, tmp_path, probe_set)
    visit = visiting()
    row = int(result.layers["block1/conv"].exemplars.images[0, 0])
    open_image(visit, tmp_path, str(row))
    expected = int((result.layers["block1/conv"].exemplars.images == row).any(axis=1).sum())
    assert visit.text(".page[data-page=image] .lead strong") == f"{expected} unit{'s' if expected > 1 else ''}"
