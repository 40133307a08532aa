"""The bundled network, and its control: the same network with random weights.

``training/train_demo_network.py`` makes the prototxt and the caffemodel; README.md in this folder says how, and gives the
network's accuracy.
"""

from __future__ import annotations

from dataclasses import replace

from netdissect.networks.sources.bundled import BUNDLED_STEM, load_bundled
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.caffe_network import CaffeNetwork
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

#: Path of the prototxt and the caffemodel, without ending.
STEM = BUNDLED_STEM
#: The outputs of its convolutions after ReLU, first to last.
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def load_trained_network() -> CaffeNetwork:
    """Return the network as it was trained, to tell scenes and textures apart."""
    return load_bundled()


def load_control_network(seed: int = 0) -> CaffeNetwork:
    """Return the same network with random weights."""
    spec = replace(read_prototxt(STEM.with_suffix(".prototxt")), name=f"{STEM.name}-random")
    trained = load_trained_network()
    return CaffeNetwork(
        CaffeNet(spec, make_random_weights(spec, seed)),
        preprocess=trained.preprocess,
        name=spec.name,
        source=f"{STEM.name}.prototxt with random weights, seed {seed}",
        input_size=trained.input_size,
    )
