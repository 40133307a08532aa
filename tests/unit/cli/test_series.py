from __future__ import annotations

import pytest
import torch
from tests import nets, small_probe_set
from tests.unit.cli.test_cli import run

import netdissect as nd

MODEL = "python:tests.nets:make_small_net"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "set", images=10)


@pytest.fixture
def words(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 10):
        torch.save(nets.make_small_net(number).state_dict(), tmp_path / f"epoch_{number}.ckpt")
    return ["series", MODEL, "--layers", "conv1", "--data", data, "--weights", "epoch_*.ckpt", "--quantile", "0.05"]


def test_a_series_prints_every_checkpoint_and_skips_the_finished_ones(capsys, words, tmp_path):
    code, out, err = run(capsys, *words, "--no-pictures")
    assert code == 0, err
    folder = tmp_path / "dissection/make_small_net-series"
    positions = [out.index(f"epoch_{number}\nmake_small_net on 10 images") for number in (1, 2, 10)]
    assert positions == sorted(positions)
    for position, number in zip(positions, (1, 2, 10), strict=True):
        counted = nd.load(folder / f"epoch_{number}")["conv1"].detectors()
        line = out[position:].splitlines()[2]
        assert line.startswith(f"conv1  {counted.units} of 5 units detect {counted.unique} concepts")
    assert out.count("of 5 units detect") == 3
    assert "epoch_10 (3 of 3)" in err
    assert "netdissect compare dissection/make_small_net-series draws the training curve" in out
    assert sorted(path.name for path in folder.iterdir()) == ["epoch_1", "epoch_10", "epoch_2"]
    code, _, err = run(capsys, *words, "--no-pictures")
    assert code == 0
    assert err.count("nothing is computed again") == 3
    code, out, _ = run(capsys, "compare", folder, "--threshold", "0.01", "--figures", "curve")
    assert code == 0
    assert "comparison-curve.svg" in out


def test_a_run_recognizes_the_folder_of_a_series(capsys, words, tmp_path):
    run(capsys, *words, "--out", "s", "--seed", "3", "--std", "0.5", "--no-pictures")
    code, _, err = run(
        capsys, "run", *words[1:6], "--quantile", "0.05", "--weights", "epoch_2.ckpt", "--out", "s/epoch_2", "--seed",
        "3", "--std", "0.5", "--no-pictures",
    )  # fmt: skip
    assert (code, "nothing is computed again" in err) == (0, True)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["--weights", "none_*.ckpt"], "--weights none_*.ckpt: no file matches this pattern"),
        (["--weights", "epoch_1.ckpt", "epoch_11.ckpt"], "there is no weights file epoch_11.ckpt"),
        (["--arch", "torchvision:alexnet"], "--arch"),
        (["--layers", "conv9"], "has no layer 'conv9'"),
    ],
)
def test_mistakes_are_one_sentence_and_cost_no_work(capsys, words, tmp_path, change, expected):
    option = change[0]
    kept = list(words)
    if option in kept:
        del kept[kept.index(option) : kept.index(option) + 2]
    code, _, err = run(capsys, *kept, *change, "--out", "s")
    assert (code, expected in err) == (2, True), err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("s/*/run.json"))
