"""The report of several runs, and the page that compares them."""

from collections import Counter
from math import hypot

import numpy as np
import pytest
from tests import made_up_runs
from tests.browser.conftest import DESKTOP, PHONE, find_violations, write_report

from netdissect.concepts import display_name
from netdissect.experiments.compare_runs import compare
from netdissect.results import files
from netdissect.results.detectors import format_deviation
from netdissect.results.matched_units import make_profiles, match_units

pytestmark = pytest.mark.browser

LAYER = "block2/conv"
PAGE = "#/compare/block2%2Fconv/1-3"
THRESHOLD = 0.04


def write_runs(folder, *, trusted=True, steps=(1, 5, 20)):
    results = []
    for seed, step in enumerate(steps):
        result, probe_set = made_up_runs.make_run(
            (24, 60), 40, pictures=50, trusted=trusted, grouped=trusted, seed=seed
        )
        path = folder / "runs" / f"epoch_{step}"
        files.save_run(result, path)
        write_report(result, path, probe_set)
        results.append(result)
    compare([folder / "runs"]).write_page(folder / "out")
    return results, folder / "out"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three runs, as results, and the folder of their report."""
    return write_runs(tmp_path_factory.mktemp("three"))


def open_compared(visit, folder, address=PAGE):
    visit.open(folder / "index.html", address)
    visit.page.wait_for_selector("[data-page=compare] .pair-tiles canvas")
    visit.settle()


def trace_units(results, partner):
    """Return the fate of every unit of the first run in the last, by its partner there."""
    first, last = (results[place].layers[LAYER] for place in (0, -1))

    def find_label(layer, unit):
        return layer.labels[unit] if layer.labels[unit] >= 0 and layer.label_scores[unit] >= THRESHOLD else None

    fates = {}
    for unit, other in enumerate(partner):
        before, after = find_label(first, unit), find_label(last, other)
        fates[unit] = "" if before is None and after is None else "gained" if before is None else "lost" if after is None else "kept" if before == after else "changed"  # fmt: skip
    return fates


def read_fates(visit):
    more = visit.page.locator("#traced-title ~ .more")
    while more.is_visible():
        more.click()
    rows = visit.page.locator(".traced").evaluate_all(
        "(rows) => rows.map((row) => [Number(row.querySelector('.unit-number').innerText.match(/\\d+/)[0]) - 1, row.querySelector('.fate').innerText])"
    )
    return dict(rows)


def test_every_run_has_its_pages_and_a_switch_goes_to_the_same_place(visiting, three):
    results, folder = three
    visit = visiting()
    visit.open(folder / "index.html", "#/unit/block2%2Fconv/7")
    for number, result in enumerate(results, 1):
        visit.page.locator("#run-switch").select_option(str(number))
        visit.page.wait_for_function(f"() => window.netdissect && netdissect.currentRun === {number} && netdissect.run")
        visit.page.wait_for_selector(".running")
        assert visit.page.evaluate("location.hash") == "#/unit/block2%2Fconv/7"
        expected = result.layers[LAYER].label_scores.tolist()
        assert visit.page.evaluate("[...netdissect.run.layers[1].labelScore]") == expected
        assert visit.page.evaluate("netdissect.loadLayer(netdissect.run.layers[1]).then((layer) => [...layer.T])") == [
            float(threshold) for threshold in result.layers[LAYER].thresholds
        ]
        visit.page.wait_for_function("() => [...document.images].some((image) => image.naturalWidth > 0)")
    visit.page.go_back()
    visit.page.wait_for_function("() => window.netdissect && netdissect.currentRun === 2 && netdissect.run")
    assert visit.page.locator("#run-switch").input_value() == "2"


def test_the_report_of_one_run_has_no_switch_and_no_comparison(visit):
    assert visit.page.locator("#run-switch").count() == 0
    visit.page.evaluate("location.hash = '#/compare'")
    visit.page.wait_for_selector("#missing:not([hidden])")
    assert "compare" in visit.text("#missing")


def test_a_comparison_opens_on_its_page_and_says_what_is_missing(visiting, three):
    visit = visiting()
    visit.open(three[1] / "index.html", "#")
    visit.page.wait_for_selector("[data-page=compare] h1")
    assert visit.page.evaluate("netdissect.state.view") == "compare"
    for address, words in (
        ("#/compare/conv9", "No layer “conv9” is compared."),
        ("#/compare/block2%2Fconv/1-9", "No runs “1-9” in this comparison, which has 3 runs."),
    ):
        visit.open(three[1] / "index.html", address)
        assert visit.text("#missing") == words


@pytest.mark.parametrize("matching", ["number", "likeness"])
def test_the_fates_of_units_are_those_of_their_labels(visiting, three, matching):
    results, folder = three
    first, last = (make_profiles(results[place].layers[LAYER]) for place in (0, 2))
    partner = range(60) if matching == "number" else match_units(first, last).partner.tolist()
    expected = trace_units(results, partner)
    visit = visiting()
    open_compared(visit, folder, f"{PAGE}?match={matching}")
    assert read_fates(visit) == {unit: fate for unit, fate in expected.items() if fate}
    counts = Counter(expected.values())
    for fate in ("kept", "changed", "lost", "gained"):
        chip = visit.page.locator(".traced-tools .chip", has_text=fate)
        assert int(chip.inner_text().split()[-1]) == counts[fate]
        chip.click()
        assert visit.page.locator(".traced").count() == min(counts[fate], 24)
    lead = visit.text("[data-page=compare] .lead")
    assert [int(word) for word in lead.replace(",", "").split() if word.isdigit()][1:5] == [counts[fate] for fate in ("kept", "changed", "lost", "gained")]  # fmt: skip
    assert ("matched by number" in lead) == (matching == "number")


def test_counts_have_their_errors_and_a_change_has_that_of_both(visiting, three):
    results, folder = three
    visit = visiting()
    open_compared(visit, folder)
    rows = visit.page.locator(".counts tbody tr")
    errors = []
    for row, result in enumerate(results):
        layer = result.layers[LAYER]
        spread, by_category = layer.count_spread(THRESHOLD), layer.count_spread(THRESHOLD, "category")
        summary = layer.summarize_trust(THRESHOLD)
        errors.append((layer.detectors(THRESHOLD).units, spread.units_sd))
        assert rows.nth(row).locator("td").all_inner_texts()[:4] == [
            f"{layer.detectors(THRESHOLD).units} ± {format_deviation(spread.units_sd)} of 60",
            f"{layer.detectors(THRESHOLD).unique} ± {format_deviation(spread.unique_sd)}",
            f"{layer.detectors(THRESHOLD, 'category').unique} ± {format_deviation(by_category.unique_sd)}",
            str(summary.beyond),
        ]
    (before, sd), (after, other) = errors[0], errors[2]
    sign = "+" if after > before else "−" if after < before else ""
    change = rows.nth(3).locator("td").first.inner_text()
    assert change == f"{sign}{abs(after - before)} ± {format_deviation(hypot(sd, other))}"


def test_the_threshold_moves_every_part(visiting, three):
    results, folder = three
    visit = visiting()
    open_compared(visit, folder)
    visit.page.evaluate("netdissect.change({ cut: 0.1 })")
    visit.settle()
    detectors = [result.layers[LAYER].detectors(0.1).units for result in results]
    texts = visit.page.locator(".counts tbody tr td:nth-child(2)").all_inner_texts()
    assert [int(text.split()[0]) for text in texts[:3]] == detectors
    named = results[0].layers[LAYER].detectors(0.1)
    assert visit.page.locator(".emergence tbody tr").count() >= named.unique


def test_concepts_have_their_units_in_every_run(visiting, three):
    results, folder = three
    visit = visiting()
    open_compared(visit, folder)
    expected = {}
    for place, result in enumerate(results):
        layer = result.layers[LAYER]
        for column, number in zip(*np.unique(layer.labels[(layer.labels >= 0) & (layer.label_scores >= THRESHOLD)], return_counts=True), strict=True):  # fmt: skip
            expected.setdefault(display_name(layer.vocabulary.names[column]), [0, 0, 0])[place] = int(number)
    found = visit.page.locator(".emergence tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [row.querySelector('th').innerText, [...row.querySelectorAll('td')].map((cell) => Number(cell.innerText))])"
    )
    assert dict(found) == expected
    lost = sum(before and not after for before, _, after in expected.values())
    assert visit.text("section[aria-labelledby=emergence-title] .chip:has-text('lost')").split() == ["lost", str(lost)]


def test_a_unit_is_found_by_concept_or_number(visiting, three):
    results, folder = three
    visit = visiting()
    open_compared(visit, folder, f"{PAGE}?match=number")
    fates = {unit: fate for unit, fate in trace_units(results, range(60)).items() if fate}
    layer = results[0].layers[LAYER]
    unit = next(unit for unit, fate in fates.items() if fate == "lost")
    search = visit.page.get_by_role("searchbox", name="Search the units")
    search.fill(f"unit {unit + 1}")
    assert unit in read_fates(visit)
    assert all(str(unit + 1) in text for text in visit.page.locator(".traced").all_inner_texts())
    search.fill(display_name(layer.vocabulary.names[layer.labels[unit]]) + " lost")
    assert unit in read_fates(visit)
    search.fill("nothing called so")
    assert "No such unit answers" in visit.text("#traced-title ~ [role=status]")


def test_what_changed_between_two_checkpoints(visiting, three):
    """Walk from the sentence to a unit that lost its label, beside itself, and on to its page in the later run."""
    results, folder = three
    visit = visiting()
    visit.open(folder / "index.html", "#")
    visit.page.wait_for_selector("[data-page=compare] .traced")
    visit.page.locator(".choice select").first.select_option(label=LAYER)
    visit.page.get_by_role("button", name="by number").click()
    lost = [unit for unit, fate in trace_units(results, range(60)).items() if fate == "lost"]
    visit.page.locator(".lead .link").nth(2).click()
    visit.settle()
    assert visit.page.locator(".traced").count() == min(24, len(lost))
    row = visit.page.locator(".traced").first
    unit = int(row.locator(".unit-number").inner_text().split()[-1])
    row.focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function(f"() => document.querySelector('.pair h2').innerText.startsWith('Unit {unit}:')")
    visit.page.wait_for_function("() => document.querySelectorAll('.pair-tiles img').length === 16")
    visit.page.wait_for_function(f"() => location.hash.endsWith('/1-3/{unit}?match=number')")
    same = visit.page.locator(".pair-columns article").evaluate_all(
        "(articles) => articles.map((article) => [...article.querySelectorAll('img')].map((image) => image.src))"
    )
    assert all(
        image.endswith(f"{row:06d}.jpg")
        for image, row in zip(same[0], results[0].layers[LAYER].exemplars.images[unit - 1, :8], strict=True)
    )
    shared = [image for image in same[0] if image in same[1]]
    note = visit.text(".same-images")
    assert note.startswith(f"{len(shared)} of 8 images are the same" if shared else "None of these images")
    visit.page.locator(".pair-columns article > p > a").nth(1).click()
    visit.page.wait_for_function(
        "() => window.netdissect && netdissect.currentRun === 3 && netdissect.run && netdissect.state.view === 'unit'"
    )
    assert visit.page.evaluate("netdissect.state.unit") == unit - 1


def test_pointing_at_an_image_marks_the_same_one_in_the_other_run(visiting, three):
    results, folder = three
    first, last = (results[place].layers[LAYER].exemplars.images[:, :8] for place in (0, 2))
    unit = next(unit for unit in range(60) if set(first[unit]) & set(last[unit]))
    place = next(place for place, image in enumerate(first[unit]) if image in last[unit])
    visit = visiting()
    open_compared(visit, folder, f"{PAGE}/{unit + 1}?match=number")
    visit.page.wait_for_function("() => document.querySelectorAll('.pair-tiles img').length === 16")
    visit.page.locator(".pair-columns article").first.locator(".frame").nth(place).hover()
    marked = visit.page.locator(".tile.same img").evaluate_all("(images) => images.map((image) => image.src)")
    assert len(marked) == 2
    assert marked[0] == marked[1]


def test_the_slider_moves_the_later_run(visiting, three):
    visit = visiting()
    open_compared(visit, three[1])
    slider = visit.page.get_by_role("slider", name="Later run")
    slider.focus()
    visit.page.keyboard.press("ArrowLeft")
    visit.settle()
    assert visit.text("[data-page=compare] h1").split() == ["epoch_1", "→", "epoch_5"]
    visit.page.wait_for_function("() => location.hash.includes('/1-2')")


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_comparison_is_accessible_and_does_not_scroll_sideways(visiting, three, axe, screen):
    visit = visiting(viewport=screen)
    open_compared(visit, three[1])
    assert find_violations(axe, visit.page, both_themes=True) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_old_runs_and_single_layers_are_compared_without_errors_or_intervals(visiting, tmp_path):
    results, folder = write_runs(tmp_path, trusted=False, steps=(1, 2))
    visit = visiting()
    open_compared(visit, folder, "#/compare/block2%2Fconv/1-2")
    assert "±" not in visit.text(".counts")
    assert (
        visit.page.locator(".counts tbody td")
        .first.inner_text()
        .startswith(f"{results[0].layers[LAYER].detectors(THRESHOLD).units} of 60")
    )
    assert not visit.page.locator(".course").is_visible()
    assert "resamples" not in visit.text("[data-page=compare] .lead")
