"""Runs of an unusual shape: nothing found, one unit, one cell, no images, long names, images that are not square."""

import dataclasses
import itertools

import pytest
from tests import made_up_runs
from tests.browser.conftest import PHONE, write_report

from netdissect.concepts import Concept, Vocabulary
from netdissect.layers import FieldMap
from netdissect.results.counts import Counts
from netdissect.stats import unit_map

pytestmark = pytest.mark.browser

LONG = "encoder.layers.11.very.long.module.name.with.many.parts.attention.output.dense_projection_2"


def changed(result, change):
    return dataclasses.replace(result, layers={name: change(layer) for name, layer in result.layers.items()})


def weakened(result, factor):
    return changed(
        result,
        lambda layer: dataclasses.replace(
            layer, counts=dataclasses.replace(layer.counts, I=(layer.counts.I * factor).astype(int))
        ),
    )


def opened(visiting, tmp_path, result, probe_set, address="", **options):
    write_report(result, tmp_path, probe_set)
    visit = visiting(**options)
    visit.open(tmp_path / "html/index.html", address)
    visit.page.wait_for_timeout(200)
    return visit


@pytest.mark.parametrize(
    ("factor", "says"), [(0.01, "The closest is unit "), (0, "No unit’s mask touches a labeled pixel.")]
)
def test_if_no_unit_reaches_the_threshold_the_page_names_the_closest(visiting, tmp_path, factor, says):
    result, probe_set = made_up_runs.make_run((8,), 12, pictures=20)
    result = weakened(result, factor)
    visit = opened(visiting, tmp_path, result, probe_set)
    assert visit.number("#n-detectors") == 0
    assert says in visit.text("#graph-empty")
    visit.page.evaluate("netdissect.change({ cut: 0 })")
    visit.settle()
    assert visit.page.locator("#graph-empty").is_visible() == (factor == 0)


def test_a_run_without_images_shows_its_numbers_and_no_empty_frames(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((8, 20), 12, exemplars=0)
    visit = opened(visiting, tmp_path, result, probe_set)
    assert not visit.page.locator("#units .styles").is_visible()
    first, below = (visit.page.locator("#cards li").nth(at).bounding_box() for at in (0, 3))
    assert below["y"] - first["y"] < 100
    visit.page.locator("#cards .card").first.click()
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.page.locator(".images, .switches, .similar").count() == 0
    assert visit.page.locator(".side > section").first.bounding_box()["width"] > 500


def test_the_bar_of_a_layer_with_detectors_only_stays_within_its_tab(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((30,), 60, pictures=20)
    visit = opened(visiting, tmp_path, result, probe_set, "#/layer/block1%2Fconv?cut=0")
    assert visit.number("#n-detectors") == 30
    share = visit.page.locator(".tab .share")
    end = share.bounding_box()["x"] + share.bounding_box()["width"]
    for part in share.locator("span").all():
        assert part.bounding_box()["x"] + part.bounding_box()["width"] <= end + 0.6


@pytest.mark.parametrize("view", ["", "#/unit/{}/1", "#/concept/1/x"])
def test_long_and_foreign_names_never_scroll_a_phone_sideways(visiting, tmp_path, view):
    names = (
        "a concept with an extraordinarily long name that nobody would want to read in a list",
        "чёрный ящик 猫",
        "x" * 60,
    )
    words = Vocabulary(
        ("unbreakable_category_name", "b"),
        tuple(Concept(n + 1, name, ("unbreakable_category_name", "b")[n % 2]) for n, name in enumerate(names)),
    )
    result, probe_set = made_up_runs.make_run((6,), 3, words=words, layer_names=(LONG,), name="n" * 70, pictures=10)
    visit = opened(
        visiting, tmp_path, result, probe_set, view.format(LONG), viewport=PHONE, is_mobile=True, has_touch=True
    )
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_layer_of_single_cells_says_so(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((5,), 12, grid=1, pictures=20)
    visit = opened(visiting, tmp_path, result, probe_set)
    assert visit.text("#layer-words") == "Conv2d; one cell for the whole image."


def test_a_single_unit_is_called_the_only_one(visiting, tmp_path):
    result, probe_set = made_up_runs.make_run((1,), 5, pictures=10)
    visit = opened(visiting, tmp_path, result, probe_set)
    assert visit.text(".masthead .lead").startswith("The only unit of one layer, named after")


@pytest.mark.parametrize("size", [(112, 224), (224, 112)])
def test_images_that_are_not_square_keep_their_shape(visiting, tmp_path, size):
    result, _ = made_up_runs.make_run((6,), 12, pictures=20)
    height, width = size
    result = changed(result, lambda layer: dataclasses.replace(layer, layer=dataclasses.replace(
        layer.layer, field=FieldMap((0, 0), (height / 7, width / 7), (height / 7, width / 7)))))  # fmt: skip
    result = dataclasses.replace(
        result, network=dataclasses.replace(result.network, input_size=size),
        probe_set=dataclasses.replace(result.probe_set, image_size=size, label_size=(height // 2, width // 2)),
    )  # fmt: skip
    probe_set = made_up_runs.MadeUpProbeSet(result.probe_set.vocabulary, size, (height // 2, width // 2))
    visit = opened(visiting, tmp_path, result, probe_set)
    box = visit.page.locator("#cards img").first.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.03)
    visit.page.locator("#cards .card").first.click()
    visit.page.wait_for_selector(".tile canvas[width]")
    box = visit.page.locator(".frame").first.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.03)


def test_more_categories_than_colors_keep_their_names_apart(visiting, tmp_path):
    kinds = ("animal", "vehicle", "action", "mood", "weather", "material", "sound", "a-very-long-category-name")
    result, probe_set = made_up_runs.make_run((40,), 64, categories=kinds, pictures=20)
    visit = opened(visiting, tmp_path, result, probe_set, "#/unit/block1%2Fconv/1")
    visit.page.wait_for_selector(".spectrum-kinds span")
    boxes = [name.bounding_box() for name in visit.page.locator(".spectrum-kinds span").all()]
    assert len(boxes) == len(kinds)
    for left, right in itertools.pairwise(boxes):
        assert left["x"] + left["width"] <= right["x"] + 0.5
    assert max(box["height"] for box in boxes) < 24


def test_five_thousand_units_open_and_slide(visiting, tmp_path, monkeypatch):
    monkeypatch.setattr(unit_map, "MOST_POINTS", 400)  # 400 units are laid out, and the others placed beside them
    result, probe_set = made_up_runs.make_run((16,), 40, pictures=30, exemplars=5)
    layer = next(iter(result.layers.values()))
    many = 5000
    which = [unit % 16 for unit in range(many)]
    big = dataclasses.replace(
        layer, layer=dataclasses.replace(layer.layer, units=many),
        counts=Counts(layer.counts.I[which], layer.counts.A[which], layer.counts.G), thresholds=layer.thresholds[which],
        exemplars=dataclasses.replace(layer.exemplars, **{name: getattr(layer.exemplars, name)[which] for name in ("images", "maxima", "grids", "scale")}),
        activity=dataclasses.replace(layer.activity, **{field.name: getattr(layer.activity, field.name)[which] for field in dataclasses.fields(layer.activity)}),
    )  # fmt: skip
    from netdissect.report import ReportCache
    from netdissect.report.html import page
    from netdissect.report.html.page_data import PageData

    result = dataclasses.replace(result, layers={layer.name: big})
    html = tmp_path / "html"  # without strips: 5,000 of them take long
    cache = ReportCache(result, tmp_path)
    page.write_pages(PageData(result, cache.cache_images(probe_set), cache.cache_labels(probe_set)), html)
    visit = visiting()
    visit.open(html / "index.html")
    assert visit.text("#n-units") == "5,000"
    assert visit.number("#n-detectors") == big.detectors(0.04).units
    visit.page.locator("#threshold-graph").fill("0.1")
    visit.settle()
    assert visit.number("#n-detectors") == big.detectors(0.1).units
    assert visit.page.locator("#cards li").count() < 60
