"""Search over concepts, units, layers, categories and images, and addresses of what is not there."""

import dataclasses
import json
import urllib.parse

import pytest
from tests import made_up_runs
from tests.browser.conftest import write_report

from netdissect.concepts import Concept, Vocabulary, display_name
from netdissect.results.concept_words import VocabularyNotes

pytestmark = pytest.mark.browser

LAYER = "block2/conv"
NAMES = [
    "cow",
    "car",
    "scarf",
    "cardboard",
    "living room",
    "fireplace",
    "gray",
    "color",
    "center",
    "person",
    "airplane",
    "bus",
    "grass",
    "leaf",
    "café",
]
SYNONYMS = {"airplane": ["plane", "aircraft"], "person": ["human being"]}
WORDS = Vocabulary(
    ("object", "scene"),
    tuple(
        Concept(number, name, "scene" if name == "living room" else "object") for number, name in enumerate(NAMES, 1)
    ),
)


class Notes:
    """Analyses that know synonyms alone."""

    folder = None

    def read_notes(self, run):
        return VocabularyNotes(SYNONYMS)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A report with known names and synonyms: its result and its first page."""
    folder = tmp_path_factory.mktemp("named")
    result, probe_set = made_up_runs.make_run((30, 60), words=WORDS, pictures=20, grouped=True)
    result = dataclasses.replace(result, analyses=Notes())
    write_report(result, folder, probe_set)
    return result, folder / "html/index.html"


def type_search(visit, text):
    visit.page.keyboard.press("/")
    visit.page.keyboard.type(text)
    visit.page.wait_for_function("() => netdissect.prepareSearch().then(() => true)")
    visit.settle()


def read_group(visit, title):
    group = visit.page.locator(".find-group", has=visit.page.locator(".find-title", has_text=title))
    return group.locator(".find-option .find-name").all_inner_texts() if group.count() else []


FOUND = {
    "cows": "cow", "car": "car", "cards": None, "cardbord": "cardboard", "fire place": "fireplace", "livingroom": "living room",
    "living_room": "living room", "grey": "gray", "colour": "color", "people": "person", "air plane": "airplane",
    "aeroplane": "airplane", "aircraft": "airplane", "buses": "bus", "human": "person", "leaves": "leaf", "CAFE": "café",
    "gras": "grass", "room": "living room", "scene room": "living room", "cow grass": None, "zzz": None,
}  # fmt: skip


def test_a_concept_is_found_as_people_write_it(visiting, named):
    visit = visiting()
    visit.open(named[1], "#/")
    found = visit.page.evaluate(
        """async (typed) => {
          await netdissect.prepareSearch();
          const first = (text) => netdissect.matchConcepts(netdissect.makeMatcher(text), () => 0)[0];
          return typed.map((text) => [text, first(text) ? netdissect.run.concepts[first(text).concept] : null]);
        }""",
        list(FOUND),
    )
    assert dict(found) == FOUND


def test_a_unit_is_found_by_its_number(visiting, named):
    visit = visiting()
    visit.open(named[1], "#/")
    for query in ("unit 7", "#7", "block2:7", "unit 7 block2", "block2/conv:7"):
        type_search(visit, query)
        notes = visit.page.locator(".find-option .find-note").all_inner_texts()
        units = sorted(note for note in notes if ", unit " in note)
        assert units == [f"{name}, unit 7" for name in ("block1/conv", LAYER) if name == LAYER or "block2" not in query]
        visit.page.keyboard.press("Escape")
        visit.page.keyboard.press("Escape")


def test_results_come_in_groups_and_the_keyboard_opens_them(visiting, named):
    result, index = named
    visit = visiting()
    visit.open(index, "#/")
    type_search(visit, "cows")
    counts = [sum(row.label == "cow" and row.score >= 0.04 for row in layer.units) for layer in result.layers.values()]
    assert read_group(visit, "Concepts") == ["cow"]
    note = visit.page.locator(".find-note").first.inner_text()
    assert note == (f"{sum(counts)} unit{'' if sum(counts) == 1 else 's'}" if sum(counts) else "labeled, no detector")
    box = visit.page.locator("#find")
    assert box.get_attribute("aria-expanded") == "true"
    visit.page.keyboard.press("ArrowDown")
    active = box.get_attribute("aria-activedescendant")
    assert visit.page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#page .plot canvas")
    assert visit.text("#page h1") == "cow"
    assert not visit.page.locator(".find-panel").is_visible()
    assert visit.page.evaluate("document.activeElement.tagName") == "H1"
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_function("() => netdissect.state.view === 'network'")


def test_words_of_a_search_all_have_to_fit(visiting, named):
    result, index = named
    visit = visiting()
    visit.open(index, "#/")
    layer = result.layers[LAYER]
    name = layer.units[0].label
    type_search(visit, f"{name} block2")
    notes = visit.page.locator(".find-option .find-note").all_inner_texts()
    units = [note for note in notes if ", unit " in note]
    assert units[0] == f"{LAYER}, unit {layer.units[0].unit}"
    assert all(note.startswith(LAYER) for note in units)


def test_all_units_of_a_search_are_a_page(visiting, named):
    result, index = named
    visit = visiting()
    visit.open(index, "#/")
    name = result.layers[LAYER].units[0].label
    type_search(visit, name)
    more = visit.page.locator(".find-name.all")
    assert more.count() == 1
    number = int(more.inner_text().split()[1])
    more.click()
    visit.page.wait_for_selector("[data-page=units] .card")
    assert visit.text("[data-page=units] .lead").startswith(f"{number} units")
    assert f"q={name}" in visit.page.evaluate("location.hash")


def test_nothing_found_names_what_is_nearest(visiting, named):
    visit = visiting()
    visit.open(named[1], "#/")
    type_search(visit, "glasss")
    assert visit.text(".find-words").startswith("Nothing is called “glasss”")
    assert "grass" in read_group(visit, "Nearest")
    visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function("() => netdissect.state.view === 'concept'")


def test_escape_empties_the_box_and_then_returns_the_focus(visit):
    visit.page.locator("#cards a").first.focus()
    type_search(visit, "x")
    visit.page.keyboard.press("Escape")
    assert visit.page.locator("#find").input_value() == ""
    assert visit.page.evaluate("document.activeElement.id") == "find"
    visit.page.keyboard.press("Escape")
    assert visit.page.evaluate("document.activeElement.classList.contains('card')")
    assert visit.page.locator("#overview").is_visible()


def test_a_layer_that_has_nothing_names_the_layers_that_do(visiting, named):
    result, index = named
    visit = visiting()
    first, second = result.layers.values()
    shown = {row.label for row in first.units}
    only = next((row.label for row in second.units if row.label and row.label not in shown), None)
    visit.open(index, f"#/layer/{urllib.parse.quote(first.name, safe='')}?cut=0.9")
    visit.page.keyboard.press("f")
    assert visit.page.evaluate("document.activeElement.id") == "search"
    visit.page.keyboard.type(only or "unit 55")
    visit.settle()
    number = sum(row.label == only for row in second.units) if only else 1
    words = visit.text("#nothing")
    assert words.startswith(f"No unit of {first.name} fits")
    assert f"In {second.name}: {number} unit" in words
    visit.page.locator("#nothing a", has_text=second.name).click()
    visit.settle()
    assert visit.number("#found-number") == number


def test_images_are_found_by_name_where_they_have_pages(visiting, named):
    visit = visiting()
    visit.open(named[1], "#/")
    if not visit.page.evaluate("netdissect.pages.has('image')"):
        pytest.skip("this report has no pages of images")
    name = next(iter(named[0].image_names.values()))
    type_search(visit, name)
    visit.page.wait_for_function("() => document.querySelector('.find-image')")
    assert read_group(visit, "Images")[0] == name


@pytest.mark.parametrize(
    ("address", "says", "near"),
    [
        ("#/layer/block9", "No layer “block9” in this run.", LAYER),
        ("#/unit/block2/5", "No layer “block2” in this run.", LAYER),
        ("#/unit/block2%2Fconv/9999", "No unit “9999” in layer block2/conv, which has units 1 to 60.", LAYER),
        ("#/concept/cows", "No concept “cows” in this probe set.", "cow"),
        ("#/concept/gras", "No concept “gras” in this probe set.", "grass"),
        ("#/nowhere", "No page “nowhere” in this report.", None),
    ],
)
def test_an_address_of_nothing_says_so_and_what_is_nearest(visiting, named, address, says, near):
    visit = visiting()
    visit.open(named[1], address)
    assert visit.text("#missing").startswith(says)
    assert visit.page.evaluate("netdissect.state.view") == "network"
    if near:
        visit.page.locator("#missing a", has_text=near).first.click()
        visit.settle()
        assert not visit.page.locator("#missing").is_visible()
        assert near in visit.page.evaluate("decodeURIComponent(location.hash)")


@pytest.mark.parametrize(
    "address", ["#/concept/living%20room", "#/concept/Living_Room", "#/concept/5", "#/concept/5/any"]
)
def test_a_concept_can_be_addressed_by_name(visiting, named, address):
    visit = visiting()
    visit.open(named[1], address)
    visit.page.wait_for_selector("#page h1")
    assert visit.text("#page h1") == "living room"


def test_synonyms_and_companions_are_those_of_the_probe_set(visiting, named):
    result, index = named
    visit = visiting()
    visit.open(index, "#/")
    found = json.loads(
        visit.page.evaluate(
            "async () => { const { best, synonyms } = await netdissect.loadConcepts(); return JSON.stringify({ best: [...best], synonyms }); }"
        )
    )
    names = result.probe_set.vocabulary.names
    assert {name: words for name, words in zip(names, found["synonyms"], strict=True) if words} == SYNONYMS
    best = [layer.scores.max(axis=0) for layer in result.layers.values()]
    assert found["best"] == pytest.approx([value for row in best for value in row])
    assert display_name(names[0]) == "cow"
