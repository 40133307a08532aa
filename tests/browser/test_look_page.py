"""The page of a look: pointing lists the units that fire, concepts and units show their masks."""

import numpy as np
import pytest
from tests import made_up_looks
from tests.browser.conftest import DESKTOP, PHONE, find_violations

from netdissect.report.look_files import write_look

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A look: its run, its images and its page."""
    run, images = made_up_looks.make_look()
    return run, images, write_look(run, images, tmp_path_factory.mktemp("look") / "look", 0.04, "a note on the source")


def list_at(visit):
    """Return the numbers of the units that are listed at the point."""
    return [int(text.removeprefix("unit ")) for text in visit.page.locator("#point-list .unit").all_inner_texts()]


def move_to(visit, across, down):
    box = visit.page.locator("#frame").bounding_box()
    visit.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    visit.settle()


def find_expected(layer, across, down):
    """Return the units that fire at a point, the strongest first, and the height above the threshold of the last."""
    maps, (height, width) = layer.make_maps(), layer.size
    y, x = int(down * height), int(across * width)
    from netdissect.geometry.upsample import make_image_axes, upsample

    axes = make_image_axes(layer.result.layer.field, layer.result.layer.grid, layer.size, layer.size)
    heights = (upsample(layer.grids, *axes)[:, y, x] - layer.thresholds) / layer.spans
    firing = np.flatnonzero(maps.masks[:, y, x])
    return (layer.channels[firing[np.argsort(-heights[firing])]] + 1).tolist(), heights


def test_pointing_lists_the_units_that_fire_there_strongest_first(visiting, seen):
    _, images, page = seen
    visit = visiting()
    visit.open(page)
    layer, tried = images[0]["block2/conv"], 0
    for across, down in [(0.2, 0.3), (0.5, 0.5), (0.8, 0.6), (0.35, 0.85), (0.6, 0.15), (0.05, 0.95)]:
        expected, heights = find_expected(layer, across, down)
        if (
            np.abs(heights).min() < 0.02
            or np.abs(np.subtract.outer(heights, heights))[~np.eye(len(heights), dtype=bool)].min() < 1e-4
        ):
            continue  # the page's grids have 8 bits
        move_to(visit, across, down)
        listed = list_at(visit)
        assert set(listed) <= set(expected)
        assert len(listed) == min(12, len(expected))
        assert visit.text("#point-title") == f"{len(expected)} unit{'s' if len(expected) != 1 else ''} at the point"
        tried += len(expected) > 0
    assert tried
    visit.page.mouse.move(2, 2)
    visit.settle()
    assert visit.text("#point-title") == "At the point"


def test_the_listed_strengths_fall_and_are_those_of_the_result(visiting, seen):
    _, images, page = seen
    visit = visiting()
    visit.open(page)
    layer = images[0]["block2/conv"]
    unit = layer.units[0]
    move_to(visit, unit.x, unit.y)
    values = [float(text.split()[-1]) for text in visit.page.locator("#point-list .value").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    listed = dict(zip(list_at(visit), values, strict=True))
    assert listed[unit.unit] == pytest.approx(unit.strength, abs=0.02)


def test_the_page_counts_what_the_result_counts(visiting, seen):
    _, images, page = seen
    visit = visiting()
    visit.open(page)
    layer = images[0]["block2/conv"]
    assert (
        visit.text("#list-note")
        == f"{layer.channels.size} of {layer.labeled} labeled units of block2/conv fire; concepts of the strongest first"
    )
    rows = visit.page.locator("#concepts > li")
    assert rows.count() == len(layer.concepts)
    assert [int(text) for text in rows.nth(0).locator(".unit-chip").all_inner_texts()] == list(layer.concepts[0].units)
    unsure = {str(unit.unit) for unit in layer.units if unit.q is not None and unit.q >= 0.05}
    assert set(visit.page.locator(".unit-chip.unsure").all_inner_texts()) == unsure
    visit.page.locator("#layers button", has_text="block1/conv").click()
    assert "block1/conv" in visit.text("#list-note")
    visit.page.locator(".thumb").nth(2).click()
    visit.page.wait_for_function("() => document.getElementById('caption').textContent === 'holiday/photo 2.jpg'")
    assert visit.text("#concepts") == "No labeled unit fires in this image."


def test_choosing_a_concept_or_a_unit_shows_its_mask_and_choosing_it_again_all_concepts(visiting, seen):
    _, images, page = seen
    visit = visiting()
    visit.open(page)

    def read_overlay():
        visit.settle()
        return visit.page.evaluate("document.getElementById('overlay').toDataURL()")

    colored = read_overlay()
    chip, row = visit.page.locator(".unit-chip").first, visit.page.locator(".concept-row").first
    chip.click()
    unit = read_overlay()
    assert chip.get_attribute("aria-pressed") == "true"
    assert unit != colored
    visit.page.locator("#styles button", has_text="heat").click()
    assert read_overlay() not in (unit, colored)
    visit.page.locator("#styles button", has_text="spotlight").click()
    row.click()
    assert row.get_attribute("aria-pressed") == "true"
    assert chip.get_attribute("aria-pressed") == "false"
    row.click()
    assert read_overlay() == colored
    visit.page.locator("#colored").uncheck()
    assert read_overlay() != colored
    assert images[0]["block2/conv"].channels.size


def test_the_keyboard_moves_the_point_and_says_what_fires(visiting, seen):
    _, images, page = seen
    visit = visiting()
    visit.open(page)
    visit.page.locator("#frame").focus()
    visit.page.keyboard.press("ArrowRight")
    assert visit.text("#announcement").startswith("50 % across, 50 % down: ")
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("Shift+ArrowDown")
    assert visit.text("#announcement").startswith("52 % across, 60 % down: ")
    unit = images[0]["block2/conv"].units[0]
    move_to(visit, unit.x, unit.y)
    assert visit.text("#announcement").startswith("52 %"), "a held point stays"
    visit.page.keyboard.press("Escape")
    move_to(visit, unit.x + 0.01, unit.y)
    visit.page.keyboard.press("Enter")
    visit.settle()
    assert visit.page.locator("#point-list [aria-pressed=true]").count() == 1


def test_a_tap_holds_the_point_and_a_second_one_lets_go(visiting, seen):
    _, images, page = seen
    visit = visiting(viewport=PHONE, is_mobile=True, has_touch=True)
    visit.open(page)
    unit, box = images[0]["block2/conv"].units[0], visit.page.locator("#frame").bounding_box()
    place = {"x": unit.x * box["width"], "y": unit.y * box["height"]}
    visit.page.locator("#frame").tap(position=place)
    visit.settle()
    assert unit.unit in list_at(visit)
    visit.page.locator("#frame").tap(position=place)
    visit.settle()
    visit.page.locator("#theme").tap()
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(visiting, seen, axe, screen):
    visit = visiting(viewport=screen)
    visit.open(seen[2])
    assert find_violations(axe, visit.page, both_themes=True) == []
    unit = seen[1][0]["block2/conv"].units[0]
    move_to(visit, unit.x, unit.y)
    visit.page.locator(".concept-row").first.click()
    assert find_violations(axe, visit.page, both_themes=True) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


def test_hostile_names_are_shown_as_they_are(visiting, tmp_path):
    names = ["</script><img src=x onerror=alert(1)>.jpg", "a\u2028b.jpg"]
    run, images = made_up_looks.make_look(images=2, names=names, units=(12,))
    visit = visiting()
    visit.open(write_look(run, images, tmp_path / "look", 0.04))
    assert visit.text("#caption") == names[0]
    assert visit.page.locator("img[src=x]").count() == 0
