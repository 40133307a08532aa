"""TorchScript files are told from state dicts by what they hold, and may do nothing but compute."""

from __future__ import annotations

import io
import os
import warnings
import zipfile

import numpy as np
import pytest
import torch
from tests import exports, nets
from torch import nn

from netdissect.errors import ModelFileError, ModelNotFoundError, SettingsError
from netdissect.networks.load import open_network
from netdissect.networks.sources.scripted.file import is_torchscript


def test_a_file_is_known_by_what_it_holds(tmp_path):
    torch.save(nets.small().state_dict(), tmp_path / "weights.pt")
    exports.write_torchscript(tmp_path / "traced.pt", nets.small())
    exports.write_torchscript(tmp_path / "named.bin", nets.small())
    (tmp_path / "damaged.pt").write_bytes((tmp_path / "traced.pt").read_bytes()[:900])
    assert {path.name for path in tmp_path.iterdir() if is_torchscript(str(path))} == {"traced.pt"}
    with pytest.raises(SettingsError, match="holds weights and no architecture"):
        open_network(str(tmp_path / "weights.pt"))
    assert type(open_network(str(tmp_path / "traced.pt"))).__name__ == "ScriptedNetwork"
    with pytest.raises(ModelFileError, match=r"damaged\.pt: "):
        open_network(str(tmp_path / "damaged.pt"))
    with pytest.raises(ModelNotFoundError, match=r"no model .*none\.ts': .*FILE\.pt2"):
        open_network(str(tmp_path / "none.ts"))


class Writes(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x):
        return x + torch.from_file(self.path, shared=True, size=8).sum()


class WritesWhileItIsOpened(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.held = torch.zeros(1)

    def forward(self, x):
        return x + self.held.sum()

    @torch.jit.export
    def __getstate__(self):
        return (self.path, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]):
        self.path, self.training = state
        self.held = torch.from_file(self.path, shared=True, size=8)


class Inside(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x):
        if x.sum() > 0:
            x = self.part(x)
        return x


@pytest.mark.parametrize("kind", [Writes, lambda path: Inside(Writes(path))])
def test_a_module_that_writes_a_file_is_refused(tmp_path, kind):
    mark = tmp_path / "written"
    path = exports.write_torchscript(tmp_path / "evil.pt", kind(str(mark)), traced=False)
    with pytest.raises(ModelFileError, match=r"calls 'from_file', which is none of torch's own operators that compute"):
        open_network(str(path))
    assert not mark.exists()


def test_a_module_that_writes_a_file_while_it_is_opened_is_refused_before(tmp_path):
    mark = tmp_path / "written"
    path = exports.write_torchscript(tmp_path / "evil.pt", WritesWhileItIsOpened(str(mark)), traced=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(path)
    assert mark.exists()
    mark.unlink()
    with pytest.raises(ModelFileError, match="calls 'from_file'"):
        open_network(str(path))
    assert not mark.exists()


def test_operators_of_other_libraries_are_refused(tmp_path):
    library = torch.library.Library("netdissect_tests", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: 2 * x, "CompositeExplicitAutograd")

    class Foreign(nn.Module):
        def forward(self, x):
            return torch.ops.netdissect_tests.twice(x)

    path = exports.write_torchscript(tmp_path / "foreign.pt", Foreign())
    with pytest.raises(ModelFileError, match="calls 'netdissect_tests'"):
        open_network(str(path))


def test_a_file_cut_off_or_changed_anywhere_is_one_sentence_or_still_a_network(tmp_path):
    data = exports.write_torchscript(tmp_path / "whole.ts", nets.small()).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.ts"
    refused = 0
    for _ in range(40):
        damaged = bytearray(data[: rng.integers(len(data))] if rng.random() < 0.3 else data)
        for _ in range(rng.integers(1, 6) if damaged else 0):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            open_network(str(path))
        except (ModelFileError, ModelNotFoundError):
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("part", [nn.BatchNorm2d(4), nn.Dropout(0.5)])
def test_a_module_traced_in_training_mode_is_refused(tmp_path, part):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = nn.Sequential(nn.Conv2d(3, 4, 3), part).train()
        torch.jit.save(torch.jit.trace(module, exports.example(), check_trace=False), out)
    path = tmp_path / "training.pt"
    path.write_bytes(out.getvalue())
    with pytest.raises(ModelFileError, match=r"was traced in training mode, .*: call .eval\(\) and trace it again"):
        open_network(str(path))


def repacked(path, change, *, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path) as archive:
        records = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    change(records)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in records.items():
            archive.writestr(name, data)


def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused_before(tmp_path):
    path = exports.write_torchscript(tmp_path / "bomb.pt", nets.small())
    repacked(path, lambda records: records.update({"bomb/data/99": bytes(2**27)}), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match=r"bomb\.pt: its [\d,]+ bytes would unpack to 134,[\d,]+, and at most"):
        open_network(str(path))


def test_a_program_with_brackets_without_end_is_refused_before_torch_reads_it(tmp_path):
    path = exports.write_torchscript(tmp_path / "deep.pt", nets.small())

    def deepen(records):
        name = next(name for name in records if name.endswith(".py"))
        records[name] += b"\n# " + b"(" * 5000 + b")" * 5000

    repacked(path, deepen)
    with pytest.raises(ModelFileError, match=r"deep\.pt: its program has brackets within brackets, more than 200 deep"):
        open_network(str(path))


def test_a_module_at_a_place_that_is_no_regular_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "net.ts")
    with pytest.raises(ModelNotFoundError, match=r"net\.ts is no kind of model that is known"):
        open_network(str(tmp_path / "net.ts"))
    os.mkfifo(tmp_path / "net.pt")
    with pytest.raises(
        ModelFileError, match=r"net\.pt cannot be read .* expected a regular file, and it is a named pipe"
    ):
        open_network(str(tmp_path / "net.pt"))
