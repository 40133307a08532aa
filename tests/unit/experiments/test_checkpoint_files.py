from __future__ import annotations

from functools import partial

import pytest
import torch
from tests import nets

from netdissect.errors import ModelError, ModelFileError, ModelNotFoundError, SettingsError
from netdissect.experiments.checkpoint_files import find_checkpoints, require_fit
from netdissect.model_loading import load_network

MODEL = "python:tests.nets:make_small_net"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_pattern_is_expanded_in_natural_order(tmp_path, monkeypatch):
    runs = touch(tmp_path / "runs", "epoch_10.ckpt", "epoch_2.ckpt", "epoch_1.ckpt", "notes.txt", "old.ckpt/inner")
    found = find_checkpoints(f"{runs}/*.ckpt")
    assert list(found.items()) == [(f"epoch_{n}", f"{runs}/epoch_{n}.ckpt") for n in (1, 2, 10)]
    monkeypatch.chdir(tmp_path)
    assert find_checkpoints("runs/*.ckpt")["epoch_2"] == "runs/epoch_2.ckpt"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_checkpoints("~/runs/*_2.ckpt") == {"epoch_2": f"{runs}/epoch_2.ckpt"}
    several = ["random", "runs/epoch_10.ckpt", "./runs/*_1*.ckpt"]
    assert list(find_checkpoints(several)) == ["epoch_1", "epoch_10", "random"]


def test_a_name_with_brackets_that_exists_is_no_pattern(tmp_path):
    touch(tmp_path, "run[1].pt", "run1.pt")
    assert find_checkpoints(str(tmp_path / "run[1].pt")) == {"run[1]": str(tmp_path / "run[1].pt")}


def test_checkpoints_of_one_name_are_named_after_their_folders(tmp_path):
    touch(tmp_path, "checkpoint-500/model.safetensors", "checkpoint-1000/model.safetensors")
    assert list(find_checkpoints(str(tmp_path / "*/model.safetensors"))) == ["checkpoint-500", "checkpoint-1000"]
    touch(tmp_path, "a/last.ckpt", "b/last.ckpt", "b/c/epoch=3-step=40.ckpt")
    assert list(find_checkpoints(str(tmp_path / "**/*.ckpt"))) == ["a-last", "b-c-epoch=3-step=40", "b-last"]


def test_names_become_portable(tmp_path):
    touch(tmp_path, "step 5: best.pth.tar", "con.pt", "v1.5.ckpt")
    assert sorted(find_checkpoints(str(tmp_path / "*"))) == ["con_", "step 5_ best", "v1.5"]


def test_two_checkpoints_with_one_run_folder_are_refused(tmp_path):
    touch(tmp_path, "a.pt", "A.pth", "b.pt")
    with pytest.raises(SettingsError, match=r"A\.pth and .*a\.pt would both get the run folder a: rename one of them"):
        find_checkpoints(str(tmp_path / "*"))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("nowhere/*.ckpt", r"--weights nowhere/\*\.ckpt: no file matches this pattern"),
        ([], r"which checkpoints\? name them with --weights"),
        (5, "weights= takes the paths of checkpoints or a pattern such as 'runs/\\*.ckpt', not 5"),
        ([5], "--weights takes paths and patterns, not 5"),
    ],
)
def test_what_names_no_checkpoint_is_refused(weights, expected):
    with pytest.raises(SettingsError, match=expected):
        find_checkpoints(weights)


def test_what_does_not_fit_is_found_without_loading_what_fits(tmp_path):
    paths = []
    for number in range(3):
        paths.append(str(tmp_path / f"{number}.pt"))
        torch.save({"model": nets.make_small_net(number).state_dict()}, paths[-1])
    first = load_network(MODEL, weights=paths[0])
    before = {name: tensor.clone() for name, tensor in first.module.state_dict().items()}
    loaded = []

    def load(path):
        loaded.append(path)
        return load_network(MODEL, weights=path)

    require_fit(first, paths[1:], load)
    assert loaded == []
    state = nets.make_small_net().state_dict()
    torch.save(state | {"conv1.weight": torch.zeros(5, 3, 7, 7)}, paths[1])
    with pytest.raises(ModelError, match=r"1\.pt.*conv1\.weight.*\(5, 3, 7, 7\)"):
        require_fit(first, paths[1:], load)
    (tmp_path / "1.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelFileError, match=r"1\.pt: expected a PyTorch state dict"):
        require_fit(first, paths[1:], load)
    with pytest.raises(ModelNotFoundError, match=r"missing\.pt"):
        require_fit(first, [str(tmp_path / "missing.pt")], load)
    torch.save(nets.make_small_net(1).state_dict(), paths[1], _use_new_zipfile_serialization=False)
    loaded.clear()
    require_fit(first, paths[1:], load)
    assert loaded == [paths[1]]  # an old file cannot be mapped into memory, so loading it decides
    assert all(torch.equal(tensor, before[name]) for name, tensor in first.module.state_dict().items())


def test_a_network_that_is_no_module_is_checked_by_existence_alone(tmp_path):
    touch(tmp_path, "a.caffemodel")
    require_fit(object(), [str(tmp_path / "a.caffemodel")], partial(pytest.fail, "loaded"))
