"""The page of a unit: groups of images, evidence, areas of mask and label, activation levels, notes."""

import dataclasses
import json
import urllib.parse

import numpy as np
import pytest
from tests import made_up_runs
from tests.browser.conftest import DESKTOP, PHONE, find_violations, write_report

from netdissect.concepts import display_name

pytestmark = pytest.mark.browser

LAYER = "block2/conv"
SHARES = ((0.6, 0.1, 0.02, 0.02, 0.01), (0.4, 0.35, 0.25, 0, 0), (1, 0, 0, 0, 0), (0.03, 0.03, 0.02, 0.02, 0.02))


def address(number, query="", name=LAYER):
    return f"#/unit/{urllib.parse.quote(name, safe='')}/{number}{query}"


def open_unit(visit, folder, number, query=""):
    visit.open(folder / "html/index.html", address(number, query))
    visit.page.wait_for_selector(".profile tbody tr")
    visit.wait_for_shares()


@pytest.fixture(scope="module")
def weighed(tmp_path_factory):
    """A report of units of which it is known how much of the intersection each of five images gives: its layer and folder."""
    result, probe_set = made_up_runs.make_run((24,), 40, pictures=50, grouped=True, layer_names=(LAYER,))
    layer = result.layers[LAYER]
    groups = layer.groups
    tables = {name: getattr(groups, name).labeled.copy() for name in ("typical", "on_concept", "missed", "levels")}
    strongest = groups.labeled.copy()
    for row, shares in zip(layer.units, SHARES, strict=False):
        column = layer.vocabulary.names.index(row.label)
        given = np.floor(np.array(shares) * layer.counts.I[row.channel, column]).astype(np.int64)
        given[0] += layer.counts.I[row.channel, column] - given.sum() if sum(shares) == 1 else 0
        tables["on_concept"][row.channel] = given
        for other in ("typical", "missed", "levels"):
            tables[other][row.channel] = 0
        strongest[row.channel] = 0
    whole = [dataclasses.replace(getattr(groups, name), labeled=table) for name, table in tables.items()]
    images = groups.on_concept.images.copy()
    images[:] = np.arange(5)
    whole[1] = dataclasses.replace(whole[1], images=images)
    groups = dataclasses.replace(groups, labeled=strongest, **dict(zip(tables, whole, strict=True)))
    layer = dataclasses.replace(layer, groups=groups)
    folder = tmp_path_factory.mktemp("weighed")
    write_report(dataclasses.replace(result, layers={LAYER: layer}), folder, probe_set)
    return layer, folder


@pytest.mark.parametrize("place", range(len(SHARES)))
def test_the_title_says_how_many_images_carry_the_label(visiting, weighed, place):
    layer, folder = weighed
    row = layer.units[place]
    intersection = layer.counts.I[row.channel, layer.vocabulary.names.index(row.label)]
    given = layer.groups.on_concept.labeled[row.channel]
    given = given[given > 0]
    rest = intersection - given.sum()
    least = len(given) + int(np.ceil(rest / given[-1]))
    visit = visiting()
    open_unit(visit, folder, row.unit)
    text = visit.text(".unit-facts")
    noun = f"{least} image{'s' if least != 1 else ''}"
    assert (f"at least {noun} carry it" if rest else f"{noun} {'carries' if least == 1 else 'carry'} it") in text
    assert text.count("at least") == (rest > 0)
    first = round(100 * given[0] / intersection)
    assert (f"One image gives {first} % of it" in text) == (given[0] > intersection / 2)


def test_the_switch_shows_each_group_and_how_much_of_it_is_on_the_label(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    row = layer.units[1]
    name = display_name(row.label)
    category = layer.vocabulary.concepts[layer.vocabulary.names.index(row.label)].category
    open_unit(visit, folder, row.unit)
    groups = {"strongest": (layer.exemplars.images, layer.groups), **{key: (getattr(layer.groups, key).images, getattr(layer.groups, key)) for key in ("typical", "on_concept", "missed")}}  # fmt: skip
    for key, (images, table) in groups.items():
        visit.page.locator(f"[data-group={key}]").click()
        visit.settle()
        there = [place for place, image in enumerate(images[row.channel]) if image >= 0][:10]
        sources = visit.page.locator(".images img").evaluate_all("(all) => all.map((image) => image.src)")
        assert [int(source.split("/")[-1].split(".")[0]) for source in sources] == [
            images[row.channel, place] for place in there
        ]
        pixels, labeled = table.pixels[row.channel, there], table.labeled[row.channel, there]
        known = labeled >= 0
        on = int((labeled[known] > 0.1 * pixels[known]).sum())
        words = visit.text(".group-words")
        if key == "missed":
            assert "in its mask" in words
            continue
        unknown = f", {int((~known).sum())} without {category} labels" if (~known).any() else ""
        assert words.startswith(f"{on} of {int(known.sum())} on {name}{unknown}.")
        dots = visit.page.locator(f"[data-group={key}] .dots i").evaluate_all(
            "(all) => all.map((dot) => dot.className)"
        )
        assert ["on" in dot for dot in dots] == list(known & (labeled > 0.1 * pixels))
        assert ["unknown" in dot for dot in dots] == list(~known)
    visit.page.locator("[data-group=typical]").click()
    visit.page.keyboard.press("ArrowRight")  # the next unit shows the same group
    visit.page.wait_for_function(
        "() => document.querySelector('[data-group=typical]')?.getAttribute('aria-pressed') === 'true'"
    )


def test_images_say_their_activation_as_a_multiple_of_the_threshold(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    row = layer.units[4]
    open_unit(visit, folder, row.unit)
    times = layer.exemplars.maxima[row.channel, 0] / layer.thresholds[row.channel]
    digits = 0 if times >= 9.95 else 1 if times >= 1.095 else 2
    assert visit.text(".images figcaption >> nth=0").startswith(f"max {times:.{digits}f} × T")
    shown = visit.page.locator(".level-strip figcaption").all_inner_texts()
    levels = layer.groups.levels.maxima[row.channel][layer.groups.levels.images[row.channel] >= 0]
    assert [float(text.split()[0]) for text in shown] == pytest.approx(levels / layer.thresholds[row.channel], rel=0.05)
    below = levels <= layer.thresholds[row.channel]
    marked = visit.page.locator(".level-strip .tile").evaluate_all(
        "(all) => all.map((tile) => tile.classList.contains('first-below'))"
    )
    assert marked == [place == np.argmax(below) and bool(below.any()) and place > 0 for place in range(len(below))]


def test_mask_and_label_are_areas_to_scale(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    columns = [layer.vocabulary.names.index(row.label) for row in layer.units[:40]]
    found = [(row, *(int(table[row.channel, column]) for table in (layer.counts.I, layer.counts.A)), int(layer.counts.G[column]))
             for row, column in zip(layer.units, columns, strict=False)]  # fmt: skip
    row, I, A, G = next(entry for entry in found if entry[3] > entry[1] < entry[2])
    whole = layer.groups.mask_pixels[row.channel]
    open_unit(visit, folder, row.unit)
    for bar, expected in ((".areas > .venn", [A - I, I, G - I]), (".whole-mask .venn", [I, A - I, whole - A])):
        widths = visit.page.locator(f"{bar} > span").evaluate_all(
            "(all) => all.map((part) => part.getBoundingClientRect().width)"
        )
        assert np.array(widths) / sum(widths) == pytest.approx(np.array(expected) / sum(expected), abs=0.005)
        said = visit.page.locator(bar).get_attribute("aria-label")
        assert f"{round(100 * I / sum(expected))} %" in said
    both = visit.page.locator(".areas > .venn > .area-both").bounding_box()["width"]
    assert both / visit.page.locator(".areas > .venn").bounding_box()["width"] == pytest.approx(row.score, abs=0.005)


def test_a_unit_of_a_run_without_groups_has_its_strongest_images_alone(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((24,), 40, pictures=50, layer_names=(LAYER,))
    write_report(result, tmp_path, probe_set)
    visit = visiting()
    open_unit(visit, tmp_path, result.layers[LAYER].units[0].unit)
    assert visit.page.locator(".groups:visible, .levels:visible, .whole-mask").count() == 0
    assert visit.page.locator(".images img").count() == 10
    visit.page.get_by_role("button", name="2 images more").click()
    assert visit.page.locator(".images img").count() == 12
    assert "carry" not in visit.text(".unit-head")


def test_the_interval_of_the_label_is_a_whisker(visiting, trusted):
    layer = trusted[0].layers[LAYER]
    row = layer.units[0]
    visit = visiting()
    visit.open(trusted[1] / "html/index.html", address(row.unit))
    visit.page.wait_for_selector(".whisker")
    bar = visit.page.locator(".profile tbody tr").first.locator(".bar").bounding_box()
    fill = visit.page.locator(".profile tbody tr").first.locator(".bar > span").first.bounding_box()
    whisker = visit.page.locator(".whisker").bounding_box()
    scale = fill["width"] / row.score
    assert whisker["width"] == pytest.approx(scale * (row.trust.high - row.trust.low), abs=1.5)
    assert whisker["x"] - bar["x"] == pytest.approx(scale * row.trust.low, abs=1.5)
    assert visit.page.locator(".whisker").count() == 1


def test_notes_stay_and_are_saved_as_files(visit, drawn, tmp_path):
    result, folder = drawn
    row, other = result.layers[LAYER].units[0], result.layers[LAYER].units[1]
    open_unit(visit, folder, row.unit)
    visit.page.locator(".notes textarea").fill("Fires on the <b>edge</b> & its shadow.")
    open_unit(visit, folder, other.unit)
    assert visit.page.locator(".notes textarea").input_value() == ""
    visit.page.locator(".notes textarea").fill("Looks like the same.")
    open_unit(visit, folder, row.unit)
    assert visit.page.locator(".notes textarea").input_value() == "Fires on the <b>edge</b> & its shadow."
    assert "2 notes" in visit.text(".notes-end")
    with visit.page.expect_download() as started:
        visit.page.get_by_role("button", name="Save as JSON").click()
    started.value.save_as(tmp_path / "notes.json")
    saved = json.loads((tmp_path / "notes.json").read_text())
    assert {note["text"] for note in saved["notes"]} == {
        "Fires on the <b>edge</b> & its shadow.",
        "Looks like the same.",
    }
    assert {note["address"] for note in saved["notes"]} == {address(row.unit), address(other.unit)}
    with visit.page.expect_download() as started:
        visit.page.get_by_role("button", name="Save as Markdown").click()
    assert started.value.suggested_filename == "notes.md"
    visit.page.locator(".notes textarea").fill("")
    assert "1 note " in visit.text(".notes-end")


def test_a_concept_has_notes_too(visit, drawn):
    result, folder = drawn
    name = result.layers[LAYER].units[0].label
    column = result.probe_set.vocabulary.names.index(name)
    visit.open(folder / "html/index.html")
    visit.page.evaluate(f"netdissect.go({{ view: 'concept', concept: {column} }})")
    visit.page.locator(".notes textarea").fill("Two kinds of it.")
    about = visit.page.evaluate("netdissect.listNotes().map((note) => note.about)")
    assert about == [f"concept {display_name(name)}"]


def test_the_first_section_of_a_unit_has_no_line_above_it(visit, drawn):
    open_unit(visit, drawn[1], 5)
    line = "() => getComputedStyle(document.querySelector('.unit-body > .main')).borderTopWidth"
    assert visit.page.evaluate(line) == "0px"


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_is_accessible_with_every_group(visiting, trusted, axe, screen):
    visit = visiting(viewport=screen)
    open_unit(visit, trusted[1], 5)
    for key in ("typical", "missed"):
        visit.page.locator(f"[data-group={key}]").click()
        visit.settle()
        assert find_violations(axe, visit.page, both_themes=True) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
