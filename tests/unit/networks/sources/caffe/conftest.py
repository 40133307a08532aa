"""Fixtures for the tests of Caffe's files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.layer_weights import WeightStore
from netdissect.networks.sources.caffe.layers import build_caffe_layer
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors on several threads mostly wait, above all where tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run_layer():
    """Run one layer on arrays: run_layer(kind, *bottoms, weights=…, tops=…, **settings)."""

    def run(kind, *bottoms, weights=(), tops=1, **settings):
        blobs = [np.asarray(blob, dtype=np.float32) for blob in weights]
        names = [f"bottom{place}" for place in range(len(bottoms))]
        one = make_caffe_layer("it", kind, names, [f"top{place}" for place in range(tops)], **settings)
        module = build_caffe_layer(one, WeightStore({"it": blobs} if blobs else {}).get_layer(one))
        out = module(*(torch.from_numpy(np.asarray(bottom, dtype=np.float32)) for bottom in bottoms))
        return [top.numpy() for top in out] if isinstance(out, tuple) else out.numpy()

    return run


@pytest.fixture
def make_net():
    """Make a network: make_net(inputs, layers, weights)."""

    def make(inputs, layers, weights=None):
        return CaffeNet(make_net_spec("test", inputs, layers), weights or {})

    return make


@pytest.fixture
def cv2():
    library = pytest.importorskip("cv2")
    # Its threads wait for each other by spinning, which costs most where tests run side by side.
    before = library.getNumThreads()
    library.setNumThreads(1)
    yield library
    library.setNumThreads(before)


@pytest.fixture
def opencv_blobs(cv2):
    """Return what OpenCV computes for blobs: opencv_blobs(stem, net, x, blobs)."""

    def run(stem, net, x, blobs):
        theirs = cv2.dnn.readNetFromCaffe(f"{stem}.prototxt", f"{stem}.caffemodel")
        theirs.enableFusion(False)
        theirs.enableWinograd(False)
        keys = {key: name for name, key in net.layer_of.items()}
        writers = [keys[net.graph.steps[net.graph.writer[net.graph.last[blob]]].module] for blob in blobs]
        theirs.setInput(x)
        return dict(zip(blobs, theirs.forward(writers), strict=True))

    return run


@pytest.fixture
def relative_error():
    """Largest difference over the largest absolute value of the second."""
    return lambda ours, theirs: float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))
