"""Figures with unusual names."""

import csv
import warnings
from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.concepts import Concept, Vocabulary
from netdissect.experiments import compare_figures
from netdissect.experiments.compare_runs import Comparison
from netdissect.protocols import NullProgress
from netdissect.report import figures
from netdissect.report.figures import style
from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation
from netdissect.results.compared import count_for_comparison
from netdissect.stats.spread import find_resampled_labels

pytestmark = pytest.mark.usefixtures("real_figures")

NAMES = (
    "$x_1$ & $\\foo$",
    "tab\tand\nline",
    "чёрный ящик",
    "猫",
    "a name that goes on and on and on and would leave no room",
)


@pytest.fixture
def found():
    words = Vocabulary(("thing_$",), tuple(Concept(n + 1, name, "thing_$") for n, name in enumerate(NAMES)))
    result, _ = made_up_runs.make_run((60,), len(NAMES), words=words, layer_names=("layer_$1$\t/conv",))
    return result.detectors(0.01)


def test_a_figure_can_have_any_name(found, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.draw_bar_graph(next(iter(found.values())), tmp_path / "bars.svg")
        figures.draw_layer_graph(found, tmp_path / "layers.svg")
    assert (tmp_path / "bars.csv").read_text(encoding="utf-8").count("$") >= 2
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_a_name_is_shortened_to_one_line():
    assert style.shorten_name("tab\tand\nline") == "tab and line"
    assert style.shorten_name("x" * 41) == "x" * 39 + "…"


def read_numbers(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def count_entry(layer, name, definition="label", step=None):
    entry = count_for_comparison(name, name, layer.name, layer.units, 0.04, definition)
    return replace(entry, step=step, spread=layer.count_spread(0.04, definition), trust=layer.summarize_trust(0.04))


def test_the_bar_graph_of_a_report_has_the_error_of_every_bar(tmp_path):
    result, probe_set = made_up_runs.make_run((40,), trusted=True)
    report.write_report(result, tmp_path, probe_set, NullProgress())
    layer = next(iter(result.layers.values()))
    rows = read_numbers(tmp_path / "html/image/block1-conv-bargraph.csv")
    assert {(row["category"], row["concept"]): int(row["units"]) for row in rows} == layer.detectors(0.04).concepts
    best, label = find_resampled_labels(layer.trust.spread.score, layer.trust.spread.column)
    names = layer.vocabulary.names
    for row in rows:
        counts = ((best >= 0.04) & (label == names.index(row["concept"]))).sum(axis=1)
        assert float(row["units-sd"]) == pytest.approx(counts.std(ddof=1), abs=1e-4)
    assert any(float(row["units-sd"]) > 0 for row in rows)
    (row,) = read_numbers(tmp_path / "html/image/layer-graph.csv")
    for category, units in layer.detectors(0.04).units_by_category.items():
        counts = ((best >= 0.04) & np.isin(label, layer.vocabulary.find_columns(category))).sum(axis=1)
        assert int(row[category]) == units
        assert float(row[f"{category}-sd"]) == pytest.approx(counts.std(ddof=1), abs=1e-4)


@pytest.mark.parametrize("definition", ["label", "category"])
def test_figures_of_a_comparison_have_the_errors_of_their_counts(tmp_path, definition):
    result, _ = made_up_runs.make_run((24, 40), trusted=True)
    entries = [
        count_entry(layer, f"net{n}", definition, step=float(n)) for n, layer in enumerate(result.layers.values())
    ]
    entries.append(replace(entries[0], name="older", spread=None, trust=None, step=5.0))
    paths = compare_figures.write_figures(
        Comparison(entries, definition, 0.04), tmp_path / "all.svg", figures=("networks", "curve")
    )
    for path in paths:
        rows = {row["name"]: row for row in read_numbers(path.with_suffix(".csv"))}
        for entry in entries[:2]:
            row = rows[entry.name]
            assert float(row["unique-sd"]) == pytest.approx(entry.spread.unique_sd, abs=1e-4)
            assert float(row["detectors-sd"]) == pytest.approx(entry.spread.units_sd, abs=1e-4)
            assert float(row["times-chance"]) == pytest.approx(entry.trust.times, abs=1e-4)
            assert int(row["beyond-chance"]) == entry.trust.beyond
        assert {rows["older"][name] for name in ("unique-sd", "detectors-sd", "times-chance", "beyond-chance")} == {""}


def test_figures_without_trust_tables_have_no_columns_of_them(tmp_path):
    result, _ = made_up_runs.make_run((24,))
    entries = [count_entry(layer, "net") for layer in result.layers.values()]
    (path,) = compare_figures.write_figures(
        Comparison(entries, "label", 0.04), tmp_path / "all.svg", figures=("networks",)
    )
    assert not {"unique-sd", "times-chance"} & set(read_numbers(path.with_suffix(".csv"))[0])


def test_an_ablation_is_drawn_with_every_concept_and_the_mean_of_all_classes(tmp_path, monkeypatch):
    numbers = (-1.9, -2.4, -1.5, -0.2)
    rows = [
        ConceptAblation(name, "thing", (1, 2), "street", 1.0, 40, *numbers, p, p, -0.1, 0.0, -0.5, 0.1, 200)
        for name, p in (*((name, 0.01) for name in NAMES), ("hollow", 0.7))
    ]
    curves = tuple(
        ClassCurve(name, 20, (2, 3), 0.9 + at / 10, {1: 0.8 + at / 10, 2: 0.7}, {1: 0.9, 2: 0.9}, 0.6)
        for at, name in enumerate(NAMES[:2])
    )
    drawn = []
    monkeypatch.setattr(style, "save_figure", lambda figure, _: drawn.append(figure))
    figures.draw_ablation_graph(LayerAblation("zero", 80, 2, 0.9, tuple(rows), curves, 200), tmp_path / "a.svg")
    concepts, means = drawn[0].axes
    names = [text.get_text() for text in concepts.get_yticklabels()]
    assert names[2] == "чёрный ящик in street (2)" and names[-1] == "hollow in street (2)"
    marks = [line for line in concepts.get_lines() if line.get_marker() == "o"]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False] * len(NAMES) + [True]
    assert [mark.get_xdata()[0] for mark in marks] == [-1.9] * len(rows)
    random, removed = (list(line.get_ydata()) for line in means.get_lines()[:2])
    assert removed == pytest.approx([0.95, 0.85, 0.7]) and random == pytest.approx([0.95, 0.9, 0.9])


def test_an_ablation_of_any_name_is_written_as_svg_and_png(tmp_path):
    row = ConceptAblation(NAMES[0], "thing", (1,), NAMES[1], None, 40, 0.1, 0.0, 0.2, 0.0, 1.0, 1.0, 0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.draw_ablation_graph(LayerAblation("mean", 80, 2, 0.9, (row,)), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").exists() and (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
