"""The pages of a unit and of a concept, deep links, the history, the keyboard."""

import dataclasses
import json
import urllib.parse

import numpy as np
import pytest
from tests import made_up_runs
from tests.browser.conftest import write_report

from netdissect.concepts import Concept, Vocabulary, display_name
from netdissect.geometry.upsample import make_image_axes, make_label_axes, upsample

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


def unit_address(name, number, query=""):
    return f"#/unit/{urllib.parse.quote(name, safe='')}/{number}{query}"


def test_a_card_opens_its_unit_and_back_returns_to_the_same_card(visit):
    visit.page.mouse.wheel(0, 2200)
    visit.page.wait_for_timeout(150)
    card = visit.page.locator("#cards .card").nth(7)
    name = card.locator(".meta").inner_text()
    place = visit.page.evaluate("scrollY")
    visit.page.evaluate(
        "(text) => [...document.querySelectorAll('#cards .card')].find((card) => card.innerText.startsWith(text)).click()",
        name,
    )
    visit.page.wait_for_selector("#page h1")
    assert name.split(",")[0].lower() in visit.text("#page .kicker").lower()
    assert visit.page.evaluate("scrollY") == 0
    visit.page.go_back()
    visit.settle()
    assert visit.page.locator("#overview").is_visible()
    assert abs(visit.page.evaluate("scrollY") - place) < 3


def test_the_page_of_a_unit_shows_the_numbers_of_the_result(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    row = layer.units[3]
    visit.open(folder / "html/index.html", unit_address(LAYER, row.unit))
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.text("#page h1") == display_name(row.label)
    assert f"channel {row.channel} counted from 0" in visit.text("#page .kicker")
    column = layer.vocabulary.names.index(row.label)
    I, A, G = layer.counts.I[row.channel, column], layer.counts.A[row.channel, column], layer.counts.G[column]
    assert f"IoU {row.score:.3f}" in visit.text("#page .unit-facts")
    lead = visit.text("#page .lead")
    whole = round(100 * I / layer.groups.mask_pixels[row.channel])
    assert f"{round(100 * I / A)} % is on {display_name(row.label)}, of its whole mask {whole} %" in lead
    assert f"covers {round(100 * I / G)} % of all pixels labeled {display_name(row.label)}" in lead
    order = np.argsort(-layer.iou[row.channel], kind="stable")[:8]
    names = visit.page.locator(".profile tbody th").all_inner_texts()
    assert names == [display_name(layer.vocabulary.names[column]) for column in order]
    cells = visit.page.locator(".profile tbody tr").first.locator("td.figure").all_inner_texts()
    assert cells[0] == f"{row.score:.3f}"
    title = visit.page.locator(".profile tbody td.iou").first.get_attribute("title")
    assert title == f"I {I:,}, A {A:,}, G {G:,} pixels; attainable {min(A, G) / max(A, G):.2f}"
    parts = (
        visit.page.locator(".profile .venn")
        .first.locator("span")
        .evaluate_all("(all) => all.map((part) => part.getBoundingClientRect().width)")
    )
    assert [width / sum(parts) for width in parts] == pytest.approx(np.array([A - I, I, G - I]) / (A + G - I), abs=0.02)
    visit.page.get_by_role("button", name="By category").click()
    kinds = visit.page.locator(".profile tbody .swatch").evaluate_all("(all) => all.map((swatch) => swatch.title)")
    assert len(kinds) > 8
    assert sorted(kinds, key=["object", "scene", "part", "material", "texture", "color"].index) == kinds
    facts = dict(
        visit.page.locator(".facts div").evaluate_all(
            "(all) => all.map((pair) => [pair.children[0].textContent, pair.children[1].textContent])"
        )
    )
    assert facts["Threshold T"] == f"{layer.thresholds[row.channel]:.2f}"


def test_masks_painted_in_the_page_are_the_results_masks(visit, drawn):
    """The mask of the first image, painted without it and read back: dark outside, clear inside."""
    result, folder = drawn
    layer = result.layers[LAYER]
    for row in layer.units[:4]:
        visit.open(folder / "html/index.html", unit_address(LAYER, row.unit, "?labels=off"))
        visit.page.wait_for_function("() => document.querySelector('.share-on')?.textContent")
        visit.settle()
        size, alpha = json.loads(
            visit.page.evaluate("""async () => {
          const { height, width } = document.querySelector(".tile canvas");
          const canvas = netdissect.make("canvas", { width, height });
          const context = canvas.getContext("2d");
          const [layer, unit] = [netdissect.run.layers[netdissect.state.layer], netdissect.state.unit];
          const grids = await netdissect.loadGrids(layer, unit);
          netdissect.paintMask(context, layer, grids, netdissect.decodeValues(layer, unit), 0, 0, width, height, "spotlight", null);
          const { data } = context.getImageData(0, 0, width, height);
          return JSON.stringify([[height, width], [...data].filter((_, i) => i % 4 === 3)]);
        }""")
        )
        alpha = np.array(alpha).reshape(size)
        axes = make_image_axes(layer.layer.field, layer.layer.grid, result.network.input_size, tuple(size))
        exact = upsample(layer.exemplars.grids[row.channel, 0].astype(np.float32), *axes) > 0
        clear = alpha < 20
        opaque = np.abs(alpha - 115) < 3
        assert (clear & ~exact).mean() < 0.002
        assert (opaque & exact).mean() < 0.002
        assert clear.sum() > 0.7 * exact.sum()


def test_the_share_of_a_mask_on_its_concept_is_the_results(visit, drawn):
    result, folder = drawn
    probe_set = made_up_runs.MadeUpProbeSet(result.probe_set.vocabulary, (112, 112), (56, 56))
    layer = result.layers[LAYER]
    row = layer.units[0]
    code = layer.vocabulary.names.index(row.label) + 1
    visit.open(folder / "html/index.html", unit_address(LAYER, row.unit))
    visit.wait_for_shares()
    shown = visit.page.locator(".images .share-on").all_inner_texts()
    said = 0
    for place, text in enumerate(shown):
        labels = probe_set.read_labels(int(layer.exemplars.images[row.channel, place]))
        if not ((labels.planes == code).any() or code in labels.whole):
            assert text == "unlabeled" or text.startswith("no ")
            continue
        pixels, labeled = (getattr(layer.groups, name)[row.channel, place] for name in ("pixels", "labeled"))
        assert text == (
            "unlabeled" if labeled < 0 else f"{round(100 * labeled / pixels)} % on {display_name(row.label)}"
        )
        said += 1
    assert shown
    assert 0 < said < len(shown)


def test_the_share_of_a_run_without_groups_is_measured_in_the_page(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((12,), 40, pictures=30)
    write_report(result, tmp_path, probe_set)
    layer = next(iter(result.layers.values()))
    row = layer.units[0]
    code = layer.vocabulary.names.index(row.label) + 1
    axes = make_label_axes(layer.layer.field, layer.layer.grid, result.network.input_size, probe_set.label_size)
    visit = visiting()
    visit.open(tmp_path / "html/index.html", unit_address(layer.name, row.unit))
    visit.wait_for_shares()
    said = 0
    for place, text in enumerate(visit.page.locator(".images .share-on").all_inner_texts()):
        labels = probe_set.read_labels(int(layer.exemplars.images[row.channel, place]))
        here = (labels.planes == code).any(axis=0) | (code in labels.whole)
        if here.any():
            mask = upsample(layer.exemplars.grids[row.channel, place].astype(np.float32), *axes) > 0
            assert abs(float(text.split(" %")[0]) - 100 * (mask & here).sum() / mask.sum()) < 3
            said += 1
    assert said


def test_a_concept_leads_to_its_units_in_every_layer(visit, drawn):
    result, _folder = drawn
    link = visit.page.locator(".concepts a").first
    name = link.locator(".name").inner_text()
    link.click()
    visit.page.wait_for_selector(".plot canvas")
    assert visit.text("#page h1") == name
    column = [display_name(word) for word in result.probe_set.vocabulary.names].index(name)
    named = sum(
        row.label == result.probe_set.vocabulary.names[column] and row.score >= 0.04
        for layer in result.layers.values()
        for row in layer.units
    )
    assert f"{named} unit" in visit.text("#page .lead")
    for more in visit.page.locator(".cards-of-concept button.more").all():
        more.click()
    metas = visit.page.locator(".cards-of-concept .card .meta").all_inner_texts()
    for layer in result.layers.values():
        assert sum(meta.startswith(f"{layer.name}, unit") for meta in metas) == int(
            (layer.iou[:, column] >= 0.04).sum()
        )
    assert visit.page.locator(".examples img").count() > 0
    visit.page.keyboard.press("Escape")
    visit.settle()
    assert visit.page.locator("#overview").is_visible()


def test_a_dot_of_the_plot_is_its_unit(visit, drawn):
    visit.page.locator(".concepts a").first.click()
    visit.page.wait_for_selector(".plot canvas")
    visit.settle()
    visit.page.locator(".plot canvas").scroll_into_view_if_needed()
    box = visit.page.locator(".plot canvas").bounding_box()
    for x in range(int(box["width"]) - 4, 100, -6):
        for y in range(10, int(box["height"]) - 30, 9):
            visit.page.mouse.move(box["x"] + x, box["y"] + y)
            if not visit.page.locator(".tip").is_visible():
                continue
            visit.settle()
            if visit.page.locator(".tip").is_visible():  # it is of this place, not of the one before
                unit = visit.text(".tip").split(",")[0]
                visit.page.mouse.click(box["x"] + x, box["y"] + y)
                visit.page.locator("#page .kicker", has_text=unit).wait_for()
                return
    raise AssertionError


def test_every_state_is_in_the_address(visit, drawn):
    _result, folder = drawn
    state = {
        "layer": 1,
        "cut": 0.075,
        "query": "c",
        "show": "object",
        "sort": "label",
        "mask": "heat",
        "outlines": False,
    }
    visit.page.evaluate(f"netdissect.change({json.dumps(state)})")
    visit.page.wait_for_timeout(350)
    address = visit.page.evaluate("location.hash")
    visit.open(folder / "html/index.html", address)
    assert visit.page.evaluate("netdissect.state") | state == visit.page.evaluate("netdissect.state")
    visit.page.evaluate("netdissect.go({ view: 'unit', unit: 11 })")
    unit = visit.page.evaluate("location.hash")
    assert unit.startswith("#/unit/block2%2Fconv/12?")
    visit.open(folder / "html/index.html", unit)
    assert visit.text("#page .kicker").startswith("block2/conv, unit 12")
    assert visit.page.locator(".styles button[aria-pressed=true] >> visible=true").inner_text() == "Heat"


@pytest.mark.parametrize(
    "address",
    [
        "#/unit/nowhere/9999",
        "#/unit//",
        "#/concept/999/x",
        "#%%%",
        "#/layer/%E0%A4%A",
        "#/unit/block1%2Fconv/-3?cut=-1&show=x&sort=y&mask=z",
    ],
)
def test_an_invalid_address_says_what_is_missing(visit, drawn, address):
    visit.open(drawn[1] / "html/index.html", address)
    assert visit.text("#missing").startswith("No ")
    assert visit.page.locator("[data-page=network]").is_visible()
    assert visit.page.evaluate("netdissect.state.cut") == 0.04


def test_the_keyboard_does_it_all(visit, drawn):
    result, _ = drawn
    key = visit.page.keyboard.press
    state = lambda: visit.page.evaluate("netdissect.state")
    key("]")
    visit.settle()
    assert state()["layer"] == 1
    key("]"), key("["), visit.settle()
    assert state()["layer"] == 1
    key("."), key("."), key(","), visit.settle()
    assert state()["cut"] == pytest.approx(0.045)
    key(","), key("m"), visit.settle()
    assert state()["mask"] == "outline"
    key("o"), visit.settle()
    assert state()["outlines"] is False
    theme = visit.page.evaluate("document.documentElement.dataset.theme")
    key("d")
    assert visit.page.evaluate("document.documentElement.dataset.theme") != theme
    key("ArrowDown"), key("ArrowRight"), key("ArrowRight"), key("ArrowLeft")
    focused = visit.page.evaluate("document.activeElement.querySelector('.meta').textContent")
    key("Enter")
    visit.page.wait_for_selector("#page h1")
    assert focused.split(",")[0].lower() in visit.text("#page .kicker").lower()
    first = state()["unit"]
    key("ArrowRight"), visit.settle()
    ranked = [row.channel for row in result.layers[LAYER].units]
    assert state()["unit"] == ranked[ranked.index(first) + 1]
    key("ArrowLeft"), visit.settle()
    assert state()["unit"] == first
    key("/")
    assert visit.page.evaluate("document.activeElement.id") == "find"
    key("?")
    assert not visit.page.locator("#help").is_visible()  # typed into the search
    key("Escape"), key("Escape"), visit.settle()
    assert state()["view"] == "unit"
    key("?")
    assert visit.page.locator("#help").is_visible()
    key("Escape")
    assert not visit.page.locator("#help").is_visible()


def test_escape_returns_from_a_unit_to_its_card(visit):
    visit.page.locator("#cards a").nth(3).focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#page h1")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector("#overview:not([hidden])")


def test_the_skip_link_leads_to_the_units(visit):
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.id") == "skip"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.className").startswith("card")


def test_single_keys_can_be_switched_off(visit):
    visit.page.locator("#help-open").click()
    visit.page.locator("#keys-on").uncheck()
    visit.page.locator("#help-close").click()
    visit.page.keyboard.press("m")
    visit.settle()
    assert visit.page.evaluate("netdissect.state.mask") == "spotlight"


def test_the_citation_of_a_unit_can_be_copied(visiting, drawn):
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    visit.open(drawn[1] / "html/index.html", unit_address(LAYER, 7, "?cut=0.06"))
    visit.page.get_by_role("button", name="Copy citation").click()
    visit.page.wait_for_function("() => document.getElementById('announcement').textContent")
    assert visit.text("#announcement") == "Copied"


def test_dark_is_remembered_and_masks_follow_it(visit, drawn):
    visit.page.locator("#theme").click()
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    visit.open(drawn[1] / "html/index.html", unit_address(LAYER, 2))
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_names_with_markup_are_shown_as_text(visiting, tmp_path):
    nasty = "<script>alert(1)</script><img src=x onerror=alert(2)>\u2028'\"&"
    words = Vocabulary(("object", "<b>kind"), (Concept(1, nasty, "object"), Concept(2, "plain", "<b>kind")))
    result, probe_set = made_up_runs.make_run((5,), 2, words=words, name=nasty, layer_names=(nasty,), pictures=12)
    result = dataclasses.replace(
        result,
        image_names={row: f"{nasty}/{row}.jpg" for row in result.image_names},
        probe_set=dataclasses.replace(result.probe_set, name=nasty),
        network=dataclasses.replace(result.network, source=nasty, preprocessing=nasty),
        journal={**result.journal, "skipped_images": {nasty: nasty}, "versions": {nasty: nasty}},
    )
    write_report(result, tmp_path, probe_set, single_file=True)
    for file in ("html/index.html", "report.html"):
        visit = visiting()
        visit.page.on("dialog", lambda dialog, visit=visit: visit.wrong.append(dialog.message))
        visit.open(tmp_path / file)
        assert "<script>alert(1)</script>" in visit.text("#layer-title")
        visit.page.evaluate("netdissect.change({ cut: 0, query: 'img' })")
        visit.settle()
        visit.page.evaluate("netdissect.go({ view: 'concept', concept: 0 })")
        visit.page.wait_for_selector(".plot canvas")
        assert "onerror=alert(2)" in visit.text("#page h1")
        visit.page.evaluate("netdissect.go({ view: 'unit', unit: 1 })")
        visit.page.wait_for_selector(".profile tbody tr")
        assert visit.page.locator("img[src=x]").count() == 0
        visit.page.evaluate("netdissect.go({ view: 'network' })")
        visit.settle()
        visit.page.locator("#about summary").first.click()
        visit.page.locator(".skipped summary").click()
        assert "onerror=alert(2)" in visit.text(".skipped li")
        assert visit.page.locator("img[src=x]").count() == 0


def test_all_concepts_under_a_mask_can_be_read(visit, drawn):
    result, folder = drawn
    layer = result.layers[LAYER]
    row = layer.units[2]
    visit.open(folder / "html/index.html", unit_address(LAYER, row.unit))
    visit.page.wait_for_selector(".profile tbody tr")
    seen = int((layer.counts.I[row.channel] > 0).sum())
    visit.page.get_by_role("button", name=f"All {seen}").click()
    assert visit.page.locator(".profile tbody tr").count() == seen
    visit.page.get_by_role("button", name="Best").click()
    assert visit.page.locator(".profile tbody tr").count() == 8


def test_pointing_at_the_spectrum_names_the_concept_and_a_click_opens_it(visit, drawn):
    result, folder = drawn
    row = result.layers[LAYER].units[0]
    visit.open(folder / "html/index.html", unit_address(LAYER, row.unit))
    visit.page.wait_for_selector(".profile tbody tr")
    box = visit.page.locator(".side .spectrum canvas").first.bounding_box()
    place = next(
        x
        for x in range(0, int(box["width"]), 2)
        if (visit.page.mouse.move(box["x"] + x, box["y"] + 60) or True)
        and visit.page.locator(".spectrum .tip:visible").count()
        and visit.text(".spectrum .tip").startswith(f"{display_name(row.label)}, IoU {row.score:.3f}")
    )
    visit.page.mouse.click(box["x"] + place, box["y"] + 60)
    visit.page.wait_for_selector(".plot canvas")
    assert visit.text("#page h1") == display_name(row.label)


def test_the_histogram_names_its_sample_and_reaches_the_maximum(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((2, 2), 6, pictures=10)
    layers = list(result.layers.values())
    few = dataclasses.replace(
        layers[0], cells=10**6, activity=dataclasses.replace(layers[0].activity, maximum=layers[0].activity.high + 12)
    )
    sampled = int(few.activity.histogram[0].sum())
    every = dataclasses.replace(layers[1], cells=int(layers[1].activity.histogram[0].sum()))
    result = dataclasses.replace(result, layers={few.name: few, every.name: every})
    write_report(result, tmp_path, probe_set)
    visit = visiting()
    for layer, says in (
        (few, f"A random sample of {sampled:,} of 1,000,000 cells"),
        (every, f"All {every.cells:,} cells"),
    ):
        visit.open(tmp_path / "html/index.html", unit_address(layer.name, 1))
        visit.page.wait_for_selector(".activity .facts")
        section = visit.page.locator(".activity section")
        assert says in section.locator(".note").inner_text()
        assert section.locator(".ends span").last.inner_text() == f"{layer.activity.maximum[0]:.2f}"
