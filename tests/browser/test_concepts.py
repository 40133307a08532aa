"""The page of all concepts, and the page of one: counts, order, neighbors, misses, companions, and why none detects it."""

import urllib.parse

import numpy as np
import pytest

from netdissect.concepts import display_name

pytestmark = pytest.mark.browser


def count_detectors(result, cut=0.04):
    """Return the detectors of every concept by layer: {name: [number in each layer]}."""
    names = {}
    for at, layer in enumerate(result.layers.values()):
        for row in layer.units:
            if row.label and row.score >= cut:
                names.setdefault(display_name(row.label), [0] * len(result.layers))[at] += 1
    return names


def read_table(visit):
    return visit.page.locator(".concept-table tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent.trim()))"
    )


@pytest.mark.parametrize("cut", [0.04, 0.1])
def test_every_detected_concept_has_its_counts_by_layer(visit, drawn, cut):
    result, folder = drawn
    visit.open(folder / "html/index.html", f"#/concepts?cut={cut}")
    expected = count_detectors(result, cut)
    rows = read_table(visit)
    layers = len(result.layers)
    shown = {row[0]: [int(cell) if cell != "·" else 0 for cell in row[2 : 2 + layers]] for row in rows}
    assert shown == expected
    totals = [int(row[1]) for row in rows]
    assert totals == sorted((sum(counts) for counts in expected.values()), reverse=True)
    assert visit.text("[data-page=concepts] .lead").startswith(f"{len(expected)} of 40 concepts")
    best = {display_name(row.label): row.score for layer in result.layers.values() for row in reversed(layer.units)}
    for row in rows:
        name, score = row[0], float(row[3 + layers])
        assert score == pytest.approx(
            max(u.score for layer in result.layers.values() for u in layer.units if display_name(u.label or "") == name), abs=6e-4
        )  # fmt: skip
    assert set(shown) <= set(best)


def test_concepts_sort_by_name_and_the_order_is_in_the_address(visit, drawn):
    _, folder = drawn
    visit.open(folder / "html/index.html", "#/concepts")
    visit.page.locator(".concept-table thead button", has_text="concept").click()
    visit.settle()
    names = [row[0] for row in read_table(visit)]
    assert names == sorted(names)
    assert visit.page.locator(".concept-table thead th[aria-sort=ascending]").inner_text().startswith("concept")
    visit.page.wait_for_function("() => location.hash.includes('by=name')")
    visit.page.locator(".concept-table tbody th a").first.click()
    visit.page.wait_for_selector("#page h1")
    assert visit.text("#page .place").endswith("by name")


def test_concepts_are_filtered_by_words_and_category(visit, drawn):
    result, folder = drawn
    visit.open(folder / "html/index.html", "#/concepts")
    expected = count_detectors(result)
    name = next(iter(expected))
    visit.page.keyboard.press("f")
    assert visit.page.evaluate("document.activeElement.id") == "concept-filter"
    visit.page.keyboard.type(name)
    visit.settle()
    assert name in [row[0] for row in read_table(visit)]
    assert len(read_table(visit)) < len(expected)
    visit.page.keyboard.press("Escape")
    visit.settle()
    assert len(read_table(visit)) == len(expected)
    categories = {display_name(c.name): c.category for c in result.probe_set.vocabulary.concepts}
    chip = visit.page.locator("[data-page=concepts] .chip", has_text=categories[name])
    chip.click()
    visit.settle()
    assert {row[0] for row in read_table(visit)} == {each for each in expected if categories[each] == categories[name]}


def test_what_is_not_detected_says_why(visit, drawn):
    result, folder = drawn
    visit.open(folder / "html/index.html", "#/concepts")
    detected = count_detectors(result)
    visit.page.wait_for_function("() => document.querySelector('.unseen-list .note').textContent.trim()")
    more = visit.page.locator(".unseen button.more")
    if more.count():
        more.click()
    items = visit.page.locator(".unseen-list li").all_inner_texts()
    assert len(items) == 40 - len(detected)
    assert all("below" in text or "pixel" in text or "another concept" in text or "mask" in text for text in items)
    name = visit.page.locator(".unseen-list li > a").first.inner_text()
    visit.page.locator(".unseen-list li > a").first.click()
    visit.page.wait_for_function(
        "() => document.querySelector('#page .lead').textContent.includes('at this threshold: ')"
    )
    assert visit.text("#page h1") == name
    assert visit.text("#page .place").endswith("not detected")


def test_neighbors_of_a_concept_are_those_of_the_list_and_one_step_back(visit, drawn):
    visit.open(drawn[1] / "html/index.html", "#/concepts")
    names = [row[0] for row in read_table(visit)]
    visit.page.locator(".concept-table tbody th a").nth(1).click()
    visit.page.wait_for_selector("#page h1")
    assert visit.text("#page .place") == f"2 of {len(names)} by units"
    visit.page.keyboard.press("ArrowRight")
    visit.settle()
    assert visit.text("#page h1") == names[2]
    visit.page.locator("#page a[rel=prev]").click()
    visit.settle()
    assert visit.text("#page h1") == names[1]
    visit.page.keyboard.press("ArrowRight")
    visit.settle()
    visit.page.locator("#page a.up").click()
    visit.page.wait_for_function(
        "(name) => netdissect.state.view === 'concepts' && document.activeElement.textContent === name", arg=names[2]
    )


def test_the_citation_of_a_concept_is_copied(visiting, drawn):
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    visit.open(drawn[1] / "html/index.html", "#/concepts")
    name = read_table(visit)[0][0]
    visit.page.locator(".concept-table tbody th a").first.click()
    visit.page.get_by_role("button", name="Copy", exact=True).click()
    visit.page.wait_for_function("() => document.getElementById('announcement').textContent")
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert f"“{name}”" in copied
    assert urllib.parse.quote(name) in copied


def open_concept(visit, folder, name):
    visit.open(folder / "html/index.html", f"#/concept/{urllib.parse.quote(name)}")
    visit.page.wait_for_selector("#page .plot canvas")
    visit.settle()


def test_cards_of_all_layers_are_one_grid_with_chips(visit, drawn):
    result, folder = drawn
    name, counts = max(
        count_detectors(result).items(), key=lambda item: (sum(count > 0 for count in item[1]), sum(item[1]))
    )
    open_concept(visit, folder, name)
    section = visit.page.locator(
        ".cards-of-concept", has=visit.page.get_by_role("heading", name=f"Named {name}: {sum(counts)} unit")
    )
    if section.locator("button.more").count():
        section.locator("button.more").click()
    assert section.locator(".card").count() == sum(counts)
    last = list(result.layers)[max(at for at, count in enumerate(counts) if count)]
    if sum(count > 0 for count in counts) > 1:
        section.locator(".chip", has_text=last).click()
        metas = visit.page.locator(".cards-of-concept").first.locator(".meta").all_inner_texts()
        assert metas
        assert all(meta.startswith(last) for meta in metas)


def test_the_images_that_units_miss_are_those_of_their_lists(visit, drawn):
    result, folder = drawn
    name, _ = max(count_detectors(result).items(), key=lambda item: sum(item[1]))
    open_concept(visit, folder, name)
    lists = [
        {int(row) for row in layer.groups.missed.images[unit.channel] if row >= 0}
        for layer in result.layers.values() for unit in layer.units
        if display_name(unit.label or "") == name and unit.score >= 0.04
    ]  # fmt: skip
    missed = {row: sum(row in each for each in lists) for row in set().union(*lists)}
    captions = visit.page.locator(".misses figcaption").all_inner_texts()
    expected = [f"missed by {number} of {len(lists)}" for number in sorted(missed.values(), reverse=True)[:6]]
    assert [caption.strip() for caption in captions] == expected


def test_companions_are_labeled_in_the_same_images(visit, drawn):
    result, folder = drawn
    names = [display_name(name) for name in result.probe_set.vocabulary.names]
    visit.open(folder / "html/index.html", "#/")
    labeled = visit.page.evaluate(
        """async () => Promise.all([...netdissect.run.row.keys()].map(async (place) => [...((await netdissect.loadLabels(place)) || { concepts: [] }).concepts]))"""
    )
    present = np.zeros((len(labeled), len(names)), bool)
    for at, codes in enumerate(labeled):
        present[at, [code - 1 for code in codes]] = True
    name = max(range(len(names)), key=lambda column: present[:, column].sum())
    open_concept(visit, folder, names[name])
    items = visit.page.locator(".companions").first.locator("li").evaluate_all(
        "(items) => items.map((item) => [item.querySelector('a').textContent, Number(item.querySelector('.note').textContent)])"
    )  # fmt: skip
    both = (present & present[:, [name]]).sum(axis=0)
    assert items
    for other, number in items:
        assert both[names.index(other)] == number
    likeness = both / np.maximum((present | present[:, [name]]).sum(axis=0), 1)
    likeness[name] = -1
    assert likeness[names.index(items[0][0])] == likeness.max()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_lanes_of_the_plot_have_names(visiting, drawn, width):
    result, folder = drawn
    visit = visiting(viewport={"width": width, "height": 800})
    open_concept(visit, folder, next(iter(count_detectors(result))))
    lanes = visit.page.locator(".lanes b")
    boxes = [box.bounding_box() for box in lanes.all()]
    canvas = visit.page.locator(".plot canvas").bounding_box()
    lane = (canvas["height"] - 22) / len(boxes)
    assert lanes.all_inner_texts() == list(result.layers)
    for at, box in enumerate(boxes):
        assert box["width"] > 30
        assert canvas["y"] + lane * at - 4 <= box["y"] < canvas["y"] + lane * (at + 1)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_curve_says_the_best_score_of_every_layer(visit, drawn):
    result, folder = drawn
    name = next(iter(count_detectors(result)))
    column = [display_name(each) for each in result.probe_set.vocabulary.names].index(name)
    open_concept(visit, folder, name)
    said = visit.page.locator(".concept-curve").get_attribute("aria-label")
    best = ", ".join(f"{layer.name} {layer.scores[:, column].max():.3f}" for layer in result.layers.values())
    assert said == f"Best IoU with {name} in each layer: {best}"
