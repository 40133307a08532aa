"""Walks of people through the report, by what they see and press.

The third, what changed between two checkpoints, is in ``test_compare.py``.
"""

import re

import pytest

pytestmark = pytest.mark.browser


def find_number(text):
    return int(re.search(r"\d[\d,]*", text).group().replace(",", ""))


def test_what_did_this_layer_learn_and_can_i_trust_it(visiting, trusted):
    result, folder = trusted
    name, layer = list(result.layers.items())[-1]
    found = layer.detectors(result.settings.threshold)
    visit = visiting()
    visit.open(folder / "html/index.html", "#/")
    page = visit.page
    assert visit.text("main h1:visible") == result.network.name
    # The first page says over all layers what was found; the navigation leads to a layer.
    page.locator("#navigation").get_by_role("link", name="Layers").click()
    page.locator("#tabs").get_by_role("link", name=re.compile(re.escape(name.split("/")[0]))).click()
    visit.settle()
    assert visit.text("#layer-title").endswith(name) or name.endswith(visit.text("#layer-title"))
    assert visit.number("#n-detectors") == found.units
    assert visit.text("#sd-detectors").startswith("±")
    # How many of them are better than chance?
    page.get_by_label("Beyond chance only").check()
    visit.settle()
    beyond = visit.number("#n-detectors")
    trust = layer.unit_trust
    sure = {row.unit for row in layer.units if row.score >= result.settings.threshold and trust[row.channel].q < 0.05}
    assert beyond == len(sure) < found.units
    # What does it see best, and which units see that?
    page.locator("#columns a").first.click()
    concept = visit.text("main h1:visible")
    page.wait_for_selector("main .card:visible")
    assert concept in page.locator("main .card .name:visible").all_inner_texts()
    # Back where one was, with the same question still asked.
    page.go_back()
    visit.settle()
    assert page.locator("#overview").is_visible()
    assert visit.number("#n-detectors") == beyond


def test_find_the_unit_that_fires_on_a_concept_and_send_it_to_a_friend(visiting, trusted):
    result, folder = trusted
    layer = list(result.layers.values())[-1]
    best = layer.units[0]
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    visit.open(folder / "html/index.html", "#/")
    page = visit.page
    page.keyboard.press("/")
    page.keyboard.type(best.label.replace("_", " "))
    page.wait_for_selector("#find-list [role=option]")
    page.keyboard.press("Enter")
    page.wait_for_selector("main .card:visible")
    assert visit.text("main h1:visible") == best.label.replace("_", " ")
    card = page.locator("main .card:visible", has_text=re.compile(rf"[Uu]nit {best.unit}\b")).first
    card.click()
    page.wait_for_selector(".profile tbody tr")
    assert f"unit {best.unit}" in visit.text("#page .kicker").lower()
    page.get_by_role("button", name="Copy citation").first.click()
    page.wait_for_function("() => document.getElementById('announcement').textContent === 'Copied'")
    citation, link = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert citation.startswith(
        f"{result.network.name} {layer.name}:{best.unit} “{best.label.replace('_', ' ')}” {best.score:.3f}"
    )
    assert result.network.fingerprint[:8] in citation
    assert result.probe_set.fingerprint[:8] in citation
    # The friend opens the address in their copy of the report.
    assert link.startswith("index.html#/unit/")
    friend = visiting()
    friend.open(folder / "html/index.html", link.removeprefix("index.html"))
    friend.page.wait_for_selector(".profile tbody tr")
    assert friend.text("#page h1") == visit.text("#page h1")
    assert friend.text("#page .kicker") == visit.text("#page .kicker")
