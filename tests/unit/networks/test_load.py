"""What MODEL may be, and how everything else is refused; no library of models is needed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import exports, nets

from netdissect.errors import (
    MissingExtraError,
    ModelError,
    ModelFileError,
    ModelNotFoundError,
    SettingsError,
)
from netdissect.networks.kinds import SPELLINGS
from netdissect.networks.load import KINDS, LoadOptions, open_network, wrap_module
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A folder with a file that makes a network, as a person would have it; it is the current one."""
    (tmp_path / "my_nets.py").write_text(
        "from tests import nets\n"
        "def small():\n    return nets.make_small_net()\n"
        "def fails():\n    raise KeyError('what')\n"
        "def leaves():\n    import sys; sys.exit('no data')\n"
        "def interrupts():\n    raise KeyboardInterrupt('in mine')\n"
        "def text():\n    return 'no network'\n"
        "ready = nets.make_small_net(seed=4)\n"
        "class Zoo:\n    @staticmethod\n    def net():\n        return nets.make_small_net(seed=5)\n"
    )
    (tmp_path / "broken_nets.py").write_text("import no_such_library_at_all\n")
    (tmp_path / "leaving_nets.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("my_nets", "broken_nets", "leaving_nets"):
        sys.modules.pop(name, None)


def test_every_kind_says_in_a_line_what_it_is():
    for kind in KINDS:
        assert kind.spelling.typed.startswith(kind.spelling.prefix)
        assert 5 < len(kind.spelling.what) < 80
        assert "\n" not in kind.spelling.what


def test_every_spelling_becomes_a_network_in_the_tables_order():
    assert [kind.spelling for kind in KINDS] == list(SPELLINGS.values())


def test_the_page_for_people_shows_every_kind():
    page = (Path(__file__).resolve().parents[3] / "docs/models.md").read_text()
    for spelling in SPELLINGS.values():
        for part in [spelling.prefix] if spelling.prefix else spelling.typed.split(","):
            assert part in page, spelling.typed


def test_what_is_no_model_gets_the_list_of_what_may_be_one():
    with pytest.raises(ModelNotFoundError) as told:
        open_network("nothing")
    assert "there is no model 'nothing'" in str(told.value)
    assert all(f"{one.typed} ({one.what})" in str(told.value) for one in SPELLINGS.values())


def test_a_misspelt_prefix_gets_the_nearest():
    with pytest.raises(ModelNotFoundError, match="did you mean timm"):
        open_network("tim:resnet18")


def test_a_file_of_no_known_kind_is_reported(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"x")
    with pytest.raises(ModelNotFoundError, match=r"weights\.h5 is no known kind of model: MODEL may be"):
        open_network(str(tmp_path / "weights.h5"))


@pytest.mark.parametrize(("name", "options"), [
    ("net.pt", {}), ("net.pth", {"arch": "python:my_nets:small"}), ("net.torchscript", {}), ("net.pt.zip", {}),
])  # fmt: skip
def test_torchscript_is_refused_with_a_way_to_convert_it(script, name, options):
    exports.write_torchscript(Path(name), torch.nn.Conv2d(3, 4, 3))
    with pytest.raises(
        ModelFileError, match=r"is TorchScript, .* does not read: .* torch\.export\.save, or model\.state_dict"
    ):
        open_network(name, LoadOptions(**options))


def test_a_module_of_torchscript_is_refused(tmp_path):
    path = exports.write_torchscript(tmp_path / "net.pt", torch.nn.Conv2d(3, 4, 3))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        module = torch.jit.load(path)
    with pytest.raises(SettingsError, match=r"does not support TorchScript, .* pass the torch\.nn\.Module"):
        wrap_module(module)


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("torchvision:resnet18", {"trust": True}, "--trust does not go with torchvision:NAME"),
        ("torchvision:resnet18", {"arch": "timm:resnet18"}, "--arch does not go with torchvision:NAME"),
        ("a.prototxt,a.caffemodel", {"std": ["1"]}, "--std does not go with PATH.prototxt"),
        ("weights.pth", {"arch": "torchvision:resnet18", "weights": "b.pth"}, "--weights does not go with FILE.pth"),
    ],
)
def test_an_option_that_means_nothing_to_a_kind_is_refused(model, options, sentence):
    with pytest.raises(SettingsError, match=sentence):
        open_network(model, LoadOptions(**options))


def test_a_function_of_yours_makes_a_network(script):
    network = open_network("python:my_nets:small")
    assert (network.name, network.source) == ("small", "python:my_nets:small")
    assert network.fingerprint() == wrap_module(nets.make_small_net()).fingerprint()
    assert (
        open_network("python:my_nets:Zoo.net").fingerprint() == wrap_module(nets.make_small_net(seed=5)).fingerprint()
    )
    assert open_network("python:my_nets:ready").fingerprint() == wrap_module(nets.make_small_net(seed=4)).fingerprint()


@pytest.mark.parametrize(
    ("spec", "error", "sentence"),
    [
        ("my_nets", ModelNotFoundError, "expected python:module:function"),
        ("my_net:small", ModelNotFoundError, "there is no module 'my_net'"),
        ("my_nets:smal", ModelNotFoundError, "did you mean small"),
        ("my_nets:fails", ModelError, r"fails\(\) failed \(KeyError: 'what'\)"),
        ("my_nets:leaves", ModelError, r"leaves\(\) failed \(it called sys\.exit\('no data'\)\)"),
        ("leaving_nets:small", ModelError, r"importing leaving_nets failed \(it called sys\.exit\(3\)\)"),
        ("my_nets:text", ModelError, r"returned str: expected a torch\.nn\.Module"),
        ("broken_nets:small", ModelError, "there is no module 'no_such_library_at_all'"),
    ],
)
def test_a_function_that_is_none_is_reported(script, spec, error, sentence):
    with pytest.raises(error, match=sentence):
        open_network(f"python:{spec}")


def test_an_interrupt_while_a_function_of_yours_runs_interrupts(script):
    with pytest.raises(KeyboardInterrupt, match="in mine"):
        open_network("python:my_nets:interrupts")


def test_weights_from_a_file_fill_the_architecture_they_are_for(script):
    torch.save({"state_dict": nets.make_small_net(seed=7).state_dict()}, "mine.pth")
    right = wrap_module(nets.make_small_net(seed=7)).fingerprint()
    by_arch = open_network("mine.pth", LoadOptions(arch="python:my_nets:small"))
    by_weights = open_network("python:my_nets:small", LoadOptions(weights="mine.pth"))
    assert by_arch.fingerprint() == by_weights.fingerprint() == right
    assert (by_arch.name, by_arch.source) == ("mine", "mine.pth --arch python:my_nets:small")
    assert by_weights.source == "python:my_nets:small --weights mine.pth"


def test_weights_without_an_architecture_ask_for_it(script):
    torch.save(nets.make_small_net().state_dict(), "mine.pth")
    with pytest.raises(SettingsError, match="holds weights without an architecture: name it with --arch"):
        open_network("mine.pth")
    torch.save(nets.make_small_net(), "whole.pth")
    with pytest.raises(ModelFileError, match="save the weights alone"):  # an architecture would not help
        open_network("whole.pth")


def test_weights_that_are_not_there_are_reported(script):
    for model, options in (
        ("mine.pth", LoadOptions(arch="python:my_nets:small")),
        ("python:my_nets:small", LoadOptions(weights="mine.pth")),
    ):
        with pytest.raises(ModelNotFoundError, match=r"there is no weights file mine\.pth"):
            open_network(model, options)


@pytest.mark.parametrize(("module", "model"), [("timm", "timm:resnet18"), ("transformers", "hf:vit"), ("torchvision", "torchvision:resnet18")])  # fmt: skip
def test_a_library_that_is_missing_is_reported_with_the_extra_that_brings_it(monkeypatch, module, model):
    monkeypatch.setitem(sys.modules, module, None)
    extra = {"transformers": "hf"}.get(module, module)
    with pytest.raises(MissingExtraError, match=rf"{module} is needed .* pip install 'netdissect\[{extra}\]'"):
        open_network(model)


def test_a_library_that_does_not_fit_the_others_is_reported(monkeypatch):
    import importlib

    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist") from None

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(
        MissingExtraError, match="built for another version of torch than the one installed: install the two together"
    ):
        open_network("torchvision:resnet18")


def numbers(preprocess):
    return preprocess.channels, round(1 / preprocess.rescale_factor), preprocess.mean.tolist(), preprocess.std.tolist()


OWN = Preprocess(note="own")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("rgb", 255, IMAGENET_MEAN, IMAGENET_STD)),
        ({"mean": ["0.5"]}, ("rgb", 255, (0.5,) * 3, IMAGENET_STD)),
        ({"std": ["0.5", "0.25", "1"]}, ("rgb", 255, IMAGENET_MEAN, (0.5, 0.25, 1))),
        ({"mean": ["0", "0", "0"], "std": ["1"]}, ("rgb", 255, (0,) * 3, (1,) * 3)),
        ({"mean": ["104", "117", "123"], "scale": 0.5, "channels": "bgr"}, ("bgr", 1, (104, 117, 123), (2,) * 3)),
        ({"mean": ["104 117, 123"], "scale": 0.5, "channels": "bgr"}, ("bgr", 1, (104, 117, 123), (2,) * 3)),
    ],
)
def test_what_is_said_of_preprocessing_takes_the_place_of_its_part(options, expected):
    found = numbers(override_preprocess(OWN, LoadOptions(**options)))
    assert found[:2] == expected[:2]
    np.testing.assert_allclose(found[2:], expected[2:], rtol=1e-6)


def test_preprocessing_says_what_of_it_was_given():
    changed = override_preprocess(OWN, LoadOptions(mean=["0.5"], channels="bgr"))
    assert changed.describe().endswith("(--mean, --channels given; else own)")
    assert override_preprocess(OWN, LoadOptions()) is OWN


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mean": ["104", "117", "123"]}, "is out of this network's range, 0 to 1: .* give --scale too"),
        ({"scale": 2.0}, "--scale goes with --mean"),
        ({"scale": 2.0, "std": ["1"]}, "contradict"),
        ({"mean": ["1"], "scale": 0.0}, "--scale must not be 0"),
        ({"std": ["0"]}, "--std must be greater than 0"),
        ({"std": ["a", "b", "c"]}, "--std takes three numbers, or one for all channels, not a b c"),
        ({"mean": ["0.1", "0.2"]}, "--mean takes three numbers, or one .npy or .binaryproto file, not 0.1 0.2"),
        ({"mean": ["nan"]}, "--mean takes three numbers, or one .npy or .binaryproto file, not nan"),
        ({"mean": ["109 nan 124"]}, "--mean takes three numbers, or one .npy or .binaryproto file, not 109 nan 124"),
        ({"mean": ["mean.npy"]}, "mean.npy: no such mean file"),
        ({"scale": float("nan")}, "--scale must be a number other than 0, not nan"),
        ({"scale": 1e-320, "mean": ["1"]}, "--scale must lie between 1e-30 and 1e\\+30, not "),
        ({"mean": ["1e300", "1", "1"]}, "--mean takes three numbers, or one .npy or .binaryproto file, not 1e300 1 1"),
        ({"scale": float("inf")}, "--scale must be a number other than 0, not inf"),
        ({"colordepth": 2}, r"--colordepth must be 3 \(color\) or 1 \(grayscale\), not 2"),
        ({"channels": "rgba"}, "--channels must be rgb or bgr, not 'rgba'"),
        ({"seed": -1}, "--seed must be at least 0, not -1"),
    ],
)
def test_preprocessing_that_means_nothing_is_refused(options, sentence):
    with pytest.raises((SettingsError, ModelNotFoundError), match=sentence):
        override_preprocess(OWN, LoadOptions(**options))


def test_a_mean_image_is_read_from_a_file(tmp_path):
    np.save(tmp_path / "mean.npy", np.full((3, 4, 5), 0.25, np.float32))
    assert override_preprocess(OWN, LoadOptions(mean=[str(tmp_path / "mean.npy")])).mean.shape == (3, 4, 5)


def test_preprocessing_given_in_python_leaves_the_network_its_own(tmp_path):
    from tests import small_probe_set

    import netdissect as nd

    data = small_probe_set.write_probe_set(tmp_path / "set", images=4)
    network = wrap_module(nets.make_small_net())
    result = nd.dissect(network, "conv2", data, preprocess=Preprocess(note="mine"), quantile=0.1)
    assert result.network.preprocessing.endswith("(mine)")
    assert "assumed" in network.preprocess.note


@pytest.mark.shared
def test_a_caffe_network_of_grey_images_asks_for_them(shared):
    lenet = str(shared / "models/lenet_V2")
    with pytest.raises(SettingsError, match="takes 1 channels and would get 3: give --colordepth 1"):
        open_network(lenet)
    assert open_network(lenet, LoadOptions(colordepth=1)).preprocess.depth == 1
    apart = open_network(lenet, LoadOptions(colordepth=1, weights=f"{lenet}.caffemodel"))
    assert apart.fingerprint() == open_network(lenet, LoadOptions(colordepth=1)).fingerprint()
