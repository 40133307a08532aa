"""What people's training software really writes: the right weights are found, whatever stands before or inside a name."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pytest
import torch
from tests import nets
from torch import nn

from netdissect.errors import ModelFileError
from netdissect.networks.checkpoints import load_checkpoint, read_checkpoint
from netdissect.networks.load import LoadOptions, open_network, wrap_module

CPU = torch.device("cpu")


class Tiny(nn.Module):
    """Two blocks, statistics, a classifier."""

    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU())
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


def floats(module):
    return {name: tensor for name, tensor in module.state_dict().items() if tensor.is_floating_point()}


def tiny(shift=0.0):
    torch.manual_seed(0)
    module = Tiny().eval()
    for tensor in floats(module).values():
        tensor.add_(shift)
    return module


def loaded(path, make=lambda: tiny(shift=9.0)):
    fresh = make()
    load_checkpoint(fresh, read_checkpoint(path), architecture="tiny")
    return fresh


def is_plain_plus(module, shift):
    """Tell whether a network's weights are the plain ones plus a number."""
    wanted = floats(tiny())
    return all(torch.allclose(tensor, wanted[name] + shift) for name, tensor in floats(module).items())


def prefixed(prefix, module):
    return {prefix + name: tensor for name, tensor in module.state_dict().items()}


PLAIN, AVERAGED = tiny(), tiny(1.0)
#: Plain weights and the same plus 1, as software writes plain and averaged ones.
WRITTEN = {
    "lightning, two attributes": {"state_dict": {**prefixed("model.", PLAIN), **prefixed("ema_model.module.", AVERAGED)}},
    "lightning, the other way round": {"state_dict": {**prefixed("ema.", AVERAGED), **prefixed("net.module.", PLAIN)}},
    "lightning's WeightAveraging": {
        "state_dict": prefixed("net.", AVERAGED), "current_model_state": prefixed("net.", PLAIN),
        "averaging_state": {"n_averaged": torch.tensor(3)},
    },
    "timm": {"state_dict": prefixed("", PLAIN), "state_dict_ema": prefixed("module.", AVERAGED), "arch": "tiny"},
    "DeiT and ConvNeXt": {"model": prefixed("", PLAIN), "model_ema": prefixed("", AVERAGED), "epoch": 3},
    "torchvision's references": {
        "model": prefixed("", PLAIN), "model_ema": prefixed("module.", AVERAGED) | {"n_averaged": torch.tensor(1)},
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(4)}}, "param_groups": [{"lr": 0.1}]},
    },
    "BasicSR": {"params": prefixed("", PLAIN), "params_ema": prefixed("", AVERAGED)},
    "DINO": {"student": prefixed("module.backbone.", PLAIN), "teacher": prefixed("backbone.", AVERAGED)},
    "capitals": {"model": prefixed("", PLAIN), "modelEMA": prefixed("", AVERAGED)},
    "SWA": {"model": prefixed("", PLAIN), "swa_state_dict": prefixed("module.", AVERAGED)},
    "an average beside the network in one dictionary": {**prefixed("module.", PLAIN), **prefixed("module.avg_model.", AVERAGED)},
    "mmengine, which swaps the two": {
        "meta": {"mmengine_version": "0.10.3", "epoch": 1}, "state_dict": prefixed("backbone.", AVERAGED),
        "ema_state_dict": prefixed("module.backbone.", PLAIN) | {"steps": torch.tensor(5)},
    },
    "averages of parameters alone": {
        "model": prefixed("", AVERAGED) | {},
        "ema": {name: tensor + 1 for name, tensor in PLAIN.named_parameters()},
    },
}  # fmt: skip


@pytest.mark.parametrize("software", WRITTEN)
def test_of_plain_and_averaged_weights_the_averaged_ones_are_taken_whoever_wrote_them(software, tmp_path):
    torch.save(WRITTEN[software], tmp_path / "last.ckpt")
    assert is_plain_plus(loaded(tmp_path / "last.ckpt"), 1)


STATE = PLAIN.state_dict()
#: The plain weights, hidden in every way that software hides them.
HIDDEN = {
    "an ema without tensors": {"ema": {"decay": 0.99, "updates": 7}, "model": STATE},
    "a config called model": {"model": {"name": "tiny", "layers": 2}, "weights": STATE},
    "a model that is a name": {"model": "tiny", "state_dict": STATE},
    "a key that nobody knows": {"the_best_so_far": {"of_all": {"epochs": STATE}}},
    "Catalyst": {"model_state_dict": prefixed("", PLAIN), "optimizer_state_dict": {"state": {}}},
    "fairseq": {"args": {"arch": "tiny"}, "model": STATE, "extra_state": {"ema": {}}},
    "DeepSpeed": {"module": STATE, "buffer_names": [], "dp_world_size": 1},
    "MoCo": {"state_dict": prefixed("module.encoder_q.", PLAIN) | prefixed("module.encoder_k.", tiny(2.0))},
    "MoCo v3": {"state_dict": prefixed("module.base_encoder.", PLAIN) | prefixed("module.momentum_encoder.", tiny(2.0))},
    "BYOL": prefixed("online_encoder.net.", PLAIN) | prefixed("target_encoder.net.", tiny(2.0)),
    "SimCLR with its projector": {"state_dict": prefixed("backbone.", PLAIN) | {"projector.0.weight": torch.ones(2, 2)}},
    "mmcv": {"meta": {"mmdet_version": "2"}, "state_dict": prefixed("backbone.", PLAIN) | {"neck.w": torch.ones(1)}},
    "DataParallel": prefixed("module.", PLAIN),
    "torch.compile": prefixed("_orig_mod.", PLAIN),
    "DDP of a compiled network": prefixed("module._orig_mod.", PLAIN),
    "FSDP": {f"_fsdp_wrapped_module.{n.replace('layer1.', 'layer1._fsdp_wrapped_module.')}": t for n, t in STATE.items()},
    "checkpointed activations": {n.replace("layer2.", "layer2._checkpoint_wrapped_module."): t for n, t in STATE.items()},
    "a part compiled": {n.replace("layer2.", "layer2._orig_mod."): t for n, t in STATE.items()},
    "a part in parallel": {n.replace("layer2.", "layer2.module."): t for n, t in STATE.items()},
    "parts under keys of their own": {"layer1": PLAIN.layer1.state_dict(), "layer2": PLAIN.layer2.state_dict(), "fc": PLAIN.fc.state_dict()},
    "an optimizer that knows names": {"optim": {"exp_avg": {n: t + 5 for n, t in STATE.items()}}, "net": STATE},
    "the same weights twice": {"model": STATE, "best": {n: t.clone() for n, t in STATE.items()}},
    "a pair of weights and options": (STATE, {"lr": 0.1}),
    "a list of networks, the second of another kind": {"models": [STATE, nets.make_small_net().state_dict()]},
    "a time": {"state_dict": STATE, "when": dt.date(2020, 1, 1), "took": dt.timedelta(1)},
    "counters of operations": STATE | {"total_ops": torch.zeros(1), "layer1.total_ops": torch.zeros(1)},
    "numpy arrays": {n: t.numpy() for n, t in STATE.items()},
    "numpy arrays of the other byte order": {n: t.numpy().astype(t.numpy().dtype.newbyteorder(">")) for n, t in STATE.items()},
}  # fmt: skip


@pytest.mark.parametrize("software", HIDDEN)
def test_the_entry_that_fits_is_found_wherever_it_lies(software, tmp_path):
    torch.save(HIDDEN[software], tmp_path / "w.pth")
    assert is_plain_plus(loaded(tmp_path / "w.pth"), 0)


def test_two_sets_that_nothing_says_apart_are_an_error_that_names_both(tmp_path):
    torch.save({"generator_a": STATE, "generator_b": tiny(1.0).state_dict()}, tmp_path / "w.pth")
    with pytest.raises(
        ModelFileError, match=r"two sets of weights that fit tiny, below 'generator_a\.' and 'generator_b\.'"
    ):
        loaded(tmp_path / "w.pth")


def test_a_network_and_a_copy_of_it_inside_are_not_told_apart_by_the_length_of_a_prefix(tmp_path):
    torch.save(prefixed("net.", PLAIN) | prefixed("net.head.", tiny(1.0)), tmp_path / "w.pth")
    with pytest.raises(ModelFileError, match=r"two sets of weights that fit tiny, below 'net\.' and 'net\.head\.'"):
        loaded(tmp_path / "w.pth")


def test_where_nothing_fits_the_keys_that_were_met_are_named(tmp_path):
    torch.save({"alpha": nets.make_small_net().state_dict(), "beta": torch.zeros(2), "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(
        ModelFileError, match=r"'layer1\.0\.weight' is missing .*the file's keys are alpha, beta, epoch"
    ):
        loaded(tmp_path / "w.pth")


def test_a_dictionary_that_holds_itself_or_another_a_thousand_times_is_looked_at_once(tmp_path):
    inner = {"x": 1}
    for _ in range(40):
        inner = {"a": inner, "b": inner, "c": inner}
    turned = {"state_dict": STATE, "laughs": inner}
    turned["itself"] = turned
    torch.save(turned, tmp_path / "w.pth")
    assert is_plain_plus(loaded(tmp_path / "w.pth"), 0)


def test_a_tensor_that_claims_more_numbers_than_it_has_is_left_aside(tmp_path):
    torch.save(STATE | {"fc.bias": torch.zeros(1).expand(5)}, tmp_path / "w.pth")
    with pytest.raises(ModelFileError, match=r"'fc\.bias' is missing \(it is expanded from fewer values than it has\)"):
        loaded(tmp_path / "w.pth")
    torch.save(STATE | {"fc.bias": torch.zeros(5).to_sparse()}, tmp_path / "w.pth")
    with pytest.raises(ModelFileError, match=r"'fc\.bias' is missing \(it is sparse\)"):
        loaded(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "architecture",
    [pytest.param("alexnet", marks=pytest.mark.slow), "resnet18", pytest.param("densenet161", marks=pytest.mark.slow)],
)
def test_the_zoos_networks_of_pytorch_open(architecture, tmp_path):
    """places365 keeps AlexNet's features behind ``features.module`` and DenseNet's norms as ``norm.1``."""
    torchvision = pytest.importorskip("torchvision")

    renamed = {
        "alexnet": lambda name: name.replace("features.", "features.module."),
        "resnet18": lambda name: f"module.{name}",
        "densenet161": lambda name: "module." + re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name),
    }[architecture]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = torchvision.models.get_model(architecture, weights=None, num_classes=365).state_dict()
    state = {renamed(name): tensor for name, tensor in made.items() if not name.endswith("num_batches_tracked")}
    kept = {"epoch": 90, "arch": architecture, "state_dict": state, "best_prec1": torch.tensor(55.0)}
    path = tmp_path / f"{architecture}_places365.pth.tar"
    torch.save(kept, path, _use_new_zipfile_serialization=False)
    found = open_network(str(path), LoadOptions(arch=f"torchvision:{architecture}")).module.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in made.items())


def backbone(tmp_path, *endings):
    path = tmp_path / "backbone.pth"
    torch.save({name: tensor for name, tensor in STATE.items() if not name.startswith(endings)}, path)
    return path


def test_a_backbone_without_its_classifier_loads_and_says_so_and_the_classifier_is_not_probed(tmp_path):
    path = backbone(tmp_path, "fc")
    network = wrap_module(loaded(path))
    assert network.remarks() == [f"{path} holds no weights for fc: layers before are probed"]
    assert "layer2.1" in {layer.name for layer in network.layers((16, 16))}
    assert not {"fc", "output"} & {layer.name for layer in network.layers((16, 16))}
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    whole = wrap_module(tiny())
    for name in ("layer1", "layer2.1"):
        values = [one.probe([name], (16, 16), geometry="receptive-field", device=CPU) for one in (network, whole)]
        with values[0] as bare, values[1] as full:
            torch.testing.assert_close(bare.activations(images)[name], full.activations(images)[name])
    with pytest.raises(ModelFileError, match=r"holds no weights for fc: probe layers before it"):
        network.probe(["layer1", "fc"], (16, 16), geometry="receptive-field", device=CPU)


def test_another_head_in_the_place_of_the_classifier_is_left_aside(tmp_path):
    """MoCo v2 has two linear layers where the architecture has one."""
    state = {f"module.encoder_q.{name}": tensor for name, tensor in STATE.items() if not name.startswith("fc")}
    heads = {f"module.encoder_q.fc.{place}.weight": torch.ones(8, 8) for place in (0, 2)}
    torch.save({"state_dict": state | heads}, tmp_path / "moco.pth.tar")
    network = wrap_module(loaded(tmp_path / "moco.pth.tar"))
    assert torch.equal(network.module.layer2[0].weight, PLAIN.layer2[0].weight)
    assert network.remarks() == [f"{tmp_path / 'moco.pth.tar'} holds no weights for fc: layers before are probed"]


def test_a_network_with_a_hole_in_it_is_no_backbone(tmp_path):
    with pytest.raises(ModelFileError, match=r"'layer1\.0\.weight' is missing"):
        loaded(backbone(tmp_path, "layer1.0"))
    with pytest.raises(ModelFileError, match=r"'fc\.bias' is missing"):
        loaded(backbone(tmp_path, "fc.bias"))
    with pytest.raises(ModelFileError, match=r"'layer1\.1\.weight' is missing"):
        loaded(backbone(tmp_path, "layer1.1", "layer2", "fc"))
