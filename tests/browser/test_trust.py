"""What the report says of chance and uncertainty."""

import urllib.parse
from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs
from tests.browser.conftest import PHONE, find_violations, write_report

from netdissect.concepts import display_name
from netdissect.results.detectors import count_detectors, format_deviation, format_times
from netdissect.results.units import UnitTable

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


@pytest.fixture
def sure(visiting, trusted):
    """A visit to the second layer of the report of a run with trust tables."""
    started = visiting()
    started.open(trusted[1] / "html" / "index.html", f"#/layer/{urllib.parse.quote(LAYER, safe='')}")
    return started


def change(visit, words):
    visit.page.evaluate(f"netdissect.change({words})")
    visit.settle()


def find_unit(layer, *, beyond):
    """Return the number of the strongest detector that is beyond chance, or is not."""
    return next(row.unit for row in layer.units if (row.trust.q < 0.05) == beyond)


def keep_beyond(layer):
    return UnitTable([row for row in layer.units if row.trust.q is not None and row.trust.q < 0.05])


def test_every_count_has_the_error_of_the_result_at_any_threshold(sure, trusted):
    for index, layer in enumerate(trusted[0].layers.values()):
        for cut in (0.0, 0.02, 0.04, 0.1, 0.3, 0.9):
            change(sure, f"{{ layer: {index}, cut: {cut} }}")
            by_label, by_category = layer.count_spread(cut), layer.count_spread(cut, "category")
            errors = by_label.units_sd, by_label.unique_sd, by_category.unique_sd
            shown = [sure.text(f"#sd-{kind}") for kind in ("detectors", "label", "category")]
            for text, error in zip(shown, errors, strict=True):
                assert text == f"± {format_deviation(error)}", (cut, shown, errors)
            title = sure.page.locator("#sd-label").get_attribute("title")
            assert title.startswith(f"{by_label.unique_low} to {by_label.unique_high} in 95 % of 60 resamples")
            found = layer.detectors(cut).units
            assert sure.text(".tab[aria-current] .tab-note").startswith(f"{found} {shown[0]} of ")


def test_the_switch_counts_and_shows_only_what_is_beyond_chance(sure, trusted):
    layer = trusted[0].layers[LAYER]
    table = keep_beyond(layer)
    assert sure.page.locator("#cards .unsure").count() > 0
    sure.page.locator("#beyond").check()
    sure.settle()
    for cut in (0.02, 0.04, 0.1):
        change(sure, f"{{ cut: {cut} }}")
        by_label = count_detectors(table, threshold=cut)
        by_category = count_detectors(table, threshold=cut, definition="category")
        counted = [sure.number(f"#n-{kind}") for kind in ("detectors", "label", "category")]
        assert counted == [by_label.units, by_label.unique, by_category.unique]
    assert sure.number("#found-number") == len(table)
    assert sure.page.evaluate("() => [...netdissect.listShownUnits()].map((unit) => unit + 1)") == [
        row.unit for row in table
    ]
    assert sure.page.locator("#cards .unsure").count() == 0
    sure.page.wait_for_function("() => location.hash.includes('chance=beyond')")
    sure.page.keyboard.press("b")
    sure.settle()
    assert sure.number("#found-number") == layer.layer.units
    assert not sure.page.locator("#beyond").is_checked()


def test_the_address_keeps_the_switch(visiting, trusted):
    visit = visiting()
    visit.open(trusted[1] / "html" / "index.html", "#/layer/block2%2Fconv?chance=beyond")
    assert visit.page.locator("#beyond").is_checked()
    assert visit.number("#found-number") == len(keep_beyond(trusted[0].layers[LAYER]))


def test_the_layer_says_how_much_is_beyond_chance_and_shows_its_controls(sure, trusted):
    layer = trusted[0].layers[LAYER]
    summary = layer.summarize_trust(0.04)
    said = sure.text("#sure-lines")
    assert f"{summary.beyond} of {summary.detectors} detectors beyond chance (q < 0.05, 20 shifts)" in said
    assert f"{summary.beyond_reference} beyond untrained networks" in said
    assert f"{summary.unconvincing} of 90 units: no concept beats chance" in said
    assert f"At a threshold of {summary.cut:.3f}, 5 % of the detectors are expected by chance." in said
    assert f"no better than chance: {summary.null_share:.2f}." in said
    assert "20 shifts, 60 resamples" in sure.page.locator(".settings").text_content()
    times = [format_times(value) for value in (summary.times, summary.times_low, summary.times_high)]
    assert f"The scores are {times[0]} ({times[1]}–{times[2]}) times chance" in said
    assert "Control, untrained (seed-1): 11 ± 2 of 90 units detect 8 ± 0.4 unique concepts; 1.8 times chance." in said
    rows = sure.page.locator(".across tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["block1/conv", "untrained, 2 runs", LAYER, "untrained, 2 runs"]
    assert rows[3].split("\t")[1:7] == ["90", "11–12", "8", "", "", "1.8"]
    assert rows[2].split("\t")[5:7] == [str(summary.beyond), f"{times[0]} ({times[1]}–{times[2]})"]


def test_a_small_probe_set_is_warned_of_with_a_number(sure, trusted):
    layer = trusted[0].layers[LAYER]
    cut = next(
        step / 1000
        for step in range(400)
        if layer.count_spread(step / 1000).unique_sd > 0.1 * layer.detectors(step / 1000).unique + 0.1
    )
    change(sure, f"{{ cut: {cut} }}")
    error = format_deviation(layer.count_spread(cut).unique_sd)
    said = sure.text(".caution")
    assert said.startswith("1,000 images are few for these counts")
    assert f"{layer.detectors(cut).unique} unique concepts are uncertain by ± {error}" in said


def test_a_card_is_hollow_where_no_concept_beats_chance(sure, trusted):
    layer = trusted[0].layers[LAYER]
    hollows = set()
    for row in layer.units[:6]:
        card = sure.page.locator("#cards li", has_text=f"Unit {row.unit},").first
        text = card.locator(".chance").inner_text()
        beyond = row.trust.q < 0.05
        assert text.startswith("q ") if beyond else text == "no better than chance"
        hollow = "hollow" in card.locator(".card").get_attribute("class")
        assert hollow == (not beyond and row.score >= 0.04)
        hollows.add(hollow)
    assert hollows == {True, False}


@pytest.mark.parametrize("beyond", [True, False])
def test_a_units_page_shows_its_score_between_chance_and_its_interval(visiting, trusted, beyond):
    layer = trusted[0].layers[LAYER]
    number = find_unit(layer, beyond=beyond)
    row = layer.unit(number).row
    visit = visiting()
    visit.open(trusted[1] / "html" / "index.html", f"#/unit/block2%2Fconv/{number}")
    visit.page.wait_for_selector(".sure-strip canvas")
    lead = visit.text(".unit-head .lead")
    interval = f"{row.trust.low:.3f}–{row.trust.high:.3f}"
    facts = visit.page.locator(".unit-facts")
    half = f"{(row.trust.high - row.trust.low) / 2:.3f}".removeprefix("0")
    assert f"IoU {row.score:.3f} ± {half}" in facts.inner_text().replace("\n", " ")
    assert facts.locator(".half").get_attribute("title") == f"95 % interval {interval}"
    assert ("No concept beats chance" in lead) == (not beyond)
    assert visit.page.locator(".unit-head .swatch.hollow").count() == (not beyond)
    facts = dict(
        visit.page.locator(".sure-facts div").evaluate_all(
            "(rows) => rows.map((row) => [row.children[0].textContent, row.children[1].textContent])"
        )
    )
    assert facts["95 % interval"] == interval
    assert facts["By chance"] == f"{row.trust.chance:.3f}, {row.trust.cut:.3f} at most in 95 %"
    assert facts["Times chance"] == format_times(row.trust.lift)
    assert facts["Same label"] == f"in {100 * row.trust.keep:.0f} % of resamples"
    if len(row.trust.labels) > 1:
        assert facts["Label is one of"] == ", ".join(map(display_name, row.trust.labels))
    far = row.score - row.trust.honest > row.trust.high - row.trust.low
    assert ("On other images" in facts) == far
    assert "interval" in visit.page.locator(".sure-strip canvas").get_attribute("aria-label")
    assert visit.page.locator(".profile tbody tr").first.locator(".swatch.hollow").count() == (not beyond)


def test_the_score_on_other_images_is_shown_only_where_it_is_far_below(visiting, trusted, tmp_path):
    layer = trusted[0].layers[LAYER]
    visit = visiting()
    visit.open(trusted[1] / "html" / "index.html", "#/unit/block2%2Fconv/1")
    visit.page.wait_for_selector(".sure-strip canvas")
    count = "() => [...document.querySelectorAll('.sure-facts dt')].filter((name) => name.textContent === 'On other images').length"
    for row in layer.units[:6]:
        low, high = row.trust.low, row.trust.high
        for honest, shown in ((row.score - (high - low) * 1.1, 1), (row.score - (high - low) * 0.9, 0)):
            visit.page.evaluate(f"netdissect.run.layers[1].tables.honest[{row.channel}] = {max(honest, 0)}")
            visit.page.evaluate(
                f"netdissect.go({{ view: 'layer', layer: 1 }}); netdissect.go({{ view: 'unit', layer: 1, unit: {row.channel} }})"
            )
            visit.settle()
            visit.page.wait_for_selector(".sure-facts")
            assert visit.page.evaluate(count) == (shown if honest > 0 else row.score > high - low)


def test_a_run_without_trust_tables_looks_as_before(visit):
    assert visit.page.locator(".without-trust").count() == 1
    assert not visit.page.locator("#beyond-check").is_visible()
    assert not visit.page.locator("#sure").is_visible()
    assert visit.text("#sd-detectors") == ""
    assert visit.page.locator("#cards .chance:visible").count() == 0
    visit.page.keyboard.press("b")
    visit.settle()
    assert "chance" not in visit.page.evaluate("location.hash")
    visit.page.evaluate("netdissect.go({ view: 'unit', unit: 3 })")
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.page.locator(".sure-strip").count() == 0
    assert "±" not in visit.text(".unit-head")


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark", "viewport": PHONE}], ids=["light", "dark-phone"])
def test_pages_with_trust_tables_are_accessible(visiting, trusted, axe, options):
    layer = trusted[0].layers[LAYER]
    visit = visiting(**options)
    pages = ["#/layer/block2%2Fconv", "#/layer/block2%2Fconv?chance=beyond"]
    pages += [f"#/unit/block2%2Fconv/{find_unit(layer, beyond=beyond)}" for beyond in (True, False)]
    for address in pages:
        visit.open(trusted[1] / "html" / "index.html", address)
        visit.page.wait_for_selector(".sure-strip canvas" if "unit" in address else "#cards .chance")
        visit.page.evaluate("document.getElementById('sure-help').open = true")
        visit.settle()
        assert find_violations(axe, visit.page) == [], address
        width = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, address


def test_a_single_file_has_the_trust_of_units(visiting, trusted):
    visit = visiting()
    visit.open(trusted[1] / "report.html", "#/unit/block2%2Fconv/2")
    visit.page.wait_for_selector(".sure-facts")


def test_chance_alone_has_neither_errors_nor_intervals(visiting, trusted, tmp_path):
    result, probe_set = made_up_runs.make_run((24, 40), 40, pictures=50, trusted=True)
    layers = {
        name: replace(layer, trust=replace(layer.trust, spread=None, within=None))
        for name, layer in result.layers.items()
    }
    write_report(replace(result, layers=layers), tmp_path, probe_set)
    visit = visiting()
    visit.open(tmp_path / "html" / "index.html")
    assert visit.text("#sd-detectors") == ""
    assert "times chance" in visit.text("#sure-lines")
    visit.page.evaluate("netdissect.go({ view: 'unit', unit: 3 })")
    visit.page.wait_for_selector(".sure-facts")
    assert "95 % interval" not in visit.text(".sure-facts")


def test_a_unit_without_a_concept_has_no_q_and_counts_as_no_better_than_chance(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((24,), 40, pictures=50)
    layer = result.layers["block1/conv"]
    dead = layer.units[0].channel
    I, A = layer.counts.I.copy(), layer.counts.A.copy()
    I[dead], A[dead] = 0, 0
    layer = replace(layer, counts=replace(layer.counts, I=I, A=A))
    layer = replace(layer, trust=made_up_runs.make_trust(layer))
    write_report(replace(result, layers={layer.name: layer}), tmp_path, probe_set)
    visit = visiting()
    visit.open(tmp_path / "html" / "index.html", f"#/unit/block1%2Fconv/{dead + 1}")
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.text(".title") == "no concept"
    assert visit.page.locator(".sure-strip").count() == 0
    assert visit.page.locator(".unit-head .chance").count() == 0
    shown = "() => [...netdissect.listShownUnits()].map((unit) => unit + 1)"
    assert dead + 1 in visit.page.evaluate(shown)
    change(visit, "{ beyond: true }")
    assert dead + 1 not in visit.page.evaluate(shown)
    change(visit, "{ view: 'layer', beyond: false, query: String(" + str(dead + 1) + ") }")
    card = visit.page.locator("#cards li", has_text=f"Unit {dead + 1},").first
    assert "no concept" in card.inner_text()
    assert not card.locator(".chance").is_visible()


def test_a_layer_whose_units_are_all_chance_says_so(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((24,), 40, pictures=50, trusted=True)
    layer = result.layers["block1/conv"]
    likely = layer.label_scores * np.linspace(0.8, 1.2, 20)[:, None]
    chance = replace(layer.trust.chance, score=likely.astype(np.float32))
    layer = replace(layer, trust=replace(layer.trust, chance=chance))
    found, summary = layer.detectors(), layer.summarize_trust()
    assert found.units > summary.beyond == 0
    write_report(replace(result, layers={layer.name: layer}), tmp_path, probe_set)
    visit = visiting()
    visit.open(tmp_path / "html" / "index.html")
    assert f"only 0 of {found.units} detectors are beyond chance (q < 0.05)" in visit.text(".caution")
    assert f"{summary.unconvincing} of 24 units: no concept beats chance" in visit.text("#sure-lines")
    visit.page.locator("#beyond").check()
    visit.settle()
    assert visit.text("#graph-empty") == "No unit is beyond chance."
    assert visit.text("#nothing").startswith("No unit beyond chance is in this list")
    assert visit.number("#n-detectors") == visit.page.locator("#cards li").count() == 0
