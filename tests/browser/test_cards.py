"""Cards of units: three strongest and two typical images, what they show of the label, and the answer beside the pointer."""

import re
import urllib.parse

import numpy as np
import pytest
from tests import made_up_runs
from tests.browser.conftest import write_report

from netdissect.concepts import display_name

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


def choose_card_images(layer, unit):
    """Return the places of a card's images in the strongest and the typical group."""
    strongest = [(place, "strongest") for place in range(3)]
    first = {int(layer.exemplars.images[unit, place]) for place, _ in strongest}
    typical = [
        (place, "typical")
        for place, row in enumerate(layer.groups.typical.images[unit])
        if row >= 0 and int(row) not in first
    ]
    return [*strongest, *typical[:2]]


def find_tables(layer, group):
    return (
        (layer.exemplars.images, layer.groups)
        if group == "strongest"
        else (layer.groups.typical.images, layer.groups.typical)
    )


def test_a_card_has_three_strongest_and_two_typical_images(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    visit.open(folder / "html/index.html", f"#/layer/{urllib.parse.quote(LAYER, safe='')}")
    visit.page.wait_for_selector("#cards .card img")
    for card in visit.page.locator("#cards .card").all()[:6]:
        unit = int(re.search(r"Unit (\d+)", card.inner_text())[1]) - 1
        images = card.locator("img")
        rows = [
            int(source.split("/")[-1].split(".")[0])
            for source in images.evaluate_all("(all) => all.map((image) => image.src)")
        ]
        assert rows == [
            int(find_tables(layer, group)[0][unit, place]) for place, group in choose_card_images(layer, unit)
        ]
        lefts = images.evaluate_all("(all) => all.map((image) => parseFloat(image.style.left))")
        width = float(images.first.get_attribute("width"))
        assert lefts[3] - lefts[2] - width >= 6 > lefts[1] - lefts[0] - width == 2
        strip = card.locator(".strip").bounding_box()
        assert lefts[4] + width == pytest.approx(strip["width"], abs=1)


def test_a_card_says_how_many_of_its_images_show_its_label_where_they_disagree(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    visit.open(folder / "html/index.html", f"#/layer/{urllib.parse.quote(LAYER, safe='')}")
    visit.page.wait_for_selector("#cards .card img")
    expected, shown = {}, {}
    for row in layer.units:
        found = [(find_tables(layer, group)[1].pixels[row.channel, place], find_tables(layer, group)[1].labeled[row.channel, place])
                 for place, group in choose_card_images(layer, row.channel)]  # fmt: skip
        known = [(pixels, labeled) for pixels, labeled in found if labeled >= 0]
        on = sum(labeled > 0.1 * pixels for pixels, labeled in known)
        if row.score < 0.04:
            continue
        category = layer.vocabulary.concepts[layer.vocabulary.names.index(row.label)].category
        if not known:
            expected[row.unit] = f"0 of {len(found)} with {category} labels"
        elif on <= 1 and len(known) - on >= 2:
            expected[row.unit] = f"{on} of {len(known)} on {display_name(row.label)}"
    visit.page.evaluate("() => scrollTo(0, document.querySelector('#cards').getBoundingClientRect().top)")
    visit.page.wait_for_timeout(200)
    assert visit.page.locator("#cards .card").count() > 6
    for card in visit.page.locator("#cards .card").all():
        unit = int(re.search(r"Unit (\d+)", card.inner_text())[1])
        badge = card.locator(".seen")
        if badge.is_visible():
            shown[unit] = badge.inner_text()
        else:
            assert unit not in expected
    assert shown == {unit: expected[unit] for unit in shown}
    assert 0 < len(shown) < layer.layer.units


def test_a_card_of_a_run_without_groups_has_the_five_strongest_images(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((12,), 30, pictures=30)
    write_report(result, tmp_path, probe_set)
    visit = visiting()
    visit.open(tmp_path / "html/index.html")
    card = visit.page.locator("#cards .card").first
    layer = next(iter(result.layers.values()))
    sources = card.locator("img").evaluate_all("(all) => all.map((image) => image.src)")
    rows = [int(source.split("/")[-1].split(".")[0]) for source in sources]
    assert rows == list(layer.exemplars.images[layer.units[0].channel, :5])
    assert visit.page.locator(".seen:visible").count() == 0
    assert visit.text(".found .hint").startswith("Each unit’s strongest images")


def open_unit(visit, folder, number):
    visit.open(folder / "html/index.html", f"#/unit/{urllib.parse.quote(LAYER, safe='')}/{number}")
    visit.wait_for_shares()


def test_the_answer_is_beside_the_pointer(visit, drawn):
    result, folder = drawn
    layer, unit = result.layers[LAYER], 4
    probe_set = made_up_runs.MadeUpProbeSet(result.probe_set.vocabulary, (112, 112), (56, 56))
    labels = probe_set.read_labels(int(layer.exemplars.images[unit, 0]))
    open_unit(visit, folder, unit + 1)
    box = visit.page.locator(".frame").first.bounding_box()
    fired = []
    for down in (np.arange(3, 56, 6) + 0.5) / 56:
        for right in (np.arange(3, 56, 6) + 0.5) / 56:
            x, y = box["x"] + box["width"] * right, box["y"] + box["height"] * down
            visit.page.mouse.move(x, y)
            answer = visit.page.locator(".answer").bounding_box()
            assert max(abs(answer["x"] - x), abs(answer["x"] + answer["width"] - x)) < answer["width"] + 40
            assert min(abs(answer["y"] - y), abs(answer["y"] + answer["height"] - y)) <= 20
            assert (
                not answer["x"] <= x <= answer["x"] + answer["width"]
                or not answer["y"] <= y <= answer["y"] + answer["height"]
            )
            codes = {int(plane[int(56 * down), int(56 * right)]) for plane in labels.planes} | set(
                map(int, labels.whole)
            )
            names = {display_name(result.probe_set.vocabulary.names[code - 1]) for code in codes - {0}}
            assert set(visit.page.locator(".answer .label").all_inner_texts()) == names
            fired.append(visit.text(".answer .fired"))
    assert any(text.endswith("× T") for text in fired)
    most = max(float(text.split(", ")[0]) for text in fired if "," in text)
    assert most <= layer.exemplars.maxima[unit, 0] * 1.02
    visit.page.mouse.move(2, 2)
    assert not visit.page.locator(".answer").is_visible()


def test_on_touch_a_tap_answers_and_a_tap_elsewhere_ends_it(visiting, drawn):
    visit = visiting(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    open_unit(visit, drawn[1], 5)
    visit.page.locator(".frame").first.tap(position={"x": 40, "y": 40})
    answer = visit.page.locator(".answer").bounding_box()
    assert answer["x"] >= 0
    assert answer["x"] + answer["width"] <= 390
    visit.page.locator("h1.title").tap(position={"x": 4, "y": 4}, force=True)
    assert not visit.page.locator(".answer").is_visible()


@pytest.mark.parametrize("does", ["hover", "focus"])
def test_the_counts_of_a_layer_are_loaded_while_a_card_is_looked_at(visit, drawn, does):
    loaded = "() => Boolean(netdissect.run.layers[netdissect.state.layer].counts)"
    visit.open(drawn[1] / "html/index.html", f"#/layer/{urllib.parse.quote(LAYER, safe='')}")
    card = visit.page.locator("#cards .card").first
    card.scroll_into_view_if_needed()
    visit.settle()
    assert not visit.page.evaluate(loaded)
    getattr(card, does)()
    visit.page.wait_for_function(loaded)
