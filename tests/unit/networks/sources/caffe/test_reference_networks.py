"""Agreement with OpenCV's Caffe reader, on real networks and on well-known architectures with seeded weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from netdissect.networks.sources.caffe.caffe_loader import load_caffe
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

pytestmark = pytest.mark.shared

REAL = ["lenet_V1format", "lenet_v2", "mtcnn_det1", "mtcnn_det2", "mtcnn_det3", "mtcnn_det4", "resnet50_firstblock",
        "squeezenet_v1.0_131x99", "squeezenet_v1.0_227"]  # fmt: skip


def all_blobs(net):
    """Return the blobs that OpenCV can be asked for: of a layer with several tops it gives the first."""
    graph = net.graph
    written = {blob: graph.last[blob] for blob in net.blob_names if net.blob_kind(blob) != "Input"}
    return [blob for blob, last in written.items() if graph.steps[graph.writer[last]].tops[0] == last]


def test_every_stored_network_is_compared(shared):
    assert sorted(json.loads((shared / "reference/forward/index.json").read_text())) == sorted(REAL)


@pytest.mark.parametrize("name", REAL)
def test_real_networks_agree_with_the_stored_blobs(shared, name, relative_error):
    entry = json.loads((shared / "reference/forward/index.json").read_text())[name]
    net = load_caffe(f"{shared / entry['prototxt']},{shared / entry['caffemodel']}")
    x = np.load(shared / f"reference/forward/{name}_input.npy")
    ours = net(torch.from_numpy(x), list(entry["blobs"]))
    with np.load(shared / f"reference/forward/{name}_outputs.npz") as stored:
        for blob in entry["blobs"]:
            theirs = stored[blob.replace("/", "--")]
            assert ours[blob].shape == theirs.shape
            assert relative_error(ours[blob].numpy(), theirs) < 1e-5, blob


@pytest.mark.parametrize("stem", ["squeezenet_v1.0", "lenet_V2", "lenet_V1format", "resnet50_firstblock", "mtcnn/det4"])
def test_real_networks_agree_with_opencv_at_every_blob(shared, stem, opencv_blobs, relative_error):
    net = load_caffe(shared / "models" / stem)
    x = np.random.default_rng(1).standard_normal((1, *net.input_shape[1:])).astype(np.float32) * 40
    blobs = all_blobs(net)
    ours, theirs = net(torch.from_numpy(x), blobs), opencv_blobs(shared / "models" / stem, net, x, blobs)
    for blob in blobs:
        assert relative_error(ours[blob].numpy(), theirs[blob].reshape(ours[blob].shape)) < 1e-4, blob


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "bvlc_alexnet",
        "vgg16_places365",
        "bvlc_googlenet",
        "resnet50",
        "resnet152_places365",
        "places205CNN_oldest_syntax",
    ],
)
def test_known_architectures_agree_with_opencv_at_every_blob(shared, tmp_path, name, opencv_blobs, relative_error):
    spec = read_prototxt(shared / f"models/prototxt/{name}.prototxt")
    write_caffe(tmp_path / name, spec, make_random_weights(spec, 7))
    net = load_caffe(tmp_path / name)
    x = np.random.default_rng(1).standard_normal((1, *net.input_shape[1:])).astype(np.float32) * 50
    blobs = all_blobs(net)
    ours, theirs = net(torch.from_numpy(x), blobs), opencv_blobs(tmp_path / name, net, x, blobs)
    for blob in blobs:
        assert relative_error(ours[blob].numpy(), theirs[blob].reshape(ours[blob].shape)) < 1e-4, blob


@pytest.mark.slow
def test_vgg_cnn_s_agrees_with_opencv_where_opencv_reads_all_of_lrn(shared, tmp_path, opencv_blobs, relative_error):
    """OpenCV takes LRN's k for 1 whatever the prototxt says; Caffe does not."""
    spec = read_prototxt(shared / "models/prototxt/vgg_cnn_s_V1syntax.prototxt").until("pool5")
    for one in spec.layers:
        if one.type == "LRN":
            assert one.lrn_param.k == 2
            one.lrn_param.k = 1
    write_caffe(tmp_path / "net", spec, make_random_weights(spec, 7))
    net = load_caffe(tmp_path / "net")
    x = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32) * 50
    blobs = all_blobs(net)
    ours, theirs = net(torch.from_numpy(x), blobs), opencv_blobs(tmp_path / "net", net, x, blobs)
    assert max(relative_error(ours[blob].numpy(), theirs[blob]) for blob in blobs) < 1e-4


def test_a_training_file_is_used_as_it_is(shared):
    spec = read_prototxt(shared / "models/prototxt/bvlc_alexnet_train_val.prototxt").until("pool5")
    whole = read_prototxt(shared / "models/prototxt/bvlc_alexnet_train_val.prototxt")
    assert [blob.name for blob in whole.inputs] == ["data", "label"]
    from netdissect.networks.sources.caffe.caffe_net import CaffeNet

    net = CaffeNet(whole, make_random_weights(spec, 1))
    assert (net.input_name, net.input_shape, net.input_channels) == ("data", (50, 3, 227, 227), 3)
    assert net.outputs == ["fc8"]
    assert net(torch.zeros(1, 3, 227, 227), ["conv5"])["conv5"].shape == (1, 256, 13, 13)
