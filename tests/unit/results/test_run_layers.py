"""The layers of a run: a mapping by name, by position, and a table; and what follows from a run's threshold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests import made_up_runs

from netdissect.errors import SettingsError, UnknownLayerError


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((6, 9), 12, pictures=12, trusted=True, layer_names=("conv1", "conv2"))[0]


def test_layers_are_a_mapping_by_name_and_by_position(run):
    assert list(run.layers) == run.layers.names == list(run) == ["conv1", "conv2"]
    assert run["conv1"] is run.layers["conv1"] is run.layers[0] is run[0] is run.layers.get("conv1")
    assert run[-1] is run.layers[-1] is dict(run.layers)["conv2"]
    assert "conv2" in run.layers and "conv3" not in run.layers and run.layers.get("conv3") is None
    assert run.layers | {"more": run[0]} == {**run.layers, "more": run[0]}
    with pytest.raises(UnknownLayerError, match=r"no layer 'conv3': did you mean"):
        run.layers["conv3"]
    with pytest.raises(UnknownLayerError, match=r"2 layer\(s\), so none at position 2"):
        run.layers[2]


def test_layers_are_a_table_of_what_each_detects(run):
    frame = run.layers.to_pandas().set_index("layer")
    for name, layer in run.layers.items():
        found = layer.detectors()
        assert frame.loc[name, ["units", "detectors", "unique_detectors"]].tolist() == [
            found.total,
            found.units,
            found.unique,
        ]
        assert frame.loc[name, "beyond_chance"] == layer.summarize_trust().beyond
    assert repr(run.layers).splitlines()[0].split()[:3] == ["layer", "units", "grid"]
    assert "<td" in run.layers._repr_html_()


def test_detectors_are_those_at_the_runs_threshold(run):
    other = replace(run, settings=replace(run.settings, threshold=0.1))
    for name, layer in other.layers.items():
        assert layer.units["is_detector"].sum() == layer.detectors().units == run[name].detectors(0.1).units
        assert layer.detectors().threshold == other.detectors()[name].threshold == 0.1
    assert run["conv1"].detectors().threshold == 0.04
    assert other["conv1"].units["is_detector"].sum() < run["conv1"].units["is_detector"].sum()


def test_units_of_all_layers_are_one_table(run):
    assert len(run.units) == 15 and set(run.units["layer"]) == {"conv1", "conv2"}
    assert run.units["score"].tolist() == sorted(run.units["score"], reverse=True)
    assert run.units[run.units["layer"] == "conv2"]["unit"].tolist() == run["conv2"].units["unit"].tolist()
    assert run.unit("conv2", 9).row == next(row for row in run.units if (row.layer, row.unit) == ("conv2", 9))
    assert run.unit("conv2", 9).channel == 8
    with pytest.raises(SettingsError, match=r"conv1 has the units 1 to 6 \(channels 0 to 5\), not 0"):
        run.unit("conv1", 0)


def test_what_implements_a_result_is_not_offered_by_completion(run):
    assert not {"presenter", "analyses"} & {*dir(run), *dir(run[0])}
    assert {"units", "layers", "unit", "show", "discriminate", "find"} <= set(dir(run))


def test_reprs_give_arrays_by_type_and_shape(run):
    layer = run[0]
    assert repr(layer.counts) == "Counts(I=int64 (6, 12), A=int64 (6, 12), G=int64 (12,))"
    for value in (layer.trust, layer.exemplars, layer.activity, layer.vocabulary, layer.panel, layer.detectors()):
        assert len(repr(value)) < 900 and "array(" not in repr(value)
