"""Units to compare with: those that fire on the same images, and a pinned one."""

import urllib.parse

import numpy as np
import pytest

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


def address(number, query=""):
    return f"#/unit/{urllib.parse.quote(LAYER, safe='')}/{number}{query}"


def test_units_that_share_most_images_are_shown_below_a_unit(visit, drawn):
    result, folder = drawn
    images = result.layers[LAYER].exemplars.images
    unit = 7
    shared = {other: len(set(images[unit]) & set(images[other])) for other in range(len(images)) if other != unit}
    visit.open(folder / "html/index.html", address(unit + 1))
    visit.page.wait_for_selector(".similar .card")
    shown = visit.page.locator(".similar .meta").all_inner_texts()
    counts = [int(text.split(", ")[-1].split()[0]) for text in shown]
    assert counts == sorted(shared.values(), reverse=True)[: len(counts)]
    for text, count in zip(shown, counts, strict=True):
        assert shared[int(text.split()[1].strip(",")) - 1] == count
        assert text.endswith(f"{count} images shared")
    visit.page.locator(".similar .card").first.click()
    visit.settle()
    assert visit.page.evaluate("netdissect.state.unit") == int(shown[0].split()[1].strip(",")) - 1


def test_a_pinned_unit_stays_beside_the_others(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    first, second = layer.units[0], layer.units[1]
    visit.open(folder / "html/index.html", address(first.unit))
    visit.page.wait_for_selector(".profile tbody tr")
    visit.page.keyboard.press("p")
    visit.settle()
    assert visit.page.get_by_role("button", name="Pinned").get_attribute("aria-pressed") == "true"
    assert visit.page.locator(".pinned").count() == 0  # a unit does not stand beside itself
    visit.page.keyboard.press("ArrowRight")
    visit.page.wait_for_selector(".pinned .card")
    units = [text.split(",")[0] for text in visit.page.locator(".pinned .meta").all_inner_texts()]
    assert units == [f"Unit {first.unit}", f"Unit {second.unit}"]
    visit.page.wait_for_selector(f".profile thead th:has-text('Unit {first.unit}')")
    names = visit.page.locator(".profile tbody th").all_inner_texts()
    from netdissect.concepts import display_name

    column = [display_name(name) for name in layer.vocabulary.names].index(names[0])
    cells = visit.page.locator(".profile tbody tr").first.locator("td.figure").all_inner_texts()
    assert cells[:2] == [f"{layer.iou[unit.channel, column]:.3f}" for unit in (second, first)]
    visit.page.wait_for_function("() => location.hash.includes('pin=')")
    link = visit.page.evaluate("location.hash")
    visit.open(folder / "html/index.html", link)
    visit.page.wait_for_selector(".pinned .card")
    visit.page.get_by_role("button", name="Unpin").click()
    visit.settle()
    assert visit.page.locator(".pinned").count() == 0
    assert visit.page.locator(".profile thead th", has_text="Unit").count() == 0


def test_units_are_compared_by_the_correlation_of_their_profiles(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    root = np.sqrt(layer.iou)
    centered = root - root.mean(axis=0)
    rows = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    unit = 7
    r = rows @ rows[unit]
    others = [other for other in np.argsort(-r, kind="stable") if other != unit and layer.best.category[other] >= 0]
    visit.open(folder / "html/index.html", address(unit + 1))
    visit.page.wait_for_selector(".similar .card")
    for way, expected in (("Same profile", others[:6]), ("Opposite profile", others[::-1][:6])):
        visit.page.get_by_role("button", name=way).click()
        visit.page.wait_for_selector(".similar .shared:has-text('correlation')")
        shown = visit.page.locator(".similar .meta").all_inner_texts()
        units = [int(text.split()[1].strip(",")) - 1 for text in shown]
        assert units == expected
        values = [float(text.split("correlation ")[1].split()[0].replace("−", "-")) for text in shown]
        assert values == pytest.approx(r[units], abs=0.006)
    visit.page.keyboard.press("ArrowRight")  # the next unit is compared in the same way
    visit.page.wait_for_selector(".similar .shared")
    assert visit.page.get_by_role("button", name="Opposite profile").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("pin", ["0/block2/conv", "91/block2/conv", "3/no-such-layer", "x"])
def test_an_invalid_pin_is_ignored(visit, drawn, pin):
    visit.open(drawn[1] / "html/index.html", address(3, f"?pin={urllib.parse.quote(pin, safe='')}"))
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.page.locator(".pinned").count() == 0
    assert visit.page.evaluate("netdissect.state.pin") == ""
