"""The overview as a person uses it, opened from disk."""

import re
import urllib.parse

import pytest

from netdissect.concepts import display_name

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


def open_layer(visit, folder, name=LAYER, query=""):
    visit.open(folder / "html" / "index.html", f"#/layer/{urllib.parse.quote(name, safe='')}{query}")


@pytest.mark.parametrize("file", ["html/index.html", "report.html"])
def test_the_report_opens_from_disk_in_a_folder_and_as_a_single_file(visiting, drawn, tmp_path, file):
    result, folder = drawn
    path = folder / file
    if file == "report.html":  # it needs nothing beside it
        path = tmp_path / "sent.html"
        path.write_bytes((folder / file).read_bytes())
    visit = visiting()
    visit.open(path)
    layer = next(iter(result.layers.values()))
    assert visit.number("#n-detectors") == layer.detectors(0.04).units
    visit.page.wait_for_function("() => document.querySelector('#cards img').naturalWidth > 0")
    visit.page.locator("#cards a").first.click()
    visit.page.wait_for_selector(".profile tbody tr")


def test_the_numbers_are_those_of_the_result_at_any_threshold(visit, drawn):
    result, _folder = drawn
    for index, (name, layer) in enumerate(result.layers.items()):
        for cut in (0.0, 0.02, 0.04, 0.0405, 0.1, 0.3, 1.0):
            visit.page.evaluate(f"netdissect.change({{ layer: {index}, cut: {cut} }})")
            visit.settle()
            by_label, by_category = layer.detectors(cut), layer.detectors(cut, "category")
            counted = [visit.number(f"#n-{kind}") for kind in ("detectors", "label", "category")]
            assert counted == [by_label.units, by_label.unique, by_category.unique], (name, cut)


def test_an_iou_that_equals_the_threshold_counts_by_label_and_not_by_category(visit, drawn):
    result, _folder = drawn
    layer = result.layers[LAYER]
    cut = layer.units[10].score
    visit.page.evaluate(f"netdissect.change({{ layer: 1, cut: {cut!r} }})")
    visit.settle()
    assert visit.number("#n-detectors") == layer.detectors(cut).units
    assert visit.number("#n-category") == layer.detectors(cut, "category").unique


def test_the_slider_recounts_everything_as_it_moves(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder)
    layer = result.layers[LAYER]
    slider = visit.page.locator("#threshold-graph")
    slider.focus()
    box = slider.bounding_box()
    visit.page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + 50)
    visit.settle()
    cut = visit.page.evaluate("netdissect.state.cut")
    assert cut > 0.05
    assert visit.number("#n-detectors") == layer.detectors(cut).units
    graph = visit.page.locator(".concepts a").evaluate_all(
        "(links) => links.map((a) => Number(a.querySelector('.count').textContent))"
    )
    assert 0 < sum(graph) <= layer.detectors(cut).units
    tab = visit.page.locator(".tab[aria-current] .tab-note").inner_text()
    assert tab.startswith(f"{layer.detectors(cut).units} of 90 named")
    visit.page.locator("#threshold-reset").click()
    visit.settle()
    assert visit.number("#n-detectors") == layer.detectors(0.04).units


def test_the_concept_graph_shows_the_units_of_every_concept(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder, query="?cut=0.08")
    for more in visit.page.locator("button.more[aria-expanded=false]:visible").all():
        more.click()
    shown = dict(visit.page.locator(".concepts a").evaluate_all(
        "(links) => links.map((a) => [a.querySelector('.name').textContent, Number(a.querySelector('.count').textContent)])"
    ))  # fmt: skip
    found = result.layers[LAYER].detectors(0.08).concepts
    assert shown == {display_name(label): units for (_, label), units in found.items()}


def test_search_finds_units_by_concept_and_by_number(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder)
    layer = result.layers[LAYER]
    best = layer.units[0]
    visit.page.keyboard.press("f")
    visit.page.keyboard.type(display_name(best.label))
    visit.settle()
    names = visit.page.locator("#cards .card").all_inner_texts()
    assert names
    assert all(display_name(best.label) in text for text in names[:1])
    assert visit.number("#found-number") < 90
    assert display_name(best.label) in visit.text("#suggestions")
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.type("37")
    visit.settle()
    visit.page.wait_for_selector("#cards .meta")
    assert [text.split(",")[0] for text in visit.page.locator("#cards .meta").all_inner_texts()] == ["Unit 37"]
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.type("no such thing")
    visit.settle()
    assert visit.page.locator("#nothing").is_visible()


def test_what_is_typed_right_after_escape_is_a_search_of_its_own(visit, drawn):
    open_layer(visit, drawn[1])
    visit.page.keyboard.press("f")
    visit.page.keyboard.type("a")
    visit.settle()
    left = visit.page.evaluate("""() => {
        const box = document.querySelector("#search");
        box.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
        return box.value; // no frame has passed
    }""")
    assert left == ""


def test_cards_sort_by_iou_name_and_number(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder)
    layer = result.layers[LAYER]
    first = "() => netdissect.listShownUnits().slice(0, 12).map((unit) => unit + 1)"
    assert visit.page.evaluate("() => [...netdissect.listShownUnits()].slice(0, 12).map((unit) => unit + 1)") == [
        row.unit for row in layer.units[:12]
    ]
    visit.page.locator("#sort").select_option("unit")
    visit.settle()
    assert visit.page.evaluate(first) == list(range(1, 13))
    assert visit.page.locator("#cards .meta").first.inner_text().startswith("Unit 1,")
    visit.page.locator("#sort").select_option("label")
    visit.settle()
    named = [display_name(row.label) for row in layer.units if row.score >= 0.04]
    assert visit.page.locator("#cards .name").first.inner_text() == min(named)


def test_a_category_filters_the_cards_and_the_rest_is_below_the_threshold(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder, query="?cut=0.1")
    rows = result.layers[LAYER].units
    for button in visit.page.locator("#categories button").all():
        button.click()
        visit.settle()
        words = button.inner_text().split()
        if words[0] == "All":
            continue
        expected = [
            row
            for row in rows
            if (row.score < 0.1 if words[0] == "below" else row.score >= 0.1 and row.category == words[0])
        ]
        assert int(words[1]) == len(expected) == visit.number("#found-number")
        if expected and words[0] == "below":
            assert visit.page.locator("#cards .card").first.inner_text().count("closest")


def test_a_score_just_below_the_threshold_is_not_printed_as_if_it_reached_it(visit):
    assert visit.page.evaluate("netdissect.formatScore(0.03967, 0.04)") == "0.0397"
    assert visit.page.evaluate("netdissect.formatScore(0.0412, 0.04)") == "0.041"
    assert visit.page.evaluate("netdissect.formatScore(0.0396, 0.0395)") == "0.040"


def test_only_cards_near_the_window_exist_and_every_unit_can_be_scrolled_to(visit, drawn):
    _result, folder = drawn
    open_layer(visit, folder)
    seen = set()
    for _ in range(60):
        assert visit.page.locator("#cards li").count() < 60
        seen |= set(visit.page.locator("#cards .meta").all_inner_texts())
        visit.page.mouse.wheel(0, 500)
        visit.settle()
    assert {int(text.split()[1].strip(",")) for text in seen} == set(range(1, 91))


def test_the_tab_key_walks_the_cards_in_their_order(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder)
    visit.page.locator("#cards a").first.focus()
    walked = []
    for _ in range(8):
        walked.append(visit.page.evaluate("document.activeElement.querySelector('.meta').textContent"))
        visit.page.keyboard.press("Tab")
    assert [int(text.split()[1].strip(",")) for text in walked] == [row.unit for row in result.layers[LAYER].units[:8]]


def test_the_table_of_layers_follows_the_threshold(visit, drawn):
    result, folder = drawn
    open_layer(visit, folder, query="?cut=0.1")
    for row, (name, layer) in zip(visit.page.locator("#across tbody tr").all(), result.layers.items(), strict=True):
        cells = row.locator("th, td").all_inner_texts()
        found = layer.detectors(0.1)
        assert cells[:5] == [
            name,
            str(found.total),
            str(found.units),
            str(found.unique),
            str(layer.detectors(0.1, "category").unique),
        ]


def test_print_shows_the_cards_and_no_controls(visit):
    visit.page.emulate_media(media="print")
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert not visit.page.locator("#toolbar").is_visible()
    assert visit.page.locator("#cards li").count() == 24
    assert visit.page.locator("#cards li").first.evaluate("(item) => getComputedStyle(item).position") == "static"
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")


@pytest.mark.parametrize("view", ["#/unit/block2%2Fconv/4?mask=outline", "#/concept/3/sheep?cut=0&mask=outline"])
def test_cards_on_other_pages_are_printed_with_their_masks(visit, drawn, view):
    visit.open(drawn[1] / "html/index.html", view)
    visit.page.wait_for_function("() => document.querySelector('#page .row canvas.masks[style]')")
    visit.page.emulate_media(media="print")
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    painted = visit.page.evaluate(
        """() => [...document.querySelectorAll("#page .row .card")].map((card) => {
          const strip = card.querySelector(".strip");
          const masks = card.querySelector("canvas.masks");
          const pixels = masks.getContext("2d").getImageData(0, 0, masks.width, masks.height).data;
          return [Math.abs(masks.offsetWidth - strip.offsetWidth) <= 2, pixels.some((value) => value)];
        })"""
    )
    assert painted
    assert all(fits and some for fits, some in painted)
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def test_a_missing_data_file_is_reported_on_the_page(visiting, drawn, tmp_path):
    import shutil

    _, folder = drawn
    shutil.copytree(folder / "html" / "app", tmp_path / "app")
    shutil.copy(folder / "html" / "index.html", tmp_path)
    visit = visiting()
    visit.page.goto((tmp_path / "index.html").as_uri())
    visit.page.wait_for_selector("#missing:not([hidden])")
    assert "data/run.js is missing" in visit.text("#missing")
    visit.wrong.clear()


@pytest.mark.parametrize(("gone", "view"), [("layer-1-counts", "unit"), ("layer-1", "unit"), ("concepts", "concept")])
def test_a_data_file_that_a_later_page_misses_is_reported_there(visiting, drawn, tmp_path, gone, view):
    import shutil

    shutil.copytree(drawn[1] / "html", tmp_path / "html", ignore=shutil.ignore_patterns("*.svg", "*.html"))
    shutil.copy(drawn[1] / "html" / "index.html", tmp_path / "html")
    (tmp_path / "html" / "data" / f"{gone}.js").unlink()
    visit = visiting()
    visit.open(tmp_path / "html" / "index.html", "#/probe")
    assert visit.page.locator("#missing").is_hidden()
    visit.page.evaluate(f"netdissect.go({{ view: '{view}', layer: 1, unit: 3, concept: 2 }})")
    visit.page.wait_for_selector("#missing:not([hidden])")
    assert f"data/{gone}.js is missing" in visit.text("#missing")
    visit.wrong.clear()


def test_a_taller_window_shows_more_cards(visit, drawn):
    open_layer(visit, drawn[1])
    visit.page.evaluate("document.getElementById('units').scrollIntoView()")
    visit.settle()
    before = visit.page.locator("#cards li").count()
    visit.page.set_viewport_size({"width": 1280, "height": 3000})
    visit.page.wait_for_function(f"() => document.querySelectorAll('#cards li').length > {before}")


@pytest.mark.parametrize(("scheme", "offers"), [("dark", "Light"), ("light", "Dark")])
def test_the_button_offers_the_other_theme_from_the_beginning(visiting, drawn, scheme, offers):
    started = visiting(color_scheme=scheme)
    started.open(drawn[1] / "html/index.html")
    assert started.text("#theme") == offers


def test_a_layer_is_described_in_a_sentence(visit, drawn):
    open_layer(visit, drawn[1])
    words = visit.text("#layer-words")
    assert re.fullmatch(r"Conv2d; 7 × 7 cells, .* 16 × 16 pixels, 16 apart\.", words), words
