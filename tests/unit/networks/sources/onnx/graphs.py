"""Small ONNX graphs built node by node, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper


def node(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, list(inputs), list(outputs), name=name, **attributes)


def constant(name, values, dtype=np.int64):
    return onnx.numpy_helper.from_array(np.array(values, dtype), name)


def weights(name, *shape, seed=0):
    return onnx.numpy_helper.from_array(np.random.default_rng(seed).uniform(0.1, 1, shape).astype(np.float32), name)


def model(nodes, initializers=(), *, shape=("n", 3, "h", "w"), dtype=TensorProto.FLOAT, opset=20, inputs=("x",)):
    """Return a model whose last node gives its output."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, dtype, list(shape)) for name in inputs],
        [onnx.ValueInfoProto(name=nodes[-1].output[0])],
        list(initializers),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 9
    return made


def written(folder: Path, nodes, initializers=(), **options) -> Path:
    path = folder / "graph.onnx"
    onnx.save(model(nodes, initializers, **options), path)
    return path


def convolution(folder: Path, **options) -> Path:
    """Write a network of one convolution and a ReLU."""
    nodes = [node("Conv", ["x", "w"], ["y"], "first", pads=[1, 1, 1, 1]), node("Relu", ["y"], ["z"], "second")]
    return written(folder, nodes, [weights("w", 4, options.pop("channels", 3), 3, 3)], **options)
