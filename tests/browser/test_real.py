"""A real network over real photographs: dissected, saved, loaded, redrawn, opened."""

from __future__ import annotations

import csv
import json

import pytest

import netdissect as nd
from netdissect.concepts import display_name
from netdissect.report.label_maps import decode_label_script
from netdissect.results.detectors import format_deviation
from netdissect.results.run_schema import load_run_schema

pytestmark = [pytest.mark.browser, pytest.mark.shared, pytest.mark.slow]


@pytest.fixture(scope="module")
def run(shared, tmp_path_factory):
    """Only images of one split, so that rows of index.csv are not positions."""
    folder = tmp_path_factory.mktemp("real")
    result = nd.dissect(
        str(shared / "models/squeezenet_v1.0"), ["fire9/concat", "conv_final"], shared / "data/real_a_227",
        split="val", limit=60, images_per_unit=6, out=folder,
    )  # fmt: skip
    return result, folder


def test_run_json_of_a_real_run_meets_the_schema(run):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(load_run_schema()).validate(json.loads((run[1] / "run.json").read_text()))


def test_a_loaded_run_finds_its_probe_set_again_and_shows_the_same_images(run, shared):
    result, folder = run
    loaded = nd.load(folder)
    probe_set = loaded.open_probe_set()
    assert probe_set is not None
    assert probe_set.fingerprint == result.probe_set.fingerprint
    row, name = next(iter(sorted(result.image_names.items())))
    kept = folder / "html" / "image" / "probe" / f"{row:06d}.jpg"
    assert kept.read_bytes() == (shared / "data/real_a_227/images" / name).read_bytes()
    given = probe_set.read_labels(next(index for index in range(len(probe_set)) if probe_set.row(index) == row))
    text = (folder / "html" / "data" / "labels" / f"{row:06d}.js").read_text()
    cached = decode_label_script(text, len(result.probe_set.vocabulary))
    assert (cached.planes == given.planes).all()
    assert loaded["fire9/concat"].unit(5).strip() == result["fire9/concat"].unit(5).strip()


def test_the_report_of_a_real_run_shows_its_table(run, visiting):
    _result, folder = run
    visit = visiting()
    visit.open(folder / "html" / "index.html", "#/layer/fire9%2Fconcat")
    with (folder / "fire9-concat-result.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [row for row in rows if float(row["score"]) >= 0.04]
    assert visit.number("#n-detectors") == len(found)
    assert visit.number("#n-label") == len({row["label"] for row in found})
    visit.page.locator("#cards a").first.click()
    visit.page.wait_for_selector(".profile tbody tr")
    assert visit.text("#page h1") == display_name(rows[0]["label"])
    assert visit.text("#page .kicker").startswith(f"fire9/concat, unit {rows[0]['unit']} ")
    visit.page.wait_for_function(
        "() => [...document.querySelectorAll('.tile img')].every((image) => image.naturalWidth > 0)"
    )


def test_the_report_of_a_real_run_shows_what_its_trust_table_says(run, visiting):
    _result, folder = run
    layer = nd.load(folder)["fire9/concat"]
    counts, summary = layer.count_spread(0.04), layer.summarize_trust(0.04)
    with (folder / "fire9-concat-trust.csv").open(newline="") as file:
        rows = {int(row["unit"]): row for row in csv.DictReader(file)}
    beyond = {unit for unit, row in rows.items() if row["q"] and float(row["q"]) < 0.05}
    assert 0 < len(beyond) < 512
    visit = visiting()
    visit.open(folder / "html" / "index.html", "#/layer/fire9%2Fconcat")
    assert visit.text("#sd-detectors") == f"± {format_deviation(counts.units_sd)}"
    assert f"{summary.beyond} of {summary.detectors} detectors beyond chance (q < 0.05, 20 shifts)" in visit.text(
        "#sure-lines"
    )
    visit.page.locator("#beyond").check()
    visit.settle()
    shown = visit.page.evaluate("() => [...netdissect.listShownUnits()].map((unit) => unit + 1)")
    assert set(shown) == beyond
    visit.page.locator("#cards a").first.click()
    visit.page.wait_for_selector(".sure-facts")
    row = rows[shown[0]]
    assert f"{float(row['low']):.3f}–{float(row['high']):.3f}" in visit.text(".sure-facts")
