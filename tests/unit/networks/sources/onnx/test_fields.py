"""Field maps traced by node equal those that are watched in torch, and what a changed pixel really reaches."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from tests.unit.networks.sources.onnx import graphs
from tests.unit.networks.sources.onnx.graphs import constant, node, weights

from netdissect.networks.load import open_network, wrap_module

SIZE = 24


def facts(layer):
    return layer.units, layer.grid, layer.geometry, layer.field


def test_every_torch_module_in_the_file_is_where_it_is_in_torch(exported, module):
    watched = {layer.name: layer for layer in wrap_module(module).layers((32, 32))}
    network = open_network(str(exported))
    names = [name for name in watched if network.has_layer(name)]
    assert len(names) >= 18
    for name in names:
        (layer,) = network.probe([name], (32, 32), geometry="receptive-field", device=None).layers
        assert facts(layer) == facts(watched[name]), name
        assert watched[name].note in layer.note


def test_the_exporter_before_gives_the_same_geometry(exported, legacy):
    def computed(path):
        kinds = {"Conv", "ConvTranspose", "Softmax", "LayerNormalization", "Gelu", "Gemm", "MaxPool", "Resize"}
        return [facts(layer) for layer in open_network(str(path)).layers((32, 32)) if layer.kind in kinds]

    assert computed(exported) == computed(legacy)


def reached(path, layer):
    """Change the input pixel by pixel; return offset and size of what cells in the middle saw, and the step."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    image = rng.uniform(0.5, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    plain = session.run(None, {"x": image})[0]
    saw = np.zeros((2, SIZE, *plain.shape[2:]), bool)
    for axis in (0, 1):
        for at in range(SIZE):
            changed = image.copy()
            place = [slice(None)] * 4
            place[axis + 2] = at
            changed[tuple(place)] += 7
            saw[axis, at] = (session.run(None, {"x": changed})[0] != plain).any(axis=(0, 1))
    found = []
    for axis in (0, 1):
        cells = saw[axis].any(axis=2 - axis)
        first, last = cells.argmax(0), SIZE - 1 - cells[::-1].argmax(0)
        middle = np.flatnonzero((first > 0) & (last < SIZE - 1))[:2]
        step = first[middle[1]] - first[middle[0]]
        found.append((first[middle[0]] - step * middle[0], last[middle[0]] - first[middle[0]] + 1, step))
    return tuple(zip(*found, strict=True))


W = [weights("w", 4, 3, 3, 3), weights("v", 4, 4, 2, 3, seed=1)]
TWO = [node("Conv", ["x", "w"], ["a"], strides=[2, 1], pads=[1, 0, 1, 2])]
CASES = {
    "pads that differ on every side": [*TWO, node("Conv", ["a", "v"], ["z"], pads=[0, 2, 1, 0], dilations=[2, 1])],
    "SAME_UPPER": [*TWO, node("Conv", ["a", "v"], ["z"], auto_pad="SAME_UPPER", strides=[1, 2])],
    "SAME_LOWER": [*TWO, node("Conv", ["a", "v"], ["z"], auto_pad="SAME_LOWER", strides=[1, 2])],
    "VALID": [*TWO, node("Conv", ["a", "v"], ["z"], auto_pad="VALID")],
    "a pooling that rounds up": [*TWO, node("MaxPool", ["a"], ["z"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
    "an average with SAME_LOWER": [
        node("AveragePool", ["x"], ["z"], kernel_shape=[2, 4], strides=[2, 2], auto_pad="SAME_LOWER")
    ],
    "a border, then a convolution": [node("Pad", ["x", "pads"], ["a"]), node("Conv", ["a", "w"], ["z"])],
    "a border on named axes": [
        node("Pad", ["x", "some", "", "axes"], ["a"], mode="edge"), node("Conv", ["a", "w"], ["z"])
    ],
    "a slice with steps": [node("Slice", ["x", "starts", "ends", "axes", "steps"], ["a"]), node("Conv", ["a", "w"], ["z"])],
    "space to depth": [node("SpaceToDepth", ["x"], ["a"], blocksize=2), node("Conv", ["a", "u"], ["z"])],
    "paths that join": [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        node("MaxPool", ["x"], ["b"], kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        node("Concat", ["a", "b"], ["z"], axis=1),
    ],
    "channels last inside": [
        node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        node("MatMul", ["a", "m"], ["b"]),
        node("Transpose", ["b"], ["c"], perm=[0, 3, 1, 2]),
        node("Conv", ["c", "v"], ["z"]),
    ],
    "a split and a product": [
        node("Conv", ["x", "w"], ["a"]), node("Split", ["a"], ["b", "c"], axis=1, num_outputs=2),
        node("Sigmoid", ["c"], ["d"]), node("Mul", ["b", "d"], ["z"]),
    ],
}  # fmt: skip
NUMBERS = [
    constant("pads", [0, 0, 1, 2, 0, 0, 0, 1]), constant("some", [3, 1, 2, 0]), constant("axes", [2, 3]),
    constant("starts", [1, 3]), constant("ends", [30, 22]), constant("steps", [2, 1]), weights("u", 2, 12, 2, 2),
    weights("m", 3, 4),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_cell_sees_what_changing_a_pixel_reaches(tmp_path, case):
    path = graphs.written(tmp_path, CASES[case], [*W, *NUMBERS], shape=("n", 3, SIZE, SIZE))
    (layer,) = open_network(str(path)).probe(["z"], (SIZE, SIZE), geometry="receptive-field", device=None).layers
    assert layer.geometry == "receptive-field"
    assert (layer.field.offset, layer.field.size, layer.field.step) == reached(path, layer)


def track(folder, nodes, initializers=(), *, name="z", size=(8, 8), **options):
    path = graphs.written(folder, nodes, [*W, *NUMBERS, *initializers], **options)
    (layer,) = open_network(str(path)).probe([name], size, geometry="receptive-field", device=None).layers
    return layer


def test_a_roll_that_is_undone_changes_nothing(tmp_path):
    def turned(source, target, shift):
        begin, end = f"{target} begin", f"{target} end"
        return [
            node("Slice", [source, "zero", f"at{-shift}", "rows"], [begin]),
            node("Slice", [source, f"at{-shift}", "most", "rows"], [end]),
            node("Concat", [end, begin], [target], axis=2),
        ]

    steer = [constant("zero", [0]), constant("most", [2**40]), constant("rows", [2]), constant("at-3", [-3]),
             constant("at3", [3])]  # fmt: skip
    nodes = [*turned("x", "a", 3), node("Relu", ["a"], ["b"]), *turned("b", "c", -3), node("Conv", ["c", "w"], ["z"])]
    assert track(tmp_path, nodes, steer).field == ((0, 0), (3, 3), (1, 1))


def test_a_softmax_over_places_is_an_even_grid_and_one_over_channels_is_not(tmp_path):
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Softmax", ["a"], ["z"], axis=1)]
    assert track(tmp_path, nodes).geometry == "receptive-field"
    # Before version 13 a softmax ran over every dimension from its axis on.
    assert track(tmp_path, nodes, opset=11).geometry == "grid"
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Softmax", ["a"], ["z"], axis=3)]
    assert track(tmp_path, nodes).geometry == "grid"


def test_axes_were_attributes_once(tmp_path):
    nodes = [
        node("ReduceMean", ["x"], ["a"], axes=[2, 3], keepdims=0),
        node("Unsqueeze", ["a"], ["b"], axes=[2, 3]),
        node("Mul", ["x", "b"], ["z"]),
    ]
    layer = track(tmp_path, nodes, opset=11)
    assert (layer.grid, layer.geometry) == ((8, 8), "receptive-field")


def test_what_mixes_places_in_unknown_ways_is_an_even_grid_with_a_note(tmp_path):
    nodes = [node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]), node("CumSum", ["a", "axis"], ["z"])]
    layer = track(tmp_path, nodes, [constant("axis", 2)])
    assert (layer.geometry, layer.grid) == ("grid", (8, 8))
    assert "an even grid" in layer.note


def test_pixels_out_of_channels_see_what_their_block_saw(tmp_path):
    nodes = [node("Conv", ["x", "w"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
             node("DepthToSpace", ["a"], ["z"], blocksize=2)]  # fmt: skip
    layer = track(tmp_path, nodes)
    assert (layer.units, layer.grid, layer.field.step) == (1, (8, 8), (1, 1))


def test_numbers_that_the_graph_computes_for_itself_are_known(tmp_path):
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "two"], ["height"]),
        node("Sub", ["height", "one"], ["end"]),
        node("Slice", ["x", "one", "end", "two"], ["z"]),
    ]
    layer = track(tmp_path, nodes, [constant("two", [2]), constant("one", [1])])
    assert (layer.grid, layer.field.offset) == ((6, 8), (1, 0))
