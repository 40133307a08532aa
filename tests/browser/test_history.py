"""The way from page to page: back, Esc, "←", stepping to neighbors, and where the focus goes."""

import urllib.parse

import pytest

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


def open_layer(visit, folder, query=""):
    visit.open(folder / "html/index.html", f"#/layer/{urllib.parse.quote(LAYER, safe='')}{query}")


def follow_card(visit, place):
    """Open a card of the layer page by the keyboard; return its unit, counted from 1."""
    card = visit.page.locator("#cards a").nth(place)
    unit = int(card.locator(".meta").inner_text().split()[1].strip(","))
    card.focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#page h1")
    return unit


def step(visit, key, times):
    for _ in range(times):
        visit.page.keyboard.press(key)
        visit.settle()


def wait_for_card(visit, unit):
    visit.page.wait_for_function(
        """(unit) => document.querySelector("#overview").offsetParent
        && document.activeElement.getAttribute("href")?.split("?")[0].endsWith(`/${unit}`)""",
        arg=unit,
    )


@pytest.mark.parametrize("how", ["escape", "up", "back"])
def test_after_stepping_through_units_one_way_back_leads_to_the_cards(visit, drawn, how):
    open_layer(visit, drawn[1], "?q=object")
    follow_card(visit, 2)
    step(visit, "ArrowRight", 3)
    unit = visit.page.evaluate("netdissect.state.unit") + 1
    length = visit.page.evaluate("history.length")
    if how == "escape":
        visit.page.keyboard.press("Escape")
    elif how == "up":
        visit.page.locator("#page a.up").click()
    else:
        visit.page.go_back()
    wait_for_card(visit, unit)
    assert visit.page.evaluate("netdissect.state.query") == "object"
    assert visit.page.evaluate("history.length") == length


def test_the_focus_returns_to_the_card_that_was_opened(visit, drawn):
    open_layer(visit, drawn[1])
    visit.page.locator("#cards a").nth(4).focus()
    place = visit.page.evaluate("scrollY")
    unit = follow_card(visit, 4)
    visit.page.keyboard.press("Escape")
    wait_for_card(visit, unit)
    assert visit.page.evaluate("scrollY") == place


def test_the_arrow_leads_where_it_says_from_any_page(visit, drawn):
    """From a layer to a concept, from there to a unit: "←" names the layer and leads to it, Esc leads to the concept."""
    open_layer(visit, drawn[1])
    visit.page.locator(".concepts a").first.click()
    visit.page.wait_for_selector("#page .card")
    visit.page.locator("#page .card").first.click()
    visit.page.wait_for_selector("#page .kicker >> text=unit")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_function("() => netdissect.state.view === 'concept'")
    visit.page.wait_for_function("() => document.activeElement.matches('#page .card')")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function("() => netdissect.state.view === 'unit'")
    named = visit.text("#page a.up")
    visit.page.locator("#page a.up").click()
    visit.page.wait_for_selector("#overview:not([hidden])")
    assert named.endswith(visit.text("#layer-title"))


def test_a_page_opened_by_its_address_has_a_way_up(visit, drawn):
    visit.open(drawn[1] / "html/index.html", "#/unit/block2%2Fconv/12")
    visit.page.keyboard.press("Escape")
    wait_for_card(visit, 12)
    assert visit.text("#layer-title") == LAYER
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_function("() => netdissect.state.view === 'network'")
    visit.page.keyboard.press("Escape")
    visit.settle()
    assert visit.page.evaluate("netdissect.state.view") == "network"


def test_a_neighbor_is_a_step_of_the_page_and_not_of_the_history(visit, drawn):
    open_layer(visit, drawn[1])
    follow_card(visit, 0)
    length = visit.page.evaluate("history.length")
    visit.page.locator("#page a[rel=next]").click()
    visit.settle()
    visit.page.locator("#page a[rel=next]").click()
    visit.settle()
    visit.page.locator("#page a[rel=prev]").click()
    visit.settle()
    assert visit.page.evaluate("history.length") == length
    assert visit.page.evaluate("netdissect.state.unit") == visit.page.evaluate("netdissect.listShownUnits()[1]")


def test_stepping_through_layers_is_one_step_back(visit, drawn):
    visit.open(drawn[1] / "html/index.html", "#/")
    visit.page.locator("main a[href^='#/layer/']").first.click()
    visit.page.wait_for_selector("#overview:not([hidden])")
    step(visit, "]", 2)
    assert visit.page.evaluate("netdissect.state.layer") == 2
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_function("() => netdissect.state.view === 'network'")


def test_what_was_missing_is_not_said_of_the_next_page(visit, drawn):
    visit.open(drawn[1] / "html/index.html", "#/unit/nowhere/1")
    assert visit.page.locator("#missing").is_visible()
    visit.page.locator("#navigation a", has_text="Layers").click()
    visit.settle()
    assert not visit.page.locator("#missing").is_visible()
