"""A program of torch.export is dissected like the module it was exported from."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from tests import exports, nets, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.errors import ModelError, ModelFileError, ModelNotFoundError, SettingsError, UnknownLayerError
from netdissect.networks.load import LoadOptions, open_network, wrap_module

CPU = torch.device("cpu")
LAYERS = ["stem", "block", "gate", "attention", "mlp.1", "head"]
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


@pytest.fixture(scope="module")
def module():
    return exports.make_varied_network()


@pytest.fixture(scope="module")
def exported(tmp_path_factory, module):
    """The network for any number of images at once."""
    return exports.write_pt2(tmp_path_factory.mktemp("pt2") / "varied.pt2", module)


def load_trusted(path, **options):
    return open_network(str(path), LoadOptions(trust=True, **options))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=10)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(5, 32, 32, 3)).astype(np.uint8)


def activations(network, layers, images):
    with network.probe(layers, images.shape[1:3], geometry="receptive-field", device=CPU) as source:
        return nets.move_channels_first(source.activations(images))


def test_every_layer_is_what_and_where_it_was(exported, module):
    ours, theirs = load_trusted(exported).layers((32, 32)), wrap_module(module).layers((32, 32))
    assert ours == theirs


def test_a_dissection_finds_what_one_in_torch_finds(exported, module, data):
    ours, theirs = (nd.dissect(model, LAYERS, data, **OPTIONS) for model in (load_trusted(exported), module))
    for name in LAYERS:
        np.testing.assert_array_equal(ours[name].counts.G, theirs[name].counts.G)
        np.testing.assert_allclose(ours[name].thresholds, theirs[name].thresholds, rtol=1e-4, atol=1e-5)
        # A pixel whose value meets the threshold to its last digits may fall on either side of it.
        np.testing.assert_allclose(ours[name].counts.I, theirs[name].counts.I, atol=3)
        np.testing.assert_allclose(ours[name].iou, theirs[name].iou, atol=5e-3)
    assert "an exported program states none" in ours.network.preprocessing


def test_a_number_of_images_that_the_file_fixes_is_kept_to(tmp_path, module, images):
    network = load_trusted(exports.write_pt2(tmp_path / "fixed.pt2", module, fixed=True))
    assert network.batch == 2
    found, expected = (activations(one, ["block", "mlp"], images) for one in (network, wrap_module(module)))
    for name in ("block", "mlp"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_a_largest_number_of_images_is_kept_to(tmp_path, images):
    shapes = ({0: torch.export.Dim("n", max=4)},)
    path = exports.write_pt2(tmp_path / "most.pt2", nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), shapes=shapes)
    network = load_trusted(path)
    assert network.batch == 4
    assert activations(network, ["1"], images)["1"].shape == (5, 4, 30, 30)


def test_height_and_width_may_be_free(tmp_path, images):
    free = torch.export.Dim.DYNAMIC
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()).eval()
    path = exports.write_pt2(tmp_path / "free.pt2", module, shapes=({0: free, 2: free, 3: free},))
    network = load_trusted(path)
    assert (network.input_size, network.size_for((40, 48))) == (None, (40, 48))
    assert activations(network, ["1"], np.zeros((3, 40, 48, 3), np.uint8))["1"].shape == (3, 4, 19, 23)


def test_images_of_another_size_are_scaled_or_reported(exported):
    network = load_trusted(exported)
    assert network.size_for((64, 64)) == (32, 32)
    with pytest.raises(ModelError, match=r"was exported for images of 32 x 32 and does not accept 64 x 48: "
                                         r"give --resolution 32"):  # fmt: skip
        network.layers((48, 64))


def test_a_misspelt_layer_gets_the_nearest_names(exported):
    with pytest.raises(UnknownLayerError, match=r"varied has no layer 'blok': did you mean block"):
        load_trusted(exported).probe(["blok"], (32, 32), geometry="grid", device=CPU)


@pytest.mark.parametrize("part", [nn.BatchNorm2d(4), nn.Dropout(0.5)])
def test_a_network_exported_in_training_mode_is_refused(tmp_path, part):
    path = exports.write_pt2(tmp_path / "training.pt2", nn.Sequential(nn.Conv2d(3, 4, 3), part).train())
    with pytest.raises(ModelFileError, match=r"in training mode, .*: call .eval\(\)"):
        load_trusted(path)


def test_a_norm_without_statistics_is_no_sign_of_training(tmp_path, images):
    path = exports.write_pt2(tmp_path / "standardized.pt2", exports.StandardizedConvolution().eval())
    ours, theirs = (
        activations(one, ["conv"], images)["conv"]
        for one in (load_trusted(path), wrap_module(exports.StandardizedConvolution()))
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_an_input_that_is_no_image_is_reported(tmp_path):
    path = exports.write_pt2(tmp_path / "flat.pt2", nn.Linear(8, 4), x=torch.zeros(2, 8))
    with pytest.raises(ModelFileError, match="got one of 2 dimensions"):
        load_trusted(path)
    path = exports.write_pt2(tmp_path / "many.pt2", nn.Conv2d(5, 4, 1), x=torch.zeros(2, 5, 8, 8))
    with pytest.raises(ModelFileError, match="got one of 5 channels"):
        load_trusted(path)


def test_grey_images_go_into_a_program_of_one_channel(tmp_path, images):
    path = exports.write_pt2(tmp_path / "grey.pt2", nn.Sequential(nn.Conv2d(1, 4, 1)), x=torch.zeros(2, 1, 32, 32))
    assert activations(load_trusted(path), ["0"], images)["0"].shape == (5, 4, 32, 32)


def test_half_precision_is_fed_and_read(tmp_path, images):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    path = exports.write_pt2(tmp_path / "half.pt2", module.half(), x=exports.make_input(dtype=torch.float16))
    found = activations(load_trusted(path), ["1"], images)["1"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, activations(wrap_module(module.float()), ["1"], images)["1"], rtol=1e-2, atol=1e-2
    )


def test_preprocessing_that_was_said_takes_the_place_of_the_assumed(exported):
    network = load_trusted(exported, mean=["0.5"], std=["0.25"], channels="bgr")
    assert network.preprocess.describe().startswith("BGR, 0 to 1, mean 0.5 0.5 0.5, std 0.25 0.25 0.25")


def test_a_program_at_hand_needs_no_file(exported, module, images):
    program = torch.export.load(exported)
    ours, theirs = (activations(wrap_module(one), ["block", "head"], images) for one in (program, module))
    for name in ("block", "head"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_it_is_sent_to_workers_as_its_bytes(exported, images):
    network = load_trusted(exported)
    sent = pickle.loads(pickle.dumps(network))
    assert sent.fingerprint() == network.fingerprint()
    assert torch.equal(*(activations(one, ["block"], images)["block"] for one in (network, sent)))


def test_the_fingerprint_changes_with_weights_and_preprocessing(tmp_path, exported):
    before = load_trusted(exported).fingerprint()
    assert load_trusted(exported, mean=["0"]).fingerprint() != before
    other = exports.write_pt2(tmp_path / "other.pt2", exports.make_varied_network(seed=1))
    assert load_trusted(other).fingerprint() != before


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


def test_a_file_is_not_opened_without_trust(tmp_path, exported):
    content = {record: data for record, data in records(exported).items() if record != "data/sample_inputs/model.pt"}
    out = io.BytesIO()
    torch.save(((Trap(tmp_path / "it ran"),), {}), out)
    path = write_archive(tmp_path / "net.pt2", content | {"data/sample_inputs/model.pt": out.getvalue()})
    with pytest.raises(
        SettingsError, match=r"net\.pt2 may hold code, which torch runs when it opens the file: give --trust"
    ):
        open_network(str(path))
    assert not (tmp_path / "it ran").exists()
    with pytest.raises(ModelFileError):  # what torch makes of it afterwards does not matter
        load_trusted(path)
    assert (tmp_path / "it ran").exists(), "the trap itself must work"


def test_a_missing_file_is_reported_before_trust_is_asked_for(tmp_path):
    with pytest.raises(ModelNotFoundError, match="got none"):
        open_network(str(tmp_path / "net.pt2"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "damaged or of another kind"),
        (b"<!doctype html>", "damaged or of another kind"),
        (b"PK\x03\x04 no zip", "got an archive whose directory is damaged"),
    ],
)
def test_a_file_of_another_kind_is_reported(tmp_path, content, sentence):
    (tmp_path / "net.pt2").write_bytes(content)
    with pytest.raises(ModelFileError, match=sentence):
        load_trusted(tmp_path / "net.pt2")


def test_another_archive_is_reported(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "net.pt2")
    with pytest.raises(ModelFileError, match=r"from torch 2\.8 or later, got another kind of archive"):
        load_trusted(tmp_path / "net.pt2")


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused_before(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/archive_format", "pt2")
        archive.writestr("bomb/models/model.json", bytes(2**26))
    with pytest.raises(ModelFileError, match=r"bomb\.pt2: its [\d,]+ bytes would unpack to 67,108,867, and at most"):
        load_trusted(tmp_path / "bomb.pt2")


def test_a_named_pipe_is_reported(tmp_path):
    os.mkfifo(tmp_path / "net.pt2")
    with pytest.raises(ModelFileError, match=r"net\.pt2 cannot be read .* got a named pipe"):
        load_trusted(tmp_path / "net.pt2")


def test_a_damaged_program_is_one_sentence(tmp_path, exported):
    content = records(exported)
    content["models/model.json"] = content["models/model.json"][:-10]
    with pytest.raises(ModelFileError, match=r"cannot open it: it is damaged, or another version of torch saved it"):
        load_trusted(write_archive(tmp_path / "net.pt2", content))


def records(path):
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write_archive(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(f"{path.stem}/{name}", data)
    return path
