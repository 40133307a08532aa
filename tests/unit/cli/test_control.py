from __future__ import annotations

import pytest
import torch
from tests import nets, small_probe_set
from tests.small_runs import read_tables
from tests.unit.cli.test_cli import run

import netdissect as nd

MODEL = "python:tests.nets:make_small_net"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "set", images=10)


@pytest.fixture
def words(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ["control", MODEL, "--layers", "conv1", "--data", data, "--quantile", "0.05", "--no-pictures", "--quiet"]


def test_untrained_networks_are_printed_and_finished_ones_are_skipped(capsys, words, tmp_path):
    code, out, err = run(capsys, *words, "--seeds", "2")
    assert code == 0, err
    folder = tmp_path / "dissection/make_small_net-control"
    assert sorted(path.name for path in folder.iterdir()) == ["seed-1", "seed-2"]
    assert out.index("seed-1\nmake_small_net on 10 images") < out.index("seed-2\nmake_small_net on 10 images")
    for name in ("seed-1", "seed-2"):
        counted = nd.load(folder / name)["conv1"].detectors()
        said = out[out.index(f"{name}\n") :].splitlines()
        assert said[2].startswith(f"conv1  {counted.units} of 5 units detect {counted.unique} concepts"), said
    assert "random weights of seed 1" in out
    assert "--reference dissection/make_small_net-control" in out
    torch.save(nets.make_small_net().state_dict(), "mine.pth")
    code, out, err = run(
        capsys, *words, "--seeds", "2", "--weights", "mine.pth"
    )  # as in the command of the trained network
    assert (code, err.count("nothing is computed again")) == (0, 2)
    assert "the weights of mine.pth are not used" in out


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["--seeds", "0"], "--seeds must be at least 1, not 0"),
        (["--layers", "conv9"], "has no layer 'conv9'"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_sentence(capsys, words, tmp_path, change, expected):
    kept = list(words)
    if change[0] in kept:
        place = kept.index(change[0])
        del kept[place : place + 2]
    code, _, err = run(capsys, *kept, *change, "--out", "s")
    assert (code, expected in err) == (2, True), err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("run.json"))


def test_an_onnx_file_is_refused_in_one_sentence(capsys, words, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.exports import write_onnx

    path = write_onnx(tmp_path / "net.onnx", nets.make_small_net(), x=torch.zeros(2, 3, 32, 32))
    code, _, err = run(capsys, "control", path, *words[2:])
    assert code == 2
    assert "cannot be re-initialized: OnnxNetwork has no rule to draw its weights" in err


def test_a_run_and_a_finished_run_are_tested_against_untrained_networks(capsys, words, tmp_path):
    common = [*words[1:6], "--quantile", "0.05", "--quiet"]
    assert run(capsys, *words, "--seeds", "3", "--out", "untrained")[0] == 0
    code, out, err = run(capsys, "run", *common, "--out", "direct", "--reference", "untrained")
    assert code == 0, err
    direct = nd.load(tmp_path / "direct")
    said = out.splitlines()
    start = next(index for index, line in enumerate(said) if line.startswith("conv1  "))
    beyond = sum(unit.q_reference is not None and unit.q_reference < 0.05 for unit in direct["conv1"].unit_trust)
    assert f"{beyond} beyond 3 untrained networks" in said[start + 1]
    assert [control.name for control in direct.controls] == ["seed-1", "seed-2", "seed-3"]

    _, plain, _ = run(capsys, "run", *common, "--out", "finished")
    assert "untrained" not in plain
    words = ["report", "finished", "--quiet", "--reference", *(f"untrained/seed-{seed}" for seed in (1, 2, 3))]
    code, out, err = run(capsys, *words)
    assert code == 0, err
    assert "\n".join(said[start : start + 3]) in out
    finished = nd.load(tmp_path / "finished")
    assert finished.controls == direct.controls
    assert read_tables(tmp_path / "finished") == read_tables(tmp_path / "direct")
    code, _, err = run(capsys, "run", *common, "--out", "finished")
    assert (code, "nothing is computed again" in err) == (0, True)
    assert nd.load(tmp_path / "finished").controls == direct.controls
