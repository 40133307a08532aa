"""Scores other than IoU label the units, are stored, shown and loaded; a wrong one is an error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests import made_up_runs, nets, small_probe_set

import netdissect as nd
from netdissect.results import scores
from netdissect.results.classic import read_result_csv
from netdissect.results.counts import Counts, compute_iou

PAGE = (Path(__file__).parents[3] / "docs/extending.md").read_text(encoding="utf-8")
QUICK = {"quantile": 0.1, "batch_size": 4, "images_per_unit": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=6)


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(scores, "_REGISTRY", dict(scores._REGISTRY))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package of docs/extending.md, as if it were installed."""
    name, module = re.search(r"`(netdissect_recall)\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL).groups()
    entry = re.search(r'\[project\.entry-points\."netdissect\.scores"\]\n(.*?)\n```', PAGE, re.DOTALL)[1]
    assert len(module.splitlines()) < 30
    (tmp_path / f"{name}.py").write_text(module)
    information = tmp_path / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[netdissect.scores]\n" + entry.replace('"', "") + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    return tmp_path


def test_the_example_of_the_page_labels_the_units_and_is_stored_and_loaded(package, data, tmp_path, monkeypatch):
    run = nd.dissect(
        nets.make_small_net(), "conv1", data, out=tmp_path / "run", score="recall", threshold=0.2, classic=True, **QUICK
    )
    layer = run["conv1"]
    expected = layer.counts.I / layer.counts.G.clip(1)
    np.testing.assert_array_equal(layer.scores, expected)
    best = layer.units[0]
    assert best.score == expected.max() == expected[best.channel].max()
    assert "(Recall ≥ 0.2, by label)" in repr(run)
    assert "Recall" in layer._repr_html_()
    assert "Recall" in layer.unit(best.unit)._repr_html_()
    table = pq.read_table(tmp_path / "run/conv1.parquet")
    np.testing.assert_array_equal(table["score"].to_numpy(), expected.ravel())
    np.testing.assert_array_equal(table["iou"].to_numpy(), layer.iou.ravel())
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert (record["schema_version"], record["settings"]["score"], record["score"]["title"]) == (2, "recall", "Recall")
    csv = read_result_csv(tmp_path / "run/conv1-result.csv")
    assert [(row.unit, row.label, row.score) for row in csv] == [
        (row.unit, row.label, row.score) for row in layer.units
    ]
    assert [row.profile for row in csv] == [row.profile for row in layer.units]
    page = (tmp_path / "run/html/index.html").read_text() + (tmp_path / "run/html/conv1.html").read_text()
    assert "Recall" in page
    assert "IoU" not in page

    monkeypatch.undo()  # the package is gone
    loaded = nd.load(tmp_path / "run")
    assert loaded["conv1"].units == layer.units
    assert repr(loaded) == repr(run)


def test_the_shell_knows_the_score_of_an_installed_package(package, data, tmp_path, capsys, monkeypatch):
    from netdissect.cli import main

    monkeypatch.chdir(tmp_path)
    words = f"run python:tests.nets:make_small_net --layers conv1 --data {data} --out run --score recall --quantile 0.1 --no-pictures"
    with pytest.raises(SystemExit) as leave:
        main(words.split())
    printed = capsys.readouterr()
    assert leave.value.code == 0, printed.err
    found = nd.load("run")
    counted = found["conv1"].detectors()
    assert f"images of {found.probe_set.name}, Recall ≥ 0.04" in printed.out
    assert f"{counted.units} of {counted.total} units detect {counted.unique} concepts" in printed.out
    assert found.score_title == "Recall"


def test_f1_gives_the_labels_of_iou_and_its_own_numbers(data):
    by_iou, by_f1 = (
        nd.dissect(nets.make_small_net(), "conv1", data, score=score, **QUICK)["conv1"] for score in ("iou", "f1")
    )
    counts = by_f1.counts
    precision, recall = counts.I / counts.A.clip(1), counts.I / counts.G
    expected = np.where(counts.I > 0, 2 * precision * recall / np.where(counts.I > 0, precision + recall, 1), 0)
    np.testing.assert_allclose(by_f1.scores, expected, rtol=1e-12)
    assert by_f1.score_title == "F1"
    assert [row.label for row in by_f1.units] == [row.label for row in by_iou.units]
    np.testing.assert_allclose(by_f1.scores, 2 * by_iou.iou / (1 + by_iou.iou), rtol=1e-12)


def test_another_score_is_another_run(package, data, tmp_path):
    nd.dissect(nets.make_small_net(), "conv1", data, out=tmp_path / "run", pictures=False, **QUICK)
    with pytest.raises(nd.NetdissectError, match="holds another run, with --score iou"):
        nd.dissect(nets.make_small_net(), "conv1", data, out=tmp_path / "run", score="recall", pictures=False, **QUICK)


def test_a_score_can_be_registered_in_a_script(data):
    nd.register_score(nd.Score("half", "Half", lambda counts, _: np.full(counts.I.shape, 0.5)))
    run = nd.dissect(nets.make_small_net(), "conv1", data, score="half", **QUICK)
    assert {row.score for row in run["conv1"].units} == {0.5}


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (
            lambda counts, _: counts.G,
            r"score odd: expected one number between 0 and 1 .*, shape \(1, 6\), got shape \(6,\)",
        ),
        (lambda counts, _: counts.I / counts.A, "got nan for unit 1 and "),
        (lambda counts, _: counts.I + 2, "got 2 for unit 1 and "),
        (lambda counts, _: "high", r"score odd fails \(ValueError: could not convert"),
        (lambda counts, _: counts.tp, r"score odd fails \(AttributeError: 'Counts' object has no attribute 'tp'\)"),
    ],
)
def test_a_wrong_score_is_refused_before_a_network_is_loaded(data, function, sentence):
    nd.register_score(nd.Score("odd", "Odd", function))
    with pytest.raises(nd.NetdissectError, match=sentence):
        nd.dissect("torchvision:resnet18", "layer4", data, score="odd")


def test_what_is_no_score_is_refused():
    with pytest.raises(nd.NetdissectError, match="there is no score 'iuo': did you mean iou?"):
        scores.find_score("iuo")
    with pytest.raises(nd.NetdissectError, match="takes a netdissect.Score, not function"):
        nd.register_score(lambda: None)
    with pytest.raises(nd.NetdissectError, match="score f1 is built in and cannot be replaced"):
        nd.register_score(nd.Score("f1", "Mine", lambda *_: 0))
    for name, title in (("mine", "IoU"), ("IOU", "Mine"), ("mine", "pearson")):
        with pytest.raises(
            nd.NetdissectError, match="is a score that is built in, and readers would take this one for it"
        ):
            nd.register_score(nd.Score(name, title, lambda *_: 0))
    for words in ({"name": ""}, {"title": "a\nb"}, {"title": "x" * 30}, {"function": 3}):
        with pytest.raises(nd.NetdissectError, match="of score|of a score"):
            nd.Score(**{"name": "n", "title": "T", "function": len} | words)


def test_a_package_whose_score_cannot_be_loaded_is_named(package):
    (package / "netdissect_recall.py").write_text("import nowhere\n")
    with pytest.raises(
        nd.NetdissectError, match="score recall: netdissect_recall:score cannot be loaded .No module named"
    ):
        scores.find_score("recall")
    (package / "netdissect_recall.py").write_text("score = 3\n")
    with pytest.raises(
        nd.NetdissectError, match="expected netdissect_recall:score to be a netdissect.Score of that name"
    ):
        scores.find_score("recall")


def test_the_built_in_scores_are_at_most_1_where_label_planes_repeat_a_label():
    counts = Counts(np.array([[4]]), np.array([[2]]), np.array([5]))  # two planes label the mask's two pixels alike
    words = made_up_runs.make_vocabulary(1, ("object",))
    assert compute_iou(counts) == 4 / 3
    assert scores.find_score("iou").compute(counts, words) == scores.find_score("f1").compute(counts, words) == 1
