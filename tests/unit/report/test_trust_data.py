"""What the page has of chance and uncertainty, against the layer's own figures."""

import json
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.protocols import NullProgress
from netdissect.report.html import script_data, trust_data
from netdissect.results import findings
from netdissect.results.controls import UNTRAINED, ControlLayer, ControlRun
from netdissect.results.trust import Trust

CONTROL = ControlRun("seed-1", UNTRAINED, "a" * 32, 0.04, {"block1/conv": ControlLayer(3, 24, 2, 0.5, 0.25, 1.4)})


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((24, 40), trusted=True)


@pytest.fixture(scope="module")
def drawn(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    result, probe_set = run
    report.write_report(
        replace(result, controls=(CONTROL,)), folder, probe_set, NullProgress(), single_file=True, classic=True
    )
    return result, folder / "html"


@pytest.mark.parametrize("beyond", [False, True])
def test_the_error_of_every_count_is_that_of_the_layer_at_every_step_of_the_slider(run, beyond):
    for layer in run[0].layers.values():
        arrays = trust_data.collect_run_arrays(layer)
        deviations, ends = (arrays[name][int(beyond)] for name in ("deviations", "ends"))
        only = [(unit.q is not None and unit.q < 0.05) or not beyond for unit in layer.unit_trust]
        part = replace(
            layer.trust.spread, score=layer.trust.spread.score[:, only], column=layer.trust.spread.column[:, only]
        )
        for step in (0, 20, 40, 77, 150, ends.shape[-1] - 1):
            spread = replace(layer, trust=replace(layer.trust, spread=part)).count_spread
            by_label, by_category = spread(step / 1000), spread(step / 1000, "category")
            expected = [
                (by_label.units_sd, by_label.units_low, by_label.units_high),
                (by_label.unique_sd, by_label.unique_low, by_label.unique_high),
                (by_category.unique_sd, by_category.unique_low, by_category.unique_high),
            ]
            for place, (deviation, low, high) in enumerate(expected):
                assert deviations[place, step] == np.float32(deviation)
                assert ends[place, :, step].tolist() == [low, high]


def test_no_resample_has_a_detector_beyond_the_last_step(run):
    for layer in run[0].layers.values():
        last = trust_data.collect_run_arrays(layer)["ends"].shape[-1]
        assert layer.count_spread(last / 1000, "category").units_high == 0


def test_the_page_has_the_trust_of_every_unit(drawn):
    result, html = drawn
    _, _, counted = script_data.unpack_script((html / "data/run.js").read_text())
    for number, layer in enumerate(result.layers.values()):
        _, facts, arrays = script_data.unpack_script((html / f"data/layer-{number}-trust.js").read_text())
        np.testing.assert_array_equal(arrays["shifted"], layer.trust.chance.score)
        for channel, unit in enumerate(layer.unit_trust):
            assert facts["labels"][channel] == list(unit.labels)
            for name in (
                "low",
                "high",
                "chance",
                "cut",
                "lift",
                "p",
                "p_own",
                "p_within",
                "q_within",
                "keep",
                "honest",
            ):
                value = getattr(unit, name)
                found = arrays[name][channel]
                assert np.isnan(found) if value is None else found == np.float32(value), name
            q = counted[f"{number}.q"][channel]
            assert np.isnan(q) if unit.q is None else q == unit.q


def test_the_page_has_the_summary_and_the_controls_of_every_layer(drawn):
    result, html = drawn
    _, facts, _ = script_data.unpack_script((html / "data/run.js").read_text())
    json.dumps(facts, allow_nan=False)
    for entry, layer in zip(facts["layers"], result.layers.values(), strict=True):
        summary = layer.summarize_trust(0.04)
        assert entry["trust"]["times"] == summary.times
        assert entry["trust"]["unconvincing"] == summary.unconvincing
        assert (entry["trust"]["shifts"], entry["trust"]["resamples"]) == (20, 60)
    assert [len(entry["controls"]) for entry in facts["layers"]] == [1, 0]
    assert facts["layers"][0]["controls"][0]["unitsSd"] == 0.5


def test_the_classic_page_says_what_the_command_line_says(drawn):
    result, html = drawn
    for layer in result.layers.values():
        text = unescape((html / f"{layer.layer.file_stem}.html").read_text())
        assert f"<p>{findings.describe_findings(layer)}.</p>" in text
        assert f"<p>{findings.describe_unconvincing(layer)}.</p>" in text
        warning = findings.warn_of_small_set(layer, result.probe_set.images)
        assert warning is None or f"<p>{warning}.</p>" in text


def test_a_run_without_trust_tables_is_drawn_as_before_and_says_so_once(tmp_path):
    result, probe_set = made_up_runs.make_run((24, 40))
    report.write_report(result, tmp_path, probe_set, NullProgress())
    page = (tmp_path / "html/index.html").read_text()
    assert page.count("no trust tables") == 1
    assert not list((tmp_path / "html/data").glob("*-trust.js"))
    _, facts, arrays = script_data.unpack_script((tmp_path / "html/data/run.js").read_text())
    assert all(entry["trust"] is None and entry["controls"] == [] for entry in facts["layers"])
    assert not any(name.endswith((".q", ".ends")) for name in arrays)


@pytest.mark.parametrize("part", ["chance", "spread"])
def test_a_run_with_only_chance_or_only_spread_is_drawn(run, tmp_path, part):
    result, probe_set = run
    layers = {
        name: replace(layer, trust=Trust(**{part: getattr(layer.trust, part)})) for name, layer in result.layers.items()
    }
    report.write_report(replace(result, layers=layers), tmp_path, probe_set, NullProgress())
    _, _, counted = script_data.unpack_script((tmp_path / "html/data/run.js").read_text())
    _, _, arrays = script_data.unpack_script((tmp_path / "html/data/layer-0-trust.js").read_text())
    assert ("0.q" in counted, "0.ends" in counted) == (part == "chance", part == "spread")
    assert ("shifted" in arrays) == (part == "chance")
    assert np.isnan(arrays["low"]).all() == (part == "chance")


def test_a_redrawn_report_drops_trust_files_of_an_earlier_one(run, tmp_path):
    result, probe_set = run
    report.write_report(result, tmp_path, probe_set, NullProgress())
    bare = replace(result, layers={name: replace(layer, trust=None) for name, layer in result.layers.items()})
    report.write_report(bare, tmp_path, probe_set, NullProgress())
    assert not list((tmp_path / "html/data").glob("*-trust.js"))
