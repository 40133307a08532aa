import base64
import dataclasses
import html
import io
import re

import numpy as np
import pytest
from PIL import Image
from tests import made_up_runs

import netdissect as nd
from netdissect.analyses.finished_run import equip
from netdissect.concepts import display_name
from netdissect.errors import RunError, SettingsError
from netdissect.report import card, spotlight
from netdissect.results.ablation_findings import describe_ablation
from netdissect.results.controls import ControlLayer, ControlRun
from netdissect.results.detectors import format_deviation
from netdissect.results.findings import describe_findings, describe_unconvincing, format_probability
from netdissect.results.formula_findings import describe_formulas, describe_unit_formula


class ByIndex:
    """A probe set by position, as `dissect` takes it."""

    def __init__(self, probe_set):
        self._probe_set = probe_set

    def __len__(self):
        return 60

    def row(self, index):
        return index

    def read_image_file(self, index):
        return self._probe_set.read_image_file(index)

    def read_labels(self, index):
        return self._probe_set.read_labels(index)


@pytest.fixture
def result():
    run, probe_set = made_up_runs.make_run((24, 40), name="net <b>_1_")
    return equip(run, lambda: ByIndex(probe_set), None)


def test_a_notebook_shows_a_run_as_a_table_and_bars_of_categories(result):
    html = result._repr_html_()
    assert "net &lt;b&gt;_1_" in html
    assert "unique, by label" in html
    for layer in result.layers.values():
        found = layer.detectors()
        assert f'aria-label="{found.units} of {found.total} units by category"' in html
        for category, units in found.units_by_category.items():
            assert f"</span>{category} {units}</span>" in html
    assert not re.search(r"https?://|<script", html)


def test_a_notebook_shows_a_layer_and_a_unit(result):
    layer = result["block2/conv"]
    assert layer is result.layers["block2/conv"] is result[1]
    assert "units detect" in layer._repr_html_()
    best = layer.units[0]
    unit = layer.unit(best.unit)
    assert unit.channel == best.channel
    assert unit.profile[0][1:] == (best.label, best.score)
    html = unit._repr_html_()
    assert f"unit {best.unit} (channel {best.channel} counted from 0)" in html
    assert "data:image/jpeg" in html
    assert repr(unit).startswith(f"unit {best.unit} (channel {best.channel}) of block2/conv: ")


def find_images(html):
    data = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in data]


def test_a_layer_is_shown_as_cards_of_different_concepts_with_images(result):
    layer = result["block2/conv"]
    html = layer._repr_html_()
    assert len(find_images(html)) == 8 * 5
    assert len(html) < 150_000
    numbers = [int(number) for number in re.findall(r">unit (\d+) \(channel \d+\),", html)]
    labels = [layer.unit(number).row.label for number in numbers]
    different = len({row.label for row in layer.units if row.label})
    assert len(numbers) == 8
    assert len(set(labels)) == min(8, different)
    assert numbers[0] == layer.units[0].unit
    assert "#fff" not in html  # nothing white on a dark page


def test_an_image_of_a_unit_is_untouched_in_its_mask_and_darker_and_grayer_outside(result):
    layer = result["block2/conv"]
    unit = layer.unit(layer.units[0].unit)
    row, grid = int(layer.exemplars.images[unit.channel, 0]), layer.exemplars.grids[unit.channel, 0]
    data = result.read_image_file(row)
    shown = spotlight.draw_spotlight(layer, grid, data, (112, 112), 112).astype(float)
    with Image.open(io.BytesIO(data)) as opened:
        tile = np.array(opened.convert("RGB"), float)
    inside = (np.abs(shown - tile) < 1).all(axis=2)
    assert 0.01 < inside.mean() < 0.9
    gray = tile @ [0.299, 0.587, 0.114]
    expected = 0.55 * (0.65 * gray[..., None] + 0.35 * tile)
    assert np.abs(shown - expected)[~inside].max() <= 0.5 + 1e-9


def test_the_table_of_units_is_shown_as_a_table(trusted, result):
    units = trusted["block2/conv"].units
    head, *rows = cells_of(html.unescape(units._repr_html_()))
    assert head == ["unit", "channel", "concept", "category", "IoU", "", "95 % interval", "q"]
    assert len(rows) == 20
    first = units[0]
    assert rows[0][:5] == [
        str(first.unit),
        str(first.channel),
        display_name(first.label),
        first.category,
        f"{first.score:.3f}",
    ]
    assert rows[0][6] == f"{first.trust.low:.3f}–{first.trust.high:.3f}"
    assert "… 20 units more" in units._repr_html_()
    assert cells_of(result["block1/conv"].units._repr_html_())[0] == [
        "unit",
        "channel",
        "concept",
        "category",
        "IoU",
        "",
    ]


def test_a_unit_shows_its_page_in_a_frame(result):
    shown = result["block2/conv"].unit(3).show(500)
    assert repr(shown).startswith("unit 3 of block2/conv: ")
    frame = shown._repr_html_()
    assert frame.startswith('<iframe title="unit 3 of block2/conv" srcdoc="&lt;!doctype html&gt;')
    assert "height:500px" in frame
    assert 'data-open="#/unit/block2%2Fconv/3"' in shown.page
    assert shown.page.count('type="text/plain" id="image/probe/') == result["block2/conv"].exemplars.images.shape[1]
    with pytest.raises(RunError, match="belongs to no run"):
        dataclasses.replace(result["block2/conv"], presenter=None).unit(3).show()


@pytest.fixture
def trusted():
    run, probe_set = made_up_runs.make_run((24, 40), trusted=True)
    return equip(run, lambda: ByIndex(probe_set), None)


@pytest.fixture
def analyzed():
    run, probe_set = made_up_runs.make_run((24, 40), trusted=True, analyzed=True)
    return equip(run, lambda: ByIndex(probe_set), None)


def cells_of(html):
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", html)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in rows]


def test_a_notebook_shows_how_far_counts_can_be_trusted(trusted):
    head, first, _ = cells_of(trusted._repr_html_())
    assert head == [
        "layer",
        "units",
        "detectors",
        "unique, by label",
        "unique, by category",
        "beyond chance",
        "times chance",
    ]
    layer = trusted["block1/conv"]
    summary, found = layer.summarize_trust(), layer.detectors()
    other = layer.count_spread(0.04, "category")
    assert first == [
        "block1/conv", "24", f"{found.units} ± {format_deviation(summary.counts.units_sd)}",
        f"{found.unique} ± {format_deviation(summary.counts.unique_sd)}",
        f"{layer.detectors(0.04, 'category').unique} ± {format_deviation(other.unique_sd)}", str(summary.beyond), f"{summary.times:.1f}",
    ]  # fmt: skip


def test_a_notebook_shows_q_of_units(trusted):
    layer = trusted["block2/conv"]
    text = html.unescape(layer._repr_html_())
    head, *rows = cells_of(text)
    assert head == ["unit", "channel", "IoU", "q", "category", "concept"]
    for row, unit in zip(rows, layer.units, strict=False):
        assert row[:2] == [str(unit.unit), str(unit.channel)]
        assert row[3] == format_probability(unit.trust.q)
    assert describe_findings(layer) in text
    assert describe_unconvincing(layer) in text
    weak = next(row for row in layer.units if row.trust.q is not None and row.trust.q >= 0.05)
    said = html.unescape(layer.unit(weak.unit)._repr_html_())
    assert "no better than chance" in said
    assert f"95 % interval {weak.trust.low:.3f} to {weak.trust.high:.3f}" in said


def test_a_model_card_says_what_is_beyond_chance_and_shows_its_control(trusted):
    control = ControlRun(
        "seed-1", "untrained", "0" * 32, 0.04, {"block2/conv": ControlLayer(4, 40, 3, 0.8, 0.7, 1.3, 1.1, 1.5)}
    )
    text = card.format_model_card(dataclasses.replace(trusted, controls=(control,)))
    layer = trusted["block2/conv"]
    summary = layer.summarize_trust()
    assert f" | {summary.beyond} | {summary.times:.1f} | " in text
    assert f"| {layer.detectors().units} ± {format_deviation(summary.counts.units_sd)} |" in text
    assert (
        "- **block2/conv** of the control seed-1 (untrained): 4 ± 0.8 of 40 units detect 3 ± 0.7 unique concepts; 1.3 times "
        "chance."
    ) in text
    assert "± is the standard deviation of a count" in text
    assert f"- **block2/conv**: {describe_unconvincing(layer)}." in text
    assert "images are few for these counts" in text


def test_a_model_card_of_a_run_without_trust_tables_has_neither(result):
    text = card.format_model_card(result)
    assert "±" not in text
    assert "chance" not in text


@pytest.mark.parametrize("number", [0, 41, -1])
def test_an_unknown_unit_is_refused(result, number):
    with pytest.raises(SettingsError, match="units 1 to 40"):
        result["block2/conv"].unit(number)


def test_without_its_probe_set_a_unit_shows_no_images(result, tmp_path):
    result.save(tmp_path)
    html = nd.load(tmp_path)["block1/conv"].unit(3)._repr_html_()
    assert "data:image/jpeg" not in html


def test_a_model_card_has_both_definitions_and_a_figure(result, tmp_path):
    path = result.write_model_card(tmp_path)
    text = path.read_text()
    for name, layer in result.layers.items():
        found, other = layer.detectors(0.04), layer.detectors(0.04, "category")
        assert f"| {name} | {found.total} | {found.units} | {found.unique} | {other.unique} |" in text
    assert (tmp_path / card.CARD_FIGURE).read_bytes().startswith(b"\x89PNG")
    assert card.CARD_FIGURE in text
    assert "net \\<b\\>\\_1\\_" in text


def test_a_notebook_shows_formulas_where_they_are_beyond_chance(analyzed):
    layer = analyzed["block2/conv"]
    html = layer._repr_html_()
    assert f"<br>{describe_formulas(layer)[0]}" in html
    head, *rows = cells_of(html)
    assert head[-2:] == ["concept", "formula"]
    names = [display_name(name) for name in layer.vocabulary.names]
    shown = 0
    for row, cells in zip(layer.units, rows, strict=False):
        found = layer.formulas.units[row.channel]
        beyond = found is not None and found.is_beyond_chance
        assert cells[-1] == (f"{found.formula.describe(names)} {found.iou:.3f}" if beyond else "")
        shown += beyond
        said = layer.unit(row.unit)._repr_html_()
        assert ("<p>formula: " in said) == (found is not None)
        assert found is None or f"<p>formula: {describe_unit_formula(layer, row.channel)}</p>" in said
    assert 0 < shown < len(rows)


def test_a_notebook_says_what_class_outputs_lose_without_units(analyzed):
    layer = analyzed["block2/conv"]
    shown = html.unescape(layer._repr_html_())
    lines = describe_ablation(layer)
    assert len(lines) > 3
    for line in lines:
        assert f"<br>{line}" in shown


def test_a_notebook_of_a_run_without_formulas_has_no_column_of_them(trusted):
    layer = trusted["block2/conv"]
    assert cells_of(layer._repr_html_())[0][-1] == "concept"
    assert "formula" not in layer.unit(1)._repr_html_()


def test_a_card_says_what_class_outputs_lose_without_units():
    run, _ = made_up_runs.make_run((12,), 8, pictures=12)
    assert "Without units" not in card.format_model_card(run)
    layer = run[0]
    layer = dataclasses.replace(layer, ablation=made_up_runs.make_ablation(layer))
    said = card.format_model_card(dataclasses.replace(run, layers={layer.name: layer}))
    assert "Without units (docs/ablation.md):" in said
    assert "remove the" in said and "matched random" in said
