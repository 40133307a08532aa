"""No file that is opened runs code: files that would when unpickled are refused."""

from __future__ import annotations

import ast
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from netdissect.errors import ModelFileError, NetdissectError
from netdissect.networks.checkpoints import read_checkpoint
from netdissect.networks.load import LoadOptions, open_network
from netdissect.networks.sources.caffe.mean_files import read_mean
from netdissect.results import files
from netdissect.runtime.array_store import Store

SOURCES = sorted(Path(__file__).resolve().parents[2].joinpath("src/netdissect").rglob("*.py"))


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return open, (self.trace, "w")


@pytest.fixture
def trace(tmp_path):
    """Return the file that a trap would create; at the end it must not exist."""
    path = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Trap(path))).close()
    assert path.exists(), "the trap must work"
    path.unlink()
    yield path
    assert not path.exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["today's format", "the old format"])
@pytest.mark.parametrize(
    "content",
    [lambda trap: trap, lambda trap: {"state_dict": {"w": torch.zeros(2)}, "args": trap}],
    ids=["whole", "part"],
)
def test_a_checkpoint_that_would_run_code_is_refused_with_advice(tmp_path, trace, zipped, content):
    torch.save(content(Trap(trace)), tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelFileError, match="and opening it would run code from the file: .* save the weights alone"):
        read_checkpoint(tmp_path / "net.pth")


def test_a_bare_pickle_is_refused(tmp_path, trace):
    (tmp_path / "net.pth").write_bytes(pickle.dumps(Trap(trace)))
    with pytest.raises(ModelFileError, match=r"net\.pth: .* cannot be read \(it was pickled with a protocol"):
        open_network(str(tmp_path / "net.pth"), LoadOptions(arch="torchvision:resnet18"))


def test_a_mean_image_that_would_run_code_is_refused(tmp_path, trace):
    np.save(tmp_path / "mean.npy", np.array([Trap(trace)], dtype=object), allow_pickle=True)
    with pytest.raises(ModelFileError, match=r"mean\.npy: expected a mean"):
        read_mean(tmp_path / "mean.npy")


def save_objects(trap):
    out = io.BytesIO()
    np.save(out, np.array([trap], dtype=object), allow_pickle=True)
    return out.getvalue()


def test_a_runs_arrays_that_would_run_code_are_refused(tmp_path, trace):
    from tests import made_up_runs

    result, _ = made_up_runs.make_run((3,), 4)
    files.save_run(result, tmp_path / "r")
    (path,) = (tmp_path / "r").glob("*.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name in members:
        with zipfile.ZipFile(path, "w") as archive:
            for other, data in members.items():
                archive.writestr(other, save_objects(Trap(trace)) if other == name else data)
        with pytest.raises(NetdissectError, match="is damaged"):
            files.load_run(tmp_path / "r")


def test_an_artifact_that_would_run_code_is_as_good_as_none(tmp_path, trace):
    with Store(tmp_path / "work") as store:
        store.put("k", {"a": np.zeros(3)})
        path = tmp_path / "work" / "k.arrays"
        out = io.BytesIO()
        np.savez(out, a=np.array([Trap(trace)], dtype=object))
        from netdissect.runtime import array_store

        path.write_bytes(
            out.getvalue() + array_store._compute_checksum(store._storage, out.getvalue())
        )  # even with a valid checksum
        assert "k" not in store


def test_nothing_in_the_package_unpickles_except_what_workers_send_each_other():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called, where = ast.unparse(node.func), f"{path}:{node.lineno}"
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called in ("pickle.load", "pickle.loads", "pickle.Unpickler"):
                assert path.parent.name == "runtime", where
                assert path.name in ("worker_loop.py", "port.py"), where
            assert called not in ("eval", "exec", "os.system", "yaml.load"), where
            assert options.get("shell") != "True", where
            if called in ("torch.load", "_torch_load"):
                assert options.get("weights_only") == "True", where
            if called in ("np.load", "numpy.load"):
                assert options.get("allow_pickle") == "False", where
