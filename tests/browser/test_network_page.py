"""The first page: what the network has learned, over all layers, opened from disk."""

import re
from dataclasses import replace

import pytest
from tests import made_up_runs
from tests.browser.conftest import DESKTOP, PHONE, find_violations, write_report

from netdissect.concepts import display_name
from netdissect.results import unit_lists
from netdissect.results.controls import UNTRAINED, record_control

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def controlled(tmp_path_factory):
    """A report of a trusted run whose last layer has a control with the scores of every unit."""
    folder = tmp_path_factory.mktemp("controlled")
    result, probe_set = made_up_runs.make_run((24, 90), 40, pictures=50, trusted=True, grouped=True)
    weak, _ = made_up_runs.make_run((24, 90), 40, pictures=50, seed=7)
    controls = (record_control("random", UNTRAINED, weak, ["block2/conv"], 0.04),)
    result = replace(result, controls=controls)
    write_report(result, folder, probe_set)
    return result, folder


def open_network(visiting, folder, query="", **options):
    visit = visiting(**options)
    visit.open(folder / "html" / "index.html", f"#/{query}")
    visit.page.wait_for_function("() => netdissect.run.layers.every((layer) => layer.story)")
    visit.settle()
    return visit


def list_detectors(result, cut):
    return {
        name: [row for row in layer.units if row.label and row.score >= cut] for name, layer in result.layers.items()
    }


@pytest.mark.parametrize("cut", [0.04, 0.1])
def test_the_lead_says_what_the_counts_say_and_follows_the_threshold(visiting, controlled, cut):
    result, folder = controlled
    visit = open_network(visiting, folder, f"?cut={cut}")
    lead = visit.text(".network-lead").replace("\n", " ")
    found = list_detectors(result, cut)
    named = sum(len(rows) for rows in found.values())
    concepts = {row.label for rows in found.values() for row in rows}
    assert f"Of 114 units in 2 layers, {named} detect {len(concepts)} concepts" in lead
    first, last = (layer.detectors(cut).unique for layer in result.layers.values())
    assert re.search(rf"from {first} ± \S+ in block1/conv to {last} ± \S+ in block2/conv", lead)
    control = result.controls[0].layers["block2/conv"]
    passing = [label for score, label in zip(control.scores, control.labels, strict=True) if label and score >= cut]
    assert f"get {len(passing)} names, but {len(set(passing))} concept" in lead
    layer = result["block2/conv"]
    shown, asked = unit_lists.count_shown_labels(layer)
    could = [row.unit - 1 for row in found["block2/conv"] if asked[row.unit - 1] >= 3]
    none = [unit for unit in could if not shown[unit]]
    assert f"{len(none)} of block2/conv’s {len(could)} detectors" in lead
    visit.page.locator(".network-lead a", has_text=f"{len(none)} of").click()
    visit.page.wait_for_selector(".set-cards .card")
    assert visit.text(".page:not([hidden]) .lead strong") == f"{len(none)} units"


def test_every_unit_is_a_square_in_the_order_of_category_and_score(visiting, controlled):
    result, folder = controlled
    visit = open_network(visiting, folder)
    names = visit.page.locator(".square-row .row-name").all_inner_texts()
    assert names == ["block2/conv", "block1/conv", "block2/conv, random weights"]
    categories = visit.page.evaluate("netdissect.run.categories")
    layer = result["block2/conv"]
    field = visit.page.locator(".square-row").first.locator(".square-field")
    expected = sorted(
        (row for row in layer.units if row.score >= 0.04), key=lambda row: (categories.index(row.category), -row.score)
    )
    field.focus()
    visit.page.keyboard.press("Home")
    option = visit.page.locator(".square-row").first.locator("[role=option]")
    for place in (0, 1, 2):
        row = expected[place]
        assert option.inner_text().startswith(f"unit {row.unit}: {display_name(row.label)}, IoU")
        visit.page.keyboard.press("ArrowDown")
        if place == 0:  # the second square of the column; then the next column
            continue
    visit.page.keyboard.press("Home")
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("location.hash") == f"#/unit/block2%2Fconv/{expected[0].unit}"


def test_a_square_shows_its_card_opens_its_unit_and_a_drag_lists_several(visiting, controlled):
    _result, folder = controlled
    visit = open_network(visiting, folder)
    field = visit.page.locator(".square-row").first.locator(".square-field")
    visit.point(field, 3, 3, ".hover-card .name")
    name = visit.text(".hover-card .name")
    field.click(position={"x": 3, "y": 3})
    visit.page.wait_for_selector("#page:not([hidden]) h1")
    assert visit.text("#page h1") == name
    visit.page.go_back()
    visit.page.wait_for_selector(".squares")
    visit.page.mouse.move(0, 0)
    visit.page.wait_for_selector(".hover-card", state="hidden")
    visit.point(field, 1, 1, ".hover-card .name")
    box = field.bounding_box()
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + 20, box["y"] + 8)
    visit.page.mouse.move(box["x"] + 40, box["y"] + 25)
    visit.page.mouse.up()
    visit.page.wait_for_selector(".set-cards .card")
    chosen = visit.page.evaluate("netdissect.parseSet(netdissect.state.set).units.length")
    assert chosen > 3
    assert visit.text(".page:not([hidden]) h1") == f"{chosen} units, chosen"


def test_the_table_of_concepts_has_the_units_of_every_layer_and_of_the_control(visiting, controlled):
    result, folder = controlled
    visit = open_network(visiting, folder)
    found = list_detectors(result, 0.04)
    control = result.controls[0].layers["block2/conv"]
    rows = visit.page.locator(".emergence tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [row.querySelector('th').textContent, ...[...row.querySelectorAll('.dot-number')].map((n) => Number(n.textContent))])"
    )
    assert 0 < len(rows) <= 44
    firsts = []
    for name, *numbers in rows:
        expected = [sum(display_name(row.label) == name for row in units) for units in found.values()]
        passing = zip(control.scores, control.labels, strict=True)
        expected.append(sum(score >= 0.04 and display_name(label) == name for score, label in passing))
        assert numbers == expected
        firsts.append(next(at for at, number in enumerate(numbers) if number))
    assert firsts == sorted(firsts)


def test_lists_hold_the_units_that_their_rules_find(visiting, controlled):
    result, folder = controlled
    visit = open_network(visiting, folder)
    visit.page.wait_for_selector(".found-list h3:has-text('Named, but not seen')")  # once their data are loaded
    found = list_detectors(result, 0.04)
    largest = {name: unit_lists.find_largest_image_share(layer) for name, layer in result.layers.items()}
    second = {name: unit_lists.find_second_things(layer) for name, layer in result.layers.items()}
    best = max(result.controls[0].layers["block2/conv"].scores)
    expected = {
        "one-image": {(n, r.unit) for n, rows in found.items() for r in rows if largest[n][r.unit - 1] > 0.5},
        "two-things": {(n, r.unit) for n, rows in found.items() for r in rows if second[n][0][r.unit - 1] >= 0 and second[n][1][r.unit - 1] >= 0.04},
        "above-control": {("block2/conv", r.unit) for r in found["block2/conv"] if r.score > best},
        "edge": {(n, r.unit) for n, layer in result.layers.items() for r in layer.units if r.trust.low is not None and r.trust.low <= 0.04 <= r.trust.high},
        "dark": {(n, r.unit) for n, layer in result.layers.items() for r in layer.units if r not in found[n]},
    }  # fmt: skip
    for name, units in expected.items():
        listed = visit.page.evaluate(f"netdissect.listUnits(netdissect.unitLists.get('{name}'))")
        assert {(f"block{layer + 1}/conv", unit + 1) for layer, unit in listed} == units, name
    heads = visit.page.locator(".found-list h3").all_inner_texts()
    assert "Named, but not seen" in heads
    assert len(heads) == len(visit.page.locator(".found-list .note").all_inner_texts())


def test_a_term_is_explained_beside_it_and_escape_closes_it(visiting, controlled):
    visit = open_network(visiting, controlled[1])
    term = visit.page.locator(".network-section .term", has_text="IoU").first
    term.scroll_into_view_if_needed()
    term.click()
    assert visit.text("#term-box").startswith("Intersection over union")
    above, below = term.bounding_box(), visit.page.locator("#term-box").bounding_box()
    assert abs(below["y"] - above["y"]) < 160
    assert term.get_attribute("aria-expanded") == "true"
    visit.page.keyboard.press("Escape")
    assert visit.page.locator("#term-box").count() == 0
    assert visit.page.evaluate("netdissect.state.view") == "network"


def test_how_to_read_shows_a_unit_of_the_run_in_sixty_words(visiting, controlled):
    visit = open_network(visiting, controlled[1])
    visit.page.wait_for_selector(".reading:not([hidden]) .tile:nth-child(3) canvas")
    assert visit.page.locator(".reading .tile").count() == 3
    words = [*visit.page.locator(".reading figcaption").all_inner_texts(), visit.text(".reading .overlap > p")]
    assert 30 < len(" ".join(words).split()) <= 75
    assert (
        visit.page.locator(".overlap-bar")
        .get_attribute("aria-label")
        .startswith("Of the pixels in the mask or the label")
    )


def test_a_run_without_trust_groups_and_controls_has_a_first_page_too(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((12, 20), 20, pictures=30)
    write_report(result, tmp_path, probe_set)
    visit = open_network(visiting, tmp_path)
    assert visit.text(".network-lead").startswith("Of 32 units in 2 layers, ")
    assert "Named, but not seen" not in visit.page.locator(".found-list h3").all_inner_texts()
    assert visit.page.locator(".square-row").count() == 2


@pytest.mark.parametrize(("screen", "theme"), [(DESKTOP, "dark"), (PHONE, "light")], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(visiting, controlled, axe, theme, screen):
    visit = visiting(viewport=screen, color_scheme=theme, reduced_motion="reduce")
    for address in ("#/", "#/units", "#/layer/block2%2Fconv"):
        visit.open(controlled[1] / "html" / "index.html", address)
        visit.page.wait_for_function("() => netdissect.run.layers.every((layer) => layer.story)")
        if address == "#/":
            visit.page.wait_for_selector(".reading:not([hidden])")
            visit.page.locator(".square-field").first.focus()
            visit.page.keyboard.press("ArrowRight")
            visit.page.locator(".network-section .term").first.click()
        visit.settle()
        assert find_violations(axe, visit.page) == [], address
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= screen["width"], address


def test_a_layers_numbers_stand_beside_their_intervals_and_the_controls(visiting, controlled):
    result, folder = controlled
    visit = visiting()
    visit.open(folder / "html" / "index.html", "#/layer/block2%2Fconv?cut=0.08")
    visit.page.wait_for_selector("#ghost-key:not([hidden])")
    layer, control = result["block2/conv"], result.controls[0].layers["block2/conv"]
    passing = [label for score, label in zip(control.scores, control.labels, strict=True) if label and score >= 0.08]
    assert visit.text("#control-detectors") == f"random weights: {len(passing)}"
    assert visit.text("#control-label") == f"random weights: {len(set(passing))}"
    spread = layer.count_spread(0.08)
    assert visit.text("#interval-detectors") == f"{spread.units_low}–{spread.units_high} in 95 % of resamples"
    tops = visit.page.locator(".tab").evaluate_all(
        "(tabs) => tabs.map((tab) => tab.querySelector('.share').getBoundingClientRect().top)"
    )
    assert len(set(tops)) == 1


def test_many_layers_are_tabs_in_one_row_without_the_prefix_they_share(visiting, tmp_path):
    names = tuple(f"encoder.layer.{number}.output" for number in range(16))
    result, probe_set = made_up_runs.make_run((4,) * 16, 12, pictures=12, exemplars=2, layer_names=names)
    write_report(result, tmp_path, probe_set)
    visit = visiting()
    visit.open(tmp_path / "html" / "index.html", "#/layer/encoder.layer.13.output")
    tabs = visit.page.locator(".tab-name")
    assert tabs.all_inner_texts() == [f"{number}.output" for number in range(16)]
    assert len(set(tabs.evaluate_all("(names) => names.map((name) => name.getBoundingClientRect().top)"))) == 1
    current = visit.page.locator(".tab[aria-current]").bounding_box()
    assert current["x"] >= 0 and current["x"] + current["width"] <= 1280
    assert visit.page.locator("#n-detectors").bounding_box()["y"] < 400
