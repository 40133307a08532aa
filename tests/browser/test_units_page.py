"""Lists of units from any layers: their addresses, their cards, and what is missing."""

import urllib.parse

import pytest

pytestmark = pytest.mark.browser

SET = "block1/conv:3,5-7;block3/conv:1"


def open_set(visit, folder, text, query=""):
    visit.open(folder / "html" / "index.html", f"#/units?set={urllib.parse.quote(text)}{query}")


def shown(visit):
    return visit.page.locator(".set-cards .meta .number").all_inner_texts()


def test_an_address_names_units_of_several_layers_counted_from_1(visiting, drawn):
    visit = visiting()
    open_set(visit, drawn[1], SET)
    names = [f"block1/conv, unit {n}" for n in (3, 5, 6, 7)] + ["block3/conv, unit 1"]
    assert [text.rstrip(", ") for text in shown(visit)] == names
    assert visit.text(".page:not([hidden]) h1") == "5 units, chosen"
    visit.page.wait_for_function("() => document.querySelector('.set-cards img').naturalWidth > 0")
    visit.page.locator(".set-cards a.card").nth(1).click()
    assert visit.page.evaluate("location.hash").startswith("#/unit/block1%2Fconv/5")
    visit.page.go_back()
    visit.settle()
    assert visit.page.evaluate("location.hash") == f"#/units?set={SET}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nolayer:3", "No layer “nolayer” in this run."),
        ("block1/conv:25", "No unit “25” in block1/conv, which has 24 units."),
        ("block1/conv:0", "No unit “0” in block1/conv"),
        ("nolist", "No list of units “nolist” in this report."),
        ("detectors@nolayer", "No layer “nolayer” in this run."),
    ],
)
def test_a_set_that_is_not_there_is_said(visiting, drawn, text, said):
    visit = visiting()
    open_set(visit, drawn[1], text)
    assert said in visit.text("#missing")
    assert visit.page.locator('.page[data-page="network"]').is_visible()


def test_without_a_set_the_page_has_every_detector_best_first_and_follows_the_threshold(visiting, drawn):
    result, folder = drawn
    visit = visiting()
    visit.open(folder / "html" / "index.html", "#/units")
    ranked = sorted(
        ((row.score, -number, -row.unit) for number, layer in enumerate(result.layers.values()) for row in layer.units),
        reverse=True,
    )
    for cut in (0.04, 0.2):
        visit.page.evaluate(f"netdissect.change({{ cut: {cut} }})")
        visit.settle()
        expected = [entry for entry in ranked if entry[0] >= cut]
        assert visit.text(".page:not([hidden]) .lead strong") == f"{len(expected)} units"
        first = [text.rstrip(", ") for text in shown(visit)[:3]]
        assert first == [f"block{1 - layer}/conv, unit {-unit}" for _, layer, unit in expected[:3]]


def test_names_of_layers_with_the_signs_of_an_address_survive(visiting, drawn):
    visit = visiting()
    visit.open(drawn[1] / "html" / "index.html", "#/")
    found = visit.page.evaluate(
        """() => {
            netdissect.run.layers[0].name = "a:b;c,d@e%2F?&#";
            const text = netdissect.formatSet([[0, 2], [0, 3], [0, 4], [1, 0]]);
            const address = netdissect.makeAddress({ view: "units", set: text });
            const state = netdissect.parseAddress(address);
            return [state.missing, state.set === text, netdissect.parseSet(text).units];
        }"""
    )
    assert found == ["", True, [[0, 2], [0, 3], [0, 4], [1, 0]]]


def test_more_cards_come_as_the_end_of_the_page_comes_near(visiting, drawn):
    visit = visiting()
    visit.open(drawn[1] / "html" / "index.html", "#/units?cut=0")
    total = visit.page.evaluate("netdissect.listUnits(netdissect.unitLists.get('detectors')).length")
    assert len(shown(visit)) < total
    for _ in range(60):
        visit.page.mouse.wheel(0, 3000)
        visit.settle()
        if len(shown(visit)) == total:
            break
    assert len(shown(visit)) == total
