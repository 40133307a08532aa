"""The page of the probe set: what is detected, why the rest is not, and what follows the threshold."""

import pytest

from netdissect.concepts import display_name
from netdissect.results.find import find_units

pytestmark = pytest.mark.browser
REASONS = {"absent": "absent", "size": "size", "chance": "chance", "other label": "other", "below": "below", None: ""}


def open_probe(visit, folder, query=""):
    visit.open(folder / "html/index.html", f"#/probe{query}")
    visit.page.wait_for_selector(".probe-table tbody tr")


@pytest.mark.parametrize("threshold", [0.04, 0.12, 0.3])
def test_reasons_are_those_of_the_search_for_concepts_at_any_threshold(visiting, trusted, threshold):
    result, folder = trusted
    visit = visiting()
    open_probe(visit, folder, f"?cut={threshold}")
    shown = visit.page.evaluate("() => netdissect.run.concepts.map((_, concept) => netdissect.findReason(concept))")
    found = {concept.name: concept for concept in find_units(result, threshold=threshold, images=0)}
    names = result.probe_set.vocabulary.names
    assert shown == [REASONS[found[name].reason] for name in names]
    counts = visit.page.evaluate(
        "() => netdissect.run.concepts.map((_, concept) => netdissect.countDetectorsOf(concept))"
    )
    assert counts == [found[name].detectors for name in names]
    detected = sum(reason == "" for reason in shown)
    assert visit.text(".page[data-page=probe] .lead a >> nth=0") == f"{detected} are detected"


def test_the_table_sorts_filters_and_searches_and_its_address_says_how(visit, drawn):
    result, folder = drawn
    open_probe(visit, folder)
    names = visit.page.locator(".probe-table tbody th a")
    visit.page.get_by_role("button", name="of all pixels").click()
    visit.page.wait_for_function("() => location.hash.includes('order=pixels')")
    G = next(iter(result.layers.values())).counts.G
    order = sorted(range(len(G)), key=lambda column: -G[column])
    assert names.all_inner_texts()[:10] == [
        display_name(result.probe_set.vocabulary.names[column]) for column in order[:10]
    ]
    assert visit.page.locator("th[aria-sort=descending]").inner_text().startswith("of all pixels")
    visit.page.get_by_role("button", name="of all pixels").click()
    visit.settle()
    assert names.first.inner_text() == display_name(result.probe_set.vocabulary.names[order[-1]])
    visit.page.get_by_label("Search concepts of the probe set").fill("cow")
    visit.page.wait_for_function("() => document.querySelectorAll('.probe-table tbody tr').length < 5")
    assert all("cow" in name for name in names.all_inner_texts())
    visit.page.get_by_label("Search concepts of the probe set").fill("zebra crossing")
    visit.page.wait_for_function(
        "() => document.querySelector('.probe-table tbody').innerText.includes('Nothing is called')"
    )
    visit.open(folder / "html/index.html", "#/probe?reason=not&cut=0.2")
    visit.page.wait_for_selector(".probe-table tbody tr")
    assert visit.page.locator(".probe-table tbody .why").first.inner_text() != ""
    assert "not detected" in visit.page.locator(".probe-tools select option:checked").inner_text()


def test_a_concept_and_an_image_open_from_the_page(visit, drawn):
    _, folder = drawn
    open_probe(visit, folder)
    first = visit.page.locator(".probe-table tbody th a").first
    name = first.inner_text()
    first.click()
    visit.settle()
    assert visit.page.evaluate("netdissect.run.concepts[netdissect.state.concept]") == name
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector(".probe-images a")
    visit.page.locator(".probe-images a").nth(3).click()
    visit.page.wait_for_selector(".image-units a")
    assert visit.page.evaluate("netdissect.state.image") == 3
