"""``demo``: the network that comes with the package, from the Caffe pair in ``netdissect/demo/network``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.networks.load_options import LoadOptions
from netdissect.networks.sources.caffe.caffe_network import load_caffe_network

if TYPE_CHECKING:
    from netdissect.networks.sources.caffe.caffe_network import CaffeNetwork

#: Path of its prototxt and caffemodel, without ending.
BUNDLED_STEM = Path(__file__).parents[2] / "demo" / "network" / "demonet"
#: The names of its class outputs, one a line.
CLASSES_FILE = BUNDLED_STEM.with_name("classes.txt")


def load_bundled(name: str = "demo", options: LoadOptions | None = None) -> CaffeNetwork:
    """Return the bundled network, with the names of its class outputs.

    Args:
        name: what was typed.
        options: with the seed alone, which its weights do not need.
    """
    network = load_caffe_network(str(BUNDLED_STEM), options or LoadOptions())
    classes = tuple(CLASSES_FILE.read_text("utf-8").splitlines())
    return replace(network, source=name, classes=classes)
