"""Runs with packed weights: what is recorded, what a folder holds, and what workers compute."""

from __future__ import annotations

import pytest
import torch
from tests.nets import TokenNet
from tests.small_runs import dissect_small, read_tables

import netdissect as nd
from netdissect.errors import FolderTakenError
from netdissect.networks import packed_linear, packed_weights
from netdissect.networks.execution import Execution

needs_packing = pytest.mark.skipif(
    bool(packed_weights.find_obstacle(Execution(), torch.device("cpu"))),
    reason="this torch or processor packs no weights",
)


@needs_packing
def test_a_run_records_what_was_chosen_and_is_found_again(data, tmp_path, monkeypatch):
    options = {"network": TokenNet(), "layers": ["mlp"], "resolution": 16}
    monkeypatch.setattr(packed_linear, "measure_speedup", lambda _: 2.0)
    first = dissect_small(data, tmp_path / "auto", **options)
    assert first.settings.linear == nd.load(tmp_path / "auto").settings.linear == "packed"
    assert any("packed weights" in note for note in first.journal["notes"])
    asked = dissect_small(data, tmp_path / "asked", linear="packed", **options)
    assert read_tables(tmp_path / "auto") == read_tables(tmp_path / "asked")
    assert asked.settings == first.settings
    assert dissect_small(data, tmp_path / "auto", **options).journal == first.journal  # finished: not computed again
    with pytest.raises(FolderTakenError, match="with --linear packed"):
        dissect_small(data, tmp_path / "auto", linear="torch", **options)


@needs_packing
def test_workers_pack_what_the_run_packs(data, tmp_path):
    options = {"network": TokenNet(), "layers": ["mlp"], "resolution": 16, "linear": "packed"}
    dissect_small(data, tmp_path / "one", **options)
    dissect_small(data, tmp_path / "two", workers=2, **options)
    assert read_tables(tmp_path / "one") == read_tables(tmp_path / "two")


def test_tables_are_the_same_with_and_without_packed_convolutions(data, tmp_path, monkeypatch):
    dissect_small(data, tmp_path / "packed")
    monkeypatch.setattr(packed_weights, "find_obstacle", lambda *_: "pretended")
    dissect_small(data, tmp_path / "plain")
    assert read_tables(tmp_path / "packed") == read_tables(tmp_path / "plain")


@needs_packing
@pytest.mark.parametrize(("before", "after", "linear"), [(2.0, 0.5, "packed"), (0.5, 2.0, "torch")])
def test_a_run_keeps_its_linear_layers_whatever_is_measured_later(data, tmp_path, monkeypatch, before, after, linear):
    options = {"network": TokenNet(), "layers": ["mlp"], "resolution": 16}
    monkeypatch.setattr(packed_linear, "measure_speedup", lambda _: before)
    first = dissect_small(data, tmp_path / "run", **options)
    assert first.settings.linear == linear
    monkeypatch.setattr(packed_linear, "measure_speedup", lambda _: after)
    assert dissect_small(data, tmp_path / "run", **options).journal == first.journal
    assert dissect_small(data, tmp_path / "run", fresh=True, **options).settings.linear != linear
