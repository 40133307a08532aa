"""The report of several runs."""

import dataclasses

import numpy as np
import pytest
from tests import made_up_runs

from netdissect import api, report
from netdissect.errors import FolderTakenError
from netdissect.experiments.compare_runs import compare
from netdissect.protocols import NullProgress
from netdissect.report.html.script_data import unpack_script
from netdissect.results import files
from netdissect.results.detectors import count_detectors

LAYERS = ("block1/conv", "block2/conv")


def make_runs(folder, steps=(1, 5, 20), **options):
    for seed, step in enumerate(steps):
        run, probe_set = made_up_runs.make_run((24, 40), 40, seed=seed, **options)
        files.save_run(run, folder / f"epoch_{step}")
        report.write_report(run, folder / f"epoch_{step}", probe_set, NullProgress())
        loaded = api.load(folder / f"epoch_{step}")  # which knows more words of its concepts
        loaded.presenter.write_report(loaded, folder / f"epoch_{step}", None, single_file=False)
    return [folder / f"epoch_{step}" for step in steps]


def read(folder, name):
    return unpack_script((folder / "data" / f"{name}.js").read_text())[1:]


def list_files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), trusted=True)


def test_the_data_of_every_run_are_those_of_its_own_report(runs, tmp_path):
    index = compare(runs).write_page(tmp_path / "out")
    assert index == tmp_path / "out" / "index.html"
    for number, run in enumerate(runs, 1):
        own = {path.name: path.read_bytes() for path in (run / "html" / "data").glob("*.js")}
        assert own == {path.name: path.read_bytes() for path in (tmp_path / f"out/runs/{number}/data").iterdir()}
    images = {path.name: path.read_bytes() for run in runs for path in (run / "html/image/probe").iterdir()}
    shared = tmp_path / "out/probe-sets/1/image/probe"
    assert images == {path.name: path.read_bytes() for path in shared.iterdir()}
    facts, _ = read(tmp_path / "out", "runs")
    assert [(run["name"], run["page"], run["probeSet"], run["step"]) for run in facts["runs"]] == [
        ("epoch_1", "index.html", 1, 1), ("epoch_5", "run-2.html", 1, 5), ("epoch_20", "run-3.html", 1, 20),
    ]  # fmt: skip


def test_the_comparison_has_the_labels_of_every_run(runs, tmp_path):
    comparison = compare(runs)
    comparison.write_page(tmp_path / "out")
    facts, arrays = read(tmp_path / "out", "compare")
    assert [track["names"] for track in facts["tracks"]] == [[name] * 3 for name in LAYERS]
    for place, path in enumerate(runs):
        layer = api.load(path).layers[LAYERS[1]]
        label, score = arrays[f"1.{place}.label"], arrays[f"1.{place}.score"]
        np.testing.assert_array_equal(score, layer.label_scores)
        names = [facts["concepts"][column] if column >= 0 else "" for column in label]
        assert names == [layer.vocabulary.names[column] if column >= 0 else "" for column in layer.labels]
        keeps = [unit.keep is not None and unit.keep > 0.95 for unit in layer.unit_trust]
        np.testing.assert_array_equal(arrays[f"1.{place}.sure"], keeps)
        by_category = count_detectors(layer.units, threshold=0.04, definition="category").unique
        assert (arrays[f"1.{place}.firsts"] > 0.04).sum() == by_category


def test_runs_of_made_up_weights_are_matched_by_likeness_and_a_run_with_itself_by_number(runs, tmp_path):
    compare(runs[:2]).write_page(tmp_path / "two")
    facts, arrays = read(tmp_path / "two", "compare")
    assert [track["byNumber"] for track in facts["tracks"]] == [False, False]
    partner = arrays["0.1.partner"]
    assert sorted(partner.tolist()) == list(range(24))
    assert arrays["0.1.likeness"].mean() > arrays["0.1.sameNumber"].mean()
    compare([f"one={runs[0]}", f"two={runs[0]}"]).write_page(tmp_path / "same")
    facts, arrays = read(tmp_path / "same", "compare")
    assert [track["byNumber"] for track in facts["tracks"]] == [True, True]
    np.testing.assert_allclose(arrays["0.1.sameNumber"], 1, atol=1e-5)


def test_the_last_layers_are_compared_where_no_names_agree(tmp_path):
    for name, units in (("conv4", 24), ("conv5", 30)):
        run, _ = made_up_runs.make_run((units,), layer_names=(name,))
        files.save_run(run, tmp_path / name)
    compare([tmp_path / "conv4", tmp_path / "conv5"]).write_page(tmp_path / "two.svg")
    facts, arrays = read(tmp_path / "two", "compare")
    (track,) = facts["tracks"]
    assert (track["names"], track["numbered"], track["byNumber"]) == (["conv4", "conv5"], False, False)
    assert len(set(arrays["0.1.partner"].tolist())) == 24
    assert "0.1.sameNumber" not in arrays


def test_runs_without_images_are_shown_without_them(tmp_path, caplog):
    for seed in (0, 1):
        files.save_run(made_up_runs.make_run((24,), seed=seed)[0], tmp_path / f"epoch_{seed}")
    compare([tmp_path]).write_page(tmp_path / "out")
    assert "epoch_0 is shown without images" in caplog.text
    assert read(tmp_path / "out/runs/1", "run")[1]["row"].size == 0


def test_tables_and_single_runs_give_no_page(runs, tmp_path):
    table = runs[0] / "block1-conv-result.csv"
    assert compare([runs[0], table]).write_page(tmp_path / "one") is None
    assert compare(runs[:1]).write_page(tmp_path / "one") is None
    assert not (tmp_path / "one").exists()


def test_runs_over_other_probe_sets_keep_their_images_apart(runs, tmp_path):
    run, probe_set = made_up_runs.make_run((24, 40), 40)
    other = dataclasses.replace(run, probe_set=dataclasses.replace(run.probe_set, fingerprint="e" * 32))
    files.save_run(other, tmp_path / "other")
    report.write_report(other, tmp_path / "other", probe_set, NullProgress())
    compare([runs[0], tmp_path / "other"]).write_page(tmp_path / "out")
    assert [run["probeSet"] for run in read(tmp_path / "out", "runs")[0]["runs"]] == [1, 2]
    assert (tmp_path / "out/probe-sets/2/image/probe/probe-set.json").exists()


def test_a_comparison_replaces_an_earlier_one_and_nothing_else(runs, tmp_path):
    out = tmp_path / "out"
    compare(runs).write_page(out)
    (out / "notes.txt").write_text("mine")
    (out / "runs" / "3" / "mine.js").write_text("mine")
    compare(runs[:2]).write_page(out)
    (tmp_path / "clean").mkdir()
    compare(runs[:2]).write_page(tmp_path / "clean")
    left = list_files(out)
    assert left.pop("notes.txt") == b"mine"
    assert left.pop("runs/3/mine.js") == b"mine"
    fresh = list_files(tmp_path / "clean")
    more = {name for name in left if name not in fresh}
    assert all(name.startswith("probe-sets/1/") for name in more)  # images that only the third run has are gone too
    assert not more
    assert {name: left[name] for name in fresh} == fresh


def test_the_folder_of_something_else_is_left_as_it_is(runs, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"photo")
    for out in ("photos", "photos.svg"):
        with pytest.raises(FolderTakenError, match=r"photos holds a\.jpg and is not the folder of a comparison"):
            compare(runs[:2]).write_page(tmp_path / out)
    assert list_files(tmp_path / "photos") == {"a.jpg": b"photo"}


def test_two_runs_are_loaded_once_for_the_figures_and_the_pages(runs, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr("netdissect.api.load", lambda path, load=api.load: loaded.append(path) or load(path))
    comparison = compare(runs[:2])
    comparison.write_figures(tmp_path / "two.svg")
    comparison.write_page(tmp_path / "two.svg")
    assert loaded == runs[:2]
    dataclasses.replace(comparison, runs=()).write_page(tmp_path / "again")
    assert list_files(tmp_path / "two") == list_files(tmp_path / "again")
    assert len(loaded) == 4
    assert compare(runs).runs == ()  # more could fill the memory


def test_checkpoints_are_in_the_order_of_their_steps_and_only_the_named_layers_are_shown(runs, tmp_path):
    compare(reversed(runs), layers=["block2/conv"]).write_page(tmp_path / "out")
    facts, _ = read(tmp_path / "out", "runs")
    assert [run["name"] for run in facts["runs"]] == ["epoch_1", "epoch_5", "epoch_20"]
    assert [track["names"][0] for track in read(tmp_path / "out", "compare")[0]["tracks"]] == ["block2/conv"]
