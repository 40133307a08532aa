"""What the report says of formulas and ablations."""

import re
from dataclasses import replace

import pytest
from tests import made_up_runs
from tests.browser.conftest import PHONE, find_violations, write_report

from netdissect.concepts import display_name
from netdissect.results.ablation import LayerAblation

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


@pytest.fixture(scope="session")
def analyzed(tmp_path_factory):
    """A report of a run with trust tables, formulas and ablations: its result and its folder."""
    folder = tmp_path_factory.mktemp("analyzed")
    result, probe_set = made_up_runs.make_run((24, 90), 40, pictures=50, trusted=True, analyzed=True)
    write_report(result, folder, probe_set, single_file=True)
    return result, folder


@pytest.fixture
def asked(visiting, analyzed):
    """A visit to the second layer of that report."""
    started = visiting()
    started.open(analyzed[1] / "html" / "index.html", "#/layer/block2%2Fconv")
    started.page.wait_for_selector("#ablation-table tbody tr")
    return started


def open_unit(visiting, folder, number, file="html/index.html"):
    visit = visiting()
    visit.open(folder / file, f"#/unit/block2%2Fconv/{number}")
    visit.page.wait_for_selector(".profile tbody tr")
    return visit


def list_shown(visit):
    return visit.page.evaluate("() => [...netdissect.listShownUnits()].map((unit) => unit + 1)")


def write_words(formula, layer):
    return formula.describe([display_name(name) for name in layer.vocabulary.names])


def find_numbers(layer, keep):
    return [channel + 1 for channel, unit in enumerate(layer.formulas.units) if unit is not None and keep(unit)]


def sign(value, digits=2):
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else f"{'−' if value < 0 else '+'}{text}"


def test_the_layer_says_how_many_units_have_a_formula_beyond_chance(asked, analyzed):
    beyond = find_numbers(analyzed[0].layers[LAYER], lambda unit: unit.is_beyond_chance)
    assert f"{len(beyond)} of 89 units have a formula of up to 3 concepts beyond chance (5 shifts)." in asked.text(
        "#sure-lines"
    )


@pytest.mark.parametrize("file", ["html/index.html", "report.html"])
def test_a_units_page_shows_its_formula_with_proof_chance_and_ceiling(visiting, analyzed, file):
    layer = analyzed[0].layers[LAYER]
    several = find_numbers(layer, lambda unit: unit.is_beyond_chance and len(unit.formula) == 3)
    better = [
        number
        for number in several
        if layer.formulas.units[number - 1].baseline > layer.formulas.units[number - 1].single
    ]
    number = better[0] if file == "report.html" else several[0]
    unit = layer.formulas.units[number - 1]
    visit = open_unit(visiting, analyzed[1], number, file)
    words = write_words(unit.formula, layer)
    said = f"As a formula: {words}, IoU {unit.iou:.3f}, proved best of 3, chance gain {unit.chance:.3f}."
    assert visit.text(".formula-line") == said
    section = visit.page.get_by_role("region", name="Formula")
    facts = dict(
        section.locator(".facts div").evaluate_all(
            "(rows) => rows.map((row) => [row.children[0].textContent, row.children[1].textContent])"
        )
    )
    expected = {
        "Single concept": f"{unit.single:.3f}", "On the formula’s images": f"{unit.baseline:.3f}",
        "Formula": f"{unit.iou:.3f}, proved best of 3", "Gain": f"{unit.gain:.3f}, {unit.chance:.3f} by chance", "Ceiling": f"{unit.ceiling:.3f}",
    }  # fmt: skip
    if unit.baseline == unit.single:
        del expected["On the formula’s images"]
    assert facts == expected
    label = section.locator("canvas").get_attribute("aria-label")
    assert f"of the formula {unit.iou:.3f}" in label
    assert f"ceiling {unit.ceiling:.3f}" in label
    kinds = {layer.vocabulary.concepts[column].category for column in unit.formula.columns}
    said = section.locator(".note").inner_text()
    assert ("images with labels of" in said) == (len(kinds) > 1)
    assert all(kind in said for kind in kinds) or len(kinds) == 1
    link = section.locator(".formula-name a").last
    assert link.inner_text() == display_name(layer.vocabulary.names[unit.formula.columns[-1]])
    link.click()
    visit.page.wait_for_selector(".plot canvas")
    assert visit.page.evaluate("netdissect.state.concept") == unit.formula.columns[-1]


def test_a_formula_that_chance_explains_is_hidden_and_the_page_says_so(visiting, analyzed):
    layer = analyzed[0].layers[LAYER]
    number = find_numbers(layer, lambda unit: not unit.is_beyond_chance and unit.formula and len(unit.formula) > 1)[0]
    unit = layer.formulas.units[number - 1]
    visit = open_unit(visiting, analyzed[1], number)
    said = visit.page.get_by_role("region", name="Formula").inner_text()
    assert (
        f"The best formula of up to 3 concepts is not shown: it gains {unit.gain:.3f}, and chance as much ({unit.chance:.3f})."
        in said
    )
    assert visit.page.locator(".formula-line, .formula-name").count() == 0
    assert write_words(unit.formula, layer) not in visit.text("#page")
    single = find_numbers(layer, lambda unit: unit.formula and len(unit.formula) == 1)[0]
    visit = open_unit(visiting, analyzed[1], single)
    assert "No formula of up to 3 concepts fits better than one concept." in visit.text("#page")


def test_a_unit_that_was_not_asked_for_has_no_formula_section(visiting, analyzed):
    visit = open_unit(visiting, analyzed[1], 90)
    assert visit.page.get_by_role("region", name="Formula").count() == 0


def test_a_search_finds_units_by_the_concepts_of_their_formulas(asked, analyzed):
    layer = analyzed[0].layers[LAYER]
    names = [display_name(name) for name in layer.vocabulary.names]
    for number in find_numbers(layer, lambda unit: unit.is_beyond_chance)[:6]:
        formula = layer.formulas.units[number - 1].formula
        asked.page.evaluate(f"netdissect.change({{ query: {names[formula.columns[-1]]!r}, cut: 1 }})")
        asked.settle()
        assert (number in list_shown(asked)) == (formula.operators[-1] != "and not")
        asked.page.evaluate(
            f"netdissect.change({{ query: {f'{formula.operators[-1]} {names[formula.columns[-1]]}'!r} }})"
        )
        asked.settle()
        assert number in list_shown(asked)


def test_a_card_says_what_the_formula_adds_to_the_label(asked, analyzed):
    layer = analyzed[0].layers[LAYER]
    names = [display_name(name) for name in layer.vocabulary.names]
    number = find_numbers(layer, lambda unit: unit.is_beyond_chance and len(unit.formula) == 3)[0]
    formula = layer.formulas.units[number - 1].formula
    asked.page.evaluate(f"netdissect.change({{ query: '{number}', sort: 'unit' }})")
    asked.settle()
    also = asked.page.locator("#cards li", has_text=f"Unit {number},").first.locator(".also")
    added = [
        f"{operator.upper()} {names[column]}"
        for operator, column in zip(formula.operators, formula.columns[1:], strict=True)
    ]
    assert also.inner_text() == ", ".join(added)
    assert also.get_attribute("title") == write_words(formula, layer)


def test_the_table_of_ablations_has_every_figure_largest_loss_first(asked, analyzed):
    ablation = analyzed[0].layers[LAYER].ablation
    asked.page.locator("#ablation-table button.more").click()
    rows = [row.split("\t") for row in asked.page.locator("#ablation-table tbody tr").all_inner_texts()]
    assert len(rows) == len(ablation.concepts) > 12
    for cells, found in zip(rows, ablation.concepts, strict=True):
        shown = [cell.strip() for cell in cells]
        assert shown[:3] == [display_name(found.concept), str(len(found.units)), found.class_name.replace("_", " ")]
        assert shown[4:6] == [f"{sign(found.margin)} [{sign(found.low)}, {sign(found.high)}]", sign(found.matched)]
        assert shown[7:9] == [sign(found.accuracy, 3), sign(found.matched_accuracy, 3)]
    real = [found for found in ablation.concepts if found.q < 0.05 and found.margin < 0]
    assert asked.page.locator("#ablation-table .interval:not(.hollow)").count() == len(real) > 0
    assert asked.text(".ablation-count").startswith(f"{len(real)} of {len(rows)} concepts:")
    said = asked.text("#ablation-words")
    assert "set to 0" in said
    assert "500 images of 6 classes" in said
    assert "93.0 %" in said
    asked.page.locator("#ablation-notes summary").click()
    for concept, why in ablation.left_out.items():
        assert f"{display_name(concept)} {why}" in asked.text("#ablation-notes")


def test_intervals_and_matched_sets_share_one_axis(asked, analyzed):
    ablation = analyzed[0].layers[LAYER].ablation
    asked.page.locator("#ablation-table button.more").click()
    ends = [
        value for found in ablation.concepts for value in (found.low, found.high, found.matched_low, found.matched_high)
    ]
    low, high = min(0, *ends), max(0, *ends)
    places = asked.page.locator("#ablation-table .interval").evaluate_all(
        "(all) => all.map((each) => ['.dot', '.range', '.matched', '.band', '.zero'].map((name) => parseFloat(each.querySelector(name).style.left)))"
    )
    for found, shown in zip(ablation.concepts, places, strict=True):
        expected = [
            100 * (value - low) / (high - low)
            for value in (found.margin, found.low, found.matched, found.matched_low, 0)
        ]
        assert shown == pytest.approx(expected, abs=0.01)


def test_the_curve_shows_the_mean_of_all_classes_or_one_class_with_its_units(asked, analyzed):
    curves = analyzed[0].layers[LAYER].ablation.curves
    table = asked.page.locator("#ablation-curves tbody tr")
    means = [sum(values) / len(curves) for values in (
        [curve.intact for curve in curves], *([curve.removed[step] for curve in curves] for step in (1, 4, 20)),
    )]  # fmt: skip
    assert table.first.inner_text().split("\t") == ["most important", *(f"{mean:.3f}" for mean in means)]
    assert asked.page.locator(".unit-names li").count() == 0
    asked.page.locator("#ablation-curves select").select_option(label="office tower")
    curve = next(curve for curve in curves if curve.class_name == "office_tower")
    assert table.last.inner_text().split("\t") == [
        "random",
        f"{curve.intact:.3f}",
        *(f"{curve.random[step]:.3f}" for step in (1, 4, 20)),
    ]
    assert f"With only the 20 most important units: {curve.only:.3f}." in asked.text("#ablation-curves")
    links = asked.page.locator(".unit-names a").all_inner_texts()
    assert links == [f"unit {number}" for number in curve.units]
    asked.page.locator(".unit-names a").first.click()
    asked.page.wait_for_selector(".profile tbody tr")
    assert asked.page.evaluate("netdissect.state.unit") == curve.units[0] - 1
    assert "office tower (1)" in asked.text(".unit-head")


def test_a_concepts_page_says_what_its_units_removal_changes(visiting, analyzed):
    layer = analyzed[0].layers[LAYER]
    for found in (layer.ablation.concepts[0], layer.ablation.concepts[-1]):
        number = layer.vocabulary.concepts[layer.vocabulary.names.index(found.concept)].number
        visit = visiting()
        visit.open(analyzed[1] / "html/index.html", f"#/concept/{number}/x?cut=0.001")
        visit.page.wait_for_selector(".ablation-line")
        said = visit.page.locator(".ablation-of", has_text=LAYER).locator(".ablation-line").inner_text()
        digits = 1 if abs(found.margin) >= 1 else 2
        name, place = display_name(found.concept), found.class_name.replace("_", " ")
        assert said.startswith(
            f"Remove the {len(found.units)} units of {name}: margin of class {place} {sign(found.margin, digits)} [{sign(found.low, digits)}, {sign(found.high, digits)}]; "
            f"matched random {sign(found.matched, digits)}."
        )
    concept, why = next(iter(layer.ablation.left_out.items()))
    number = layer.vocabulary.concepts[layer.vocabulary.names.index(concept)].number
    visit = visiting()
    visit.open(analyzed[1] / "html/index.html", f"#/concept/{number}/x?cut=0.001")
    visit.page.wait_for_selector(".ablation-of")
    assert (
        f"Its units were not removed from the network: {why}."
        in visit.page.locator(".ablation-of", has_text=LAYER).inner_text()
    )


def test_a_run_without_formulas_and_ablations_looks_as_before(visit):
    assert not visit.page.locator("#ablation").is_visible()
    assert not visit.page.locator("#sure").is_visible()
    visit.page.evaluate("netdissect.go({ view: 'unit', unit: 3 })")
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.page.locator(".formula-line, .formula-name").count() == 0
    assert visit.page.get_by_role("region", name="Formula").count() == 0


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark", "viewport": PHONE}], ids=["light", "dark-phone"])
def test_pages_with_formulas_and_ablations_are_accessible(visiting, analyzed, axe, options):
    layer = analyzed[0].layers[LAYER]
    number = find_numbers(layer, lambda unit: unit.is_beyond_chance)[0]
    concept = layer.vocabulary.concepts[layer.vocabulary.names.index(layer.ablation.concepts[0].concept)].number
    pages = {
        "#/layer/block2%2Fconv": "#ablation-table tbody tr", f"#/unit/block2%2Fconv/{number}": ".formula-name",
        f"#/concept/{concept}/x": ".ablation-line",
    }  # fmt: skip
    visit = visiting(**options)
    for address, shown in pages.items():
        visit.open(analyzed[1] / "html/index.html", address)
        visit.page.wait_for_selector(shown)
        visit.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        if visit.page.locator("#ablation-curves select").is_visible():
            visit.page.locator("#ablation-curves select").select_option(index=2)
        assert find_violations(axe, visit.page) == [], address
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= visit.page.viewport_size["width"]


@pytest.mark.parametrize("width", [1100, 1280, 1440, 1920])
def test_the_toolbar_shows_every_category_in_full(visiting, analyzed, width):
    visit = visiting(viewport={"width": width, "height": 900})
    visit.open(analyzed[1] / "html/index.html", "#/layer/block2%2Fconv")
    for _ in range(2):
        room = visit.page.locator("#categories").evaluate("(home) => [home.scrollWidth, home.clientWidth]")
        assert room[0] <= room[1]
        last = visit.page.locator("#categories .chip").last.bounding_box()
        assert last["x"] + last["width"] <= width
        visit.page.evaluate(
            "document.querySelectorAll('#categories .number').forEach((each) => { each.textContent = ' 1,024'; })"
        )


def test_the_ablations_are_printed_in_the_pages_width(asked):
    asked.page.emulate_media(media="print")
    asked.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    table = asked.page.locator("#ablation-table table")
    assert table.evaluate("(table) => table.offsetWidth <= 700")
    assert re.fullmatch(
        r"\d+(\.\d+)?px", asked.page.locator(".curve-field canvas").evaluate("(canvas) => canvas.style.width")
    )


def test_the_curve_follows_the_theme_and_the_width(asked):
    pixels = "() => { const canvas = document.querySelector('.curve-field canvas'); return [canvas.width, canvas.toDataURL()]; }"
    asked.settle()
    before = asked.page.evaluate(pixels)
    asked.page.evaluate("netdissect.change({ cut: 0.1 })")
    asked.settle()
    assert asked.page.evaluate(pixels) == before
    asked.page.keyboard.press("d")
    asked.settle()
    dark = asked.page.evaluate(pixels)
    assert dark[0] == before[0]
    assert dark[1] != before[1]
    asked.page.set_viewport_size({"width": 1000, "height": 900})
    asked.settle()
    assert asked.page.evaluate(pixels)[0] < dark[0]


def test_formulas_of_one_concept_and_an_ablation_without_concepts_are_drawn(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((24,), 40, pictures=50)
    layer = result.layers["block1/conv"]
    empty = LayerAblation("mean", 10, 2, 1.0, (), notes=("no concept has units beyond chance",))
    layer = replace(layer, formulas=made_up_runs.make_formulas(layer, length=1, shifts=0), ablation=empty)
    write_report(replace(result, layers={layer.name: layer}), tmp_path, probe_set)
    visit = visiting()
    visit.open(tmp_path / "html" / "index.html")
    visit.page.wait_for_selector(".ablation-count")
    assert "0 of 23 units have a formula of up to 1 concept, of which it is not known what chance gives." in visit.text(
        "#sure-lines"
    )
    said = visit.text("#ablation")
    assert "set to their means" in said
    assert "The units of no concept were removed." in said
    assert "No concept has units beyond chance." in said
    assert not visit.page.locator("#ablation-table, #ablation-key").first.is_visible()
    visit.page.evaluate("netdissect.go({ view: 'unit', unit: 3 })")
    visit.page.wait_for_selector(".profile tbody tr")
    assert "No formula of up to 1 concept fits better than one concept." in visit.text("#page")
