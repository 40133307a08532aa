"""What the page has of formulas and ablations, against the layer's own figures."""

import json
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.concepts import display_name
from netdissect.protocols import NullProgress
from netdissect.report.html import analysis_data, script_data
from netdissect.results.ablation import LayerAblation
from netdissect.results.ablation_findings import describe_ablation
from netdissect.results.formula_findings import describe_formulas
from netdissect.results.formulas import Formula, FormulaTable, UnitFormula

OPERATORS = ("or", "and", "and not")


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((24, 40), analyzed=True)


@pytest.fixture(scope="module")
def drawn(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    result, probe_set = run
    report.write_report(result, folder, probe_set, NullProgress(), single_file=True, classic=True)
    return result, folder / "html"


def unpack(path):
    return script_data.unpack_script(path.read_text())


def test_the_page_has_the_formulas_that_are_beyond_chance_and_no_others(drawn):
    result, html = drawn
    _, facts, arrays = unpack(html / "data/run.js")
    hidden = 0
    for number, layer in enumerate(result.layers.values()):
        columns, operators = arrays[f"{number}.formulaColumns"], arrays[f"{number}.formulaOperators"]
        for channel, unit in enumerate(layer.formulas.units):
            found = [int(column) for column in columns[channel] if column >= 0]
            if unit is None or not unit.is_beyond_chance:
                hidden += unit is not None
                assert found == []
                continue
            names = tuple(OPERATORS[code] for code in operators[channel][: len(found) - 1])
            assert Formula(tuple(found), names) == unit.formula
        asked = [unit for unit in layer.formulas.units if unit is not None]
        assert facts["layers"][number]["formulas"] == {
            "length": 3, "shifts": 5, "asked": layer.layer.units - 1, "beyond": sum(unit.is_beyond_chance for unit in asked),
        }  # fmt: skip
    assert hidden > 0


def test_the_page_of_a_unit_has_the_figures_of_its_formula(drawn):
    result, html = drawn
    for number, layer in enumerate(result.layers.values()):
        _, _, arrays = unpack(html / f"data/layer-{number}-formulas.js")
        for channel, unit in enumerate(layer.formulas.units):
            if unit is None:
                assert np.isnan(arrays["iou"][channel])
                continue
            for name in ("iou", "single", "baseline", "ceiling", "chance"):
                assert arrays[name][channel] == np.float32(getattr(unit, name)), name
            assert arrays["concepts"][channel] == (0 if unit.formula is None else len(unit.formula))
            assert arrays["proved"][channel] == unit.is_proved


def test_a_formula_without_chance_is_shown_and_says_that_chance_is_not_known():
    layer = made_up_runs.make_run((6,), 9)[0].layers["block1/conv"]
    unit = UnitFormula(Formula((2, 0), ("and not",)), 0.3, 0.2, True, 0.4)
    table = FormulaTable((unit, *[None] * 5), 3, 0)
    arrays = analysis_data.collect_formula_arrays(replace(layer, formulas=table))
    assert arrays["formulaColumns"].tolist() == [[2, 0], *[[-1, -1]] * 5]
    assert arrays["formulaOperators"].tolist() == [[2], *[[0]] * 5]
    _, _, figures = script_data.unpack_script(
        script_data.format_script(analysis_data.pack_unit_formulas("layer-0-formulas", table.units))
    )
    assert np.isnan(figures["chance"][0])


def test_the_page_has_the_ablation_of_every_concept_and_the_reasons_of_others(drawn):
    result, html = drawn
    for number, layer in enumerate(result.layers.values()):
        _, facts, arrays = unpack(html / f"data/layer-{number}-ablation.js")
        json.dumps(facts, allow_nan=False)
        ablation, names = layer.ablation, layer.vocabulary.names
        assert [names[entry["concept"]] for entry in facts["concepts"]] == [
            found.concept for found in ablation.concepts
        ]
        for entry, found in zip(facts["concepts"], ablation.concepts, strict=True):
            assert entry["units"] == list(found.units)
            for name in ("margin", "low", "high", "matched", "p", "q", "accuracy", "share", "images"):
                assert entry[name] == getattr(found, name), name
            assert [entry["matchedLow"], entry["matchedHigh"]] == [found.matched_low, found.matched_high]
            assert entry["className"] == display_name(found.class_name)
        assert {names[column]: why for column, why in facts["leftOut"]} == ablation.left_out
        assert facts["steps"] == [1, 4, 20]
        for place, curve in enumerate(ablation.curves):
            assert arrays["units"][place].tolist() == list(curve.units)
            assert arrays["removed"][place].tolist() == [np.float32(curve.removed[step]) for step in (1, 4, 20)]
            assert arrays["random"][place].tolist() == [np.float32(curve.random[step]) for step in (1, 4, 20)]
            assert (arrays["intact"][place], arrays["only"][place]) == (
                np.float32(curve.intact),
                np.float32(curve.only),
            )


def test_curves_of_few_units_have_no_value_where_nothing_was_measured():
    layer = made_up_runs.make_run((24,), analyzed=True)[0].layers["block1/conv"]
    first, second = layer.ablation.curves[:2]
    short = replace(first, units=(3, 1), removed={1: 0.9}, random={1: 0.95})
    ablation = replace(layer.ablation, curves=(short, second))
    _, facts, arrays = script_data.unpack_script(
        script_data.format_script(analysis_data.pack_ablation("layer-0-ablation", layer, ablation))
    )
    assert facts["steps"] == [1, 4, 20]
    assert arrays["units"][0].tolist() == [3, 1, *[0] * 18]
    assert np.isnan(arrays["removed"][0]).tolist() == [False, True, True]


def test_an_ablation_without_concepts_and_curves_is_drawn(tmp_path):
    result, probe_set = made_up_runs.make_run((6,), 9)
    empty = LayerAblation("mean", 10, 2, 1.0, (), notes=("no concept has units beyond chance",))
    layer = replace(result.layers["block1/conv"], ablation=empty)
    report.write_report(replace(result, layers={layer.name: layer}), tmp_path, probe_set, NullProgress())
    _, facts, arrays = unpack(tmp_path / "html/data/layer-0-ablation.js")
    assert (facts["concepts"], facts["curves"], facts["leftOut"], facts["replacement"]) == ([], [], [], "mean")
    assert arrays["removed"].shape == (0, 0)


def test_a_run_without_formulas_and_ablations_has_none_of_their_data(run, tmp_path):
    result, probe_set = run
    report.write_report(result, tmp_path, probe_set, NullProgress())
    assert len(list((tmp_path / "html/data").glob("layer-*-formulas.js"))) == 2
    layers = {name: replace(layer, formulas=None, ablation=None) for name, layer in result.layers.items()}
    report.write_report(replace(result, layers=layers), tmp_path, probe_set, NullProgress())
    data = tmp_path / "html/data"
    assert not [*data.glob("*-formulas.js"), *data.glob("*-ablation.js")]
    _, facts, arrays = unpack(data / "run.js")
    assert all(entry["formulas"] is None and entry["ablation"] is False for entry in facts["layers"])
    assert not any("formula" in name for name in arrays)


def test_the_classic_page_says_what_was_found_of_formulas_and_ablations(drawn):
    result, html = drawn
    for layer in result.layers.values():
        text = unescape((html / f"{layer.layer.file_stem}.html").read_text())
        for sentence in (*describe_formulas(layer), *describe_ablation(layer)):
            assert f"<p>{sentence}.</p>" in text
