"""Single layers against OpenCV's, in the settings that OpenCV reads as Caffe does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.networks.sources.caffe.caffe_loader import load_caffe
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.random_weights import make_random_weights

X = np.random.default_rng(0).random((2, 6, 11, 9)).astype(np.float32) + 0.1

LAYERS = [
    ("Convolution", {"convolution_param": {"num_output": 4, "kernel_size": 3, "dilation": 2, "pad": 2, "group": 2}}),
    (
        "Convolution",
        {"convolution_param": {"num_output": 4, "kernel_h": 1, "kernel_w": 3, "stride_h": 2, "stride_w": 1}},
    ),
    ("Deconvolution", {"convolution_param": {"num_output": 6, "kernel_size": 4, "stride": 2, "pad": 1, "group": 3}}),
    ("InnerProduct", {"inner_product_param": {"num_output": 4}}),
    ("InnerProduct", {"inner_product_param": {"num_output": 4, "axis": 2, "bias_term": False}}),
    ("Pooling", {"pooling_param": {"pool": "MAX", "kernel_size": 2, "stride": 3}}),
    ("Pooling", {"pooling_param": {"pool": "MAX", "kernel_size": 3, "stride": 2, "pad": 2}}),
    ("Pooling", {"pooling_param": {"pool": "AVE", "kernel_size": 3, "stride": 2, "pad": 1}}),
    ("Pooling", {"pooling_param": {"pool": "AVE", "kernel_size": 3, "stride": 3, "pad": 2}}),
    ("Pooling", {"pooling_param": {"pool": "AVE", "kernel_h": 2, "kernel_w": 4, "stride": 2, "pad_h": 0, "pad_w": 2}}),
    ("Pooling", {"pooling_param": {"pool": "AVE", "global_pooling": True}}),
    ("LRN", {"lrn_param": {"local_size": 3, "alpha": 2, "beta": 0.5}}),
    ("LRN", {"lrn_param": {"local_size": 5, "alpha": 2, "norm_region": "WITHIN_CHANNEL"}}),
    ("BatchNorm", {"batch_norm_param": {"eps": 0.01}}),
    ("Scale", {"scale_param": {"bias_term": True}}),
    ("Scale", {"scale_param": {"axis": 1, "num_axes": 2}}),
    ("PReLU", {}),
    ("ELU", {"elu_param": {"alpha": 2}}),
    ("BNLL", {}),
    ("Exp", {"exp_param": {"base": 3, "scale": 0.5, "shift": 1}}),
    ("Log", {}),
    ("Power", {"power_param": {"power": 2, "scale": 2, "shift": 1}}),
    ("Softmax", {"softmax_param": {"axis": 2}}),
    ("Permute", {"permute_param": {"order": [0, 3, 1, 2]}}),
    ("Reshape", {"reshape_param": {"shape": {"dim": [0, -1, 9]}}}),
    ("Flatten", {"flatten_param": {"axis": 2}}),
]


@pytest.mark.parametrize(
    ("kind", "settings"), LAYERS, ids=[f"{kind}-{place}" for place, (kind, _) in enumerate(LAYERS)]
)
def test_a_single_layer_agrees_with_opencv(tmp_path, opencv_blobs, relative_error, kind, settings):
    spec = make_net_spec("one", {"data": X.shape}, [make_caffe_layer("it", kind, "data", **settings)])
    write_caffe(tmp_path / "one", spec, make_random_weights(spec, 4))
    net = load_caffe(tmp_path / "one")
    ours, theirs = net(torch.from_numpy(X)).numpy(), opencv_blobs(tmp_path / "one", net, X, ["it"])["it"]
    assert ours.shape == theirs.shape
    assert relative_error(ours, theirs) < 1e-5
