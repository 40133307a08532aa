from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch

from netdissect.errors import ModelError, ModelFileError, UnknownLayerError, UnsupportedLayerError
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer

RNG = np.random.default_rng(5)
INPUT = {"data": (1, 2, 6, 6)}
X = torch.from_numpy(RNG.standard_normal((3, 2, 6, 6)).astype(np.float32))


def conv(name, bottom="data", top=None, outputs=2, **settings):
    settings = {"num_output": outputs, "kernel_size": 1, "bias_term": False, **settings}
    return make_caffe_layer(name, "Convolution", bottom, top, convolution_param=settings)


def power(name, bottom, top=None, **settings):
    return make_caffe_layer(name, "Power", bottom, top, power_param=settings)


def eye(size=2):
    return [np.eye(size, dtype=np.float32)[:, :, None, None]]


def test_a_blob_holds_what_its_last_in_place_layer_leaves(make_net):
    net = make_net(
        INPUT, [conv("conv"), power("a", "conv", "conv", shift=1), power("b", "conv", "conv", scale=2)], {"conv": eye()}
    )
    assert torch.equal(net(X, ["conv"])["conv"], (X + 1) * 2)
    assert net.blob_kind("conv") == "Convolution"
    assert net.last_layer("conv") is net.layers["b"]


def test_a_layer_between_in_place_layers_sees_its_own_time(make_net):
    layers = [
        power("one", "data", shift=1),
        power("early", "one"),
        power("over", "one", "one", scale=10),
        power("late", "one"),
    ]
    net = make_net(INPUT, layers)
    out = net(X, ["early", "late", "one"])
    assert torch.equal(out["early"], X + 1)
    assert torch.equal(out["late"], (X + 1) * 10)
    assert torch.equal(out["one"], (X + 1) * 10)


def test_an_in_place_layer_leaves_the_input_alone(make_net):
    x = X.clone()
    net = make_net(INPUT, [make_caffe_layer("relu", "ReLU", "data", "data"), power("p", "data")])
    assert torch.equal(net(x, ["data"])["data"], X.relu())
    assert torch.equal(x, X)


def test_a_relu_in_place_leaves_what_others_still_read(make_net):
    layers = [conv("conv"), make_caffe_layer("flat", "Flatten", "conv"), make_caffe_layer("relu", "ReLU", "conv", "conv"),
              make_caffe_layer("drop", "Dropout", "conv", "conv")]  # fmt: skip
    net = make_net(INPUT, layers, {"conv": eye()})
    out = net(X, ["flat", "conv"])
    assert torch.equal(out["flat"], X.flatten(1))
    assert torch.equal(out["conv"], X.relu())


def test_nothing_beyond_what_is_asked_for_is_computed(make_net):
    net = make_net(
        INPUT, [conv("a"), conv("b", "a"), conv("c", "b"), conv("aside", "a")], {name: eye() for name in "abc"}
    )
    ran = []
    for name, module in net.layers.items():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    net(X, ["b"])
    assert ran == ["a", "b"]


def test_what_is_no_longer_read_is_forgotten(make_net):
    net = make_net(INPUT, [power(f"p{n}", f"p{n - 1}" if n else "data", shift=1) for n in range(6)])
    seen, alive = [], []

    def watch(_, __, output):
        gc.collect()
        alive.append(sum(ref() is not None for ref in seen))
        seen.append(weakref.ref(output))

    for module in net.layers.values():
        module.register_forward_hook(watch)
    net(X, ["p1", "p5"])
    assert alive == [0, 1, 1, 2, 2, 2]


def test_without_blobs_the_outputs_come_back(make_net):
    single = make_net(INPUT, [conv("a"), make_caffe_layer("relu", "ReLU", "a", "a")], {"a": eye()})
    assert torch.equal(single(X), X.relu())
    several = make_net(INPUT, [conv("a"), conv("b"), conv("c", "a")], {name: eye() for name in "abc"})
    assert list(several(X)) == ["b", "c"]


def test_losses_and_accuracies_are_no_outputs_and_read_nothing(make_net):
    layers = [
        conv("a"),
        make_caffe_layer("loss", "SoftmaxWithLoss", ["a", "label"]),
        make_caffe_layer("acc", "Accuracy", ["a", "label"]),
    ]
    net = make_net({**INPUT, "label": None}, layers, {"a": eye()})
    assert net.outputs == ["a"]
    assert torch.equal(net(X), X)
    with pytest.raises(UnsupportedLayerError, match="layer \"loss\" is of type 'SoftmaxWithLoss'"):
        net(X, ["loss"])


def test_an_unknown_layer_is_an_error_only_when_a_probed_blob_depends_on_it(make_net):
    net = make_net(
        INPUT, [conv("a"), make_caffe_layer("odd", "Warp", "a"), conv("after", "odd")], {"a": eye(), "after": eye()}
    )
    assert torch.equal(net(X, ["a"])["a"], X)
    for blob in ("odd", "after"):
        with pytest.raises(UnsupportedLayerError, match="layer \"odd\" is of type 'Warp'"):
            net(X, [blob])
        with pytest.raises(UnsupportedLayerError, match="layer \"odd\" is of type 'Warp'"):
            net.check([blob])


def test_a_second_top_that_is_not_computed_is_an_error_only_when_probed(make_net):
    pool = make_caffe_layer("pool", "Pooling", "data", ["pool", "mask"], pooling_param={"kernel_size": 2, "stride": 2})
    net = make_net(INPUT, [pool])
    assert net(X, ["pool"])["pool"].shape == (3, 2, 3, 3)
    with pytest.raises(UnsupportedLayerError, match=r"of its 2 tops \(pool, mask\) only 1 can be computed"):
        net(X, ["mask"])


def test_a_layer_that_reads_a_blob_that_no_layer_writes_is_named_when_probed(make_net):
    net = make_net(INPUT, [conv("conv1"), conv("conv2", "conv")], {"conv1": eye(), "conv2": eye()})
    net(X, ["conv1"])
    with pytest.raises(ModelFileError, match="reads blob 'conv', which no layer before it writes; did you mean conv1"):
        net(X, ["conv2"])


def test_a_wrong_number_of_bottoms_is_named_when_probed(make_net):
    net = make_net(INPUT, [make_caffe_layer("crop", "Crop", "data")])
    with pytest.raises(ModelFileError, match="expected 2 bottom, got 1"):
        net(X, ["crop"])


def test_missing_weights_are_an_error_that_names_the_layer_and_the_nearest(make_net):
    net = make_net(INPUT, [conv("conv1"), conv("conv2", "conv1")], {"conv1": eye(), "conv_2": eye()})
    net(X, ["conv1"])
    with pytest.raises(ModelFileError) as missing:
        net(X, ["conv2"])
    assert 'layer "conv2" (Convolution): expected 1 blob of weights (weights)' in str(missing.value)
    assert "did you mean conv_2" in str(missing.value)


@pytest.mark.parametrize(
    ("blobs", "words"),
    [
        (
            [np.zeros((3, 2, 1, 1))],
            r"expected weights of shape \(2, \*, 1, 1\) as the prototxt says, got \(3, 2, 1, 1\)",
        ),
        ([np.zeros((2, 2, 3, 3))], r"expected weights of shape \(2, \*, 1, 1\)"),
        ([np.zeros(4)], r"expected weights of shape"),
        ([np.zeros((2, 2, 1, 1)), np.zeros(2)], r"got 2 in the caffemodel \(\(2, 2, 1, 1\), \(2\)\)"),
    ],
)
def test_weights_of_another_shape_are_reported(make_net, blobs, words):
    net = make_net(INPUT, [conv("a")], {"a": [blob.astype(np.float32) for blob in blobs]})
    with pytest.raises(ModelFileError, match=words):
        net(X, ["a"])


def test_weights_for_layers_that_are_not_there_are_ignored(make_net):
    net = make_net(INPUT, [conv("a")], {"a": eye(), "loss3/classifier": eye(7)})
    assert torch.equal(net(X), X)


def test_four_legacy_axes_are_taken(make_net):
    fc = make_caffe_layer("fc", "InnerProduct", "data", inner_product_param={"num_output": 4})
    w, b = RNG.standard_normal((4, 72)).astype(np.float32), np.arange(4, dtype=np.float32)
    today = make_net(INPUT, [fc], {"fc": [w, b]})
    legacy = make_net(INPUT, [fc], {"fc": [w.reshape(1, 1, 4, 72), b.reshape(1, 1, 1, 4)]})
    assert torch.equal(today(X), legacy(X))
    trailing = make_net(INPUT, [fc], {"fc": [w.reshape(4, 72, 1, 1), b.reshape(1, 4, 1, 1)]})
    assert torch.equal(today(X), trailing(X))


def test_layers_share_weights_by_name(make_net):
    layers = [conv("a"), conv("b")]
    for one in layers:
        one.param.add(name="shared_w")
    net = make_net(INPUT, layers, {"a": [2 * eye()[0]]})
    out = net(X, ["a", "b"])
    assert torch.equal(out["b"], 2 * X)
    assert net.layers["a"].weight is net.layers["b"].weight
    assert len(list(net.parameters())) == 1


def test_an_unknown_blob_lists_the_nearest(make_net):
    net = make_net(INPUT, [conv("conv1"), make_caffe_layer("relu1", "ReLU", "conv1", "conv1")], {"conv1": eye()})
    with pytest.raises(UnknownLayerError, match="no blob 'conv2'; did you mean conv1"):
        net(X, ["conv2"])
    with pytest.raises(UnknownLayerError, match="the layer of that name writes conv1"):
        net.check(["relu1"])
    with pytest.raises(UnknownLayerError, match="no blob 'nothing'; choose from data, conv1"):
        net.blob_kind("nothing")
    with pytest.raises(UnknownLayerError, match="is an input"):
        net.last_layer("data")


def test_blobs_that_depend_on_two_inputs_name_both(make_net):
    net = make_net(
        {"left": (1, 2, 6, 6), "right": (1, 2, 6, 6)},
        [power("l", "left"), power("r", "right", scale=2), make_caffe_layer("sum", "Eltwise", ["l", "r"])],
    )
    assert torch.equal(net(X, ["r"])["r"], 2 * X)
    for blobs in (["sum"], ["l", "r"]):
        with pytest.raises(ModelError, match=r"2 inputs \(left, right\)"):
            net(X, blobs)


def test_each_input_may_have_its_own_channels(make_net):
    net = make_net({"left": (1, 2, 6, 6), "right": (1, 5, 6, 6)}, [power("l", "left"), power("r", "right")])
    assert net(X, ["l"])["l"].shape == (3, 2, 6, 6)
    assert net(torch.zeros(1, 5, 6, 6), ["r"])["r"].shape == (1, 5, 6, 6)


def test_a_network_without_an_input_is_refused(make_net):
    with pytest.raises(ModelFileError, match="a network with an input, got none"):
        make_net({}, [conv("a")])


def test_images_of_another_size_are_taken_where_layers_take_them(make_net):
    fc = make_caffe_layer("fc", "InnerProduct", "a", inner_product_param={"num_output": 4, "bias_term": False})
    net = make_net(INPUT, [conv("a"), fc], {"a": eye(), "fc": [np.zeros((4, 72), np.float32)]})
    larger = torch.zeros(1, 2, 9, 11)
    assert net(larger, ["a"])["a"].shape == (1, 2, 9, 11)
    with pytest.raises(ModelError, match=r"expected 72 numbers per image.* probe blobs below this layer"):
        net(larger, ["fc"])


def test_any_number_of_images_is_taken_where_a_reshape_fixes_the_prototxts(make_net):
    reshape = make_caffe_layer("flat", "Reshape", "data", reshape_param={"shape": {"dim": [1, -1]}})
    assert make_net(INPUT, [reshape])(X).shape == (3, 72)


def test_images_with_other_channels_are_refused(make_net):
    net = make_net(INPUT, [conv("a")], {"a": eye()})
    with pytest.raises(ModelError, match=r"images with 2 channels, got an input of shape 1 x 3 x 6 x 6"):
        net(torch.zeros(1, 3, 6, 6), ["a"])


def test_the_input_is_what_prototxt_and_weights_say(make_net):
    net = make_net({"data": None, "label": None}, [conv("a")], {"a": [np.zeros((2, 5, 1, 1), np.float32)]})
    assert (net.input_name, net.input_shape, net.input_channels) == ("data", None, 5)
    grouped = make_net({"data": (10, 3, 8, 8)}, [conv("a", group=2)], {"a": [np.zeros((2, 1, 1, 1), np.float32)]})
    assert (grouped.input_shape, grouped.input_channels) == ((10, 2, 8, 8), 2)
    bare = make_net({"im": (1, 4, 5, 6)}, [power("p", "im")])
    assert (bare.input_name, bare.input_channels) == ("im", 4)


def test_blobs_are_listed_as_they_are_first_written(make_net):
    net = make_net(INPUT, [conv("b"), make_caffe_layer("relu", "ReLU", "b", "b"), conv("a", "b")], {})
    assert net.blob_names == ("data", "b", "a")
    assert [net.blob_kind(blob) for blob in net.blob_names] == ["Input", "Convolution", "Convolution"]


def test_layer_names_that_torch_does_not_take_are_taken(make_net):
    names = ["a.b", "a_b", "keys", "pop", "training", "fire/1x1", ""]
    layers = [power(name, "data", f"top{place}", shift=place) for place, name in enumerate(names)]
    net = make_net(INPUT, layers)
    assert len(net.layers) == len(names)
    for place in range(len(names)):
        assert torch.equal(net(X, [f"top{place}"])[f"top{place}"], X + place)


@pytest.fixture
def residual(make_net):
    """Convolution, BatchNorm, Scale and ReLU in place, with a shortcut, as in a ResNet."""

    def bn(name, blob):
        return make_caffe_layer(name, "BatchNorm", blob, blob)

    def scale(name, blob, *, bias=True):
        return make_caffe_layer(name, "Scale", blob, blob, scale_param={"bias_term": bias})

    def relu(name, blob, slope=0.0):
        return make_caffe_layer(name, "ReLU", blob, blob, relu_param={"negative_slope": slope})

    layers = [
        conv("c1", outputs=4, bias_term=True), bn("bn1", "c1"), scale("s1", "c1"), relu("r1", "c1"),
        conv("c2", "c1", outputs=4, group=2), bn("bn2", "c2"), scale("s2", "c2", bias=False),
        make_caffe_layer("sum", "Eltwise", ["c1", "c2"]), relu("r3", "sum", 0.1),
        make_caffe_layer("bn4", "BatchNorm", "sum"), scale("s4", "bn4"), relu("r4", "bn4"),
        conv("c5", "bn4", outputs=4), make_caffe_layer("bn5", "BatchNorm", "c5"), make_caffe_layer("keep", "ReLU", "c5"), scale("s5", "bn5"),
    ]  # fmt: skip
    weights = {"c1": [RNG.standard_normal((4, 2, 1, 1)), RNG.standard_normal(4)], "c2": [RNG.standard_normal((4, 2, 1, 1))],
               "c5": [RNG.standard_normal((4, 4, 1, 1))]}  # fmt: skip
    for name in ("bn1", "bn2", "bn4", "bn5"):
        weights[name] = [RNG.standard_normal(4), RNG.random(4) + 0.5, np.ones(1)]
    for name in ("s1", "s2", "s4", "s5"):
        weights[name] = [RNG.standard_normal(4), RNG.standard_normal(4)][: 1 if name == "s2" else 2]
    blobs = {name: [np.asarray(blob, np.float32) for blob in given] for name, given in weights.items()}
    return make_net(INPUT, layers, blobs)


def test_short_cuts_give_what_the_single_layers_give(residual):
    net = residual
    assert net._folded_layers.followers == {"c1": ("bn1", "s1"), "c2": ("bn2", "s2"), "bn4": ("s4",), "bn5": ("s5",)}
    assert net._folded_layers.in_place_relus == {"r1", "r3", "r4"}
    blobs = ["c1", "c2", "sum", "bn4", "c5", "bn5", "keep"]
    short = net(X, blobs)
    handle = net.layers["r1"].register_forward_hook(lambda *_: None)
    whole = net(X, blobs)
    handle.remove()
    for blob in blobs:
        assert torch.allclose(short[blob], whole[blob], rtol=1e-5, atol=1e-5), blob
        assert torch.equal(net(X, [blob])[blob], short[blob]), blob


def test_it_is_an_ordinary_module(residual):
    net = residual
    before = net(X)["bn5"]
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(X)["bn5"], before)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    assert "layers.c1.weight" in state
    assert "layers.bn1.mean" in state
    for parameter in net.parameters():
        assert parameter.dtype == torch.float32
        assert not parameter.requires_grad
        parameter.zero_()
    assert not torch.equal(net(X)["bn5"], before)
    net.load_state_dict(state)
    assert torch.equal(net(X)["bn5"], before)
    assert torch.allclose(net.double()(X.double())["bn5"].float(), before, atol=1e-5)


def shapes_of(net, shape):
    return net.map_blobs(torch.zeros(shape), lambda blob: tuple(blob.shape))


def test_shapes_are_reported_for_any_size_of_input(residual):
    shapes = shapes_of(residual, (7, 2, 20, 10))
    assert list(shapes) == list(residual.blob_names)
    assert shapes["data"] == (7, 2, 20, 10)
    assert set(shapes.values()) - {shapes["data"]} == {(7, 4, 20, 10)}


def test_shapes_leave_out_what_cannot_be_had(make_net):
    fc = make_caffe_layer("fc", "InnerProduct", "a", inner_product_param={"num_output": 4, "bias_term": False})
    layers = [conv("a"), fc, make_caffe_layer("relu", "ReLU", "fc", "fc"), make_caffe_layer("odd", "Warp", "a"), power("b", "a"),
              make_caffe_layer("acc", "Accuracy", ["a", "label"]), conv("bare", "a")]  # fmt: skip
    net = make_net({**INPUT, "label": None}, layers, {"a": eye(), "fc": [np.zeros((4, 72), np.float32)]})
    assert shapes_of(net, (1, 2, 6, 6)) == {"data": (1, 2, 6, 6), "a": (1, 2, 6, 6), "fc": (1, 4), "b": (1, 2, 6, 6)}
    assert shapes_of(net, (1, 2, 9, 8)) == {"data": (1, 2, 9, 8), "a": (1, 2, 9, 8), "b": (1, 2, 9, 8)}


def test_an_empty_list_of_blobs_computes_nothing(make_net):
    net = make_net(INPUT, [make_caffe_layer("odd", "Warp", "data")])
    assert net(X, []) == {}


def test_a_hook_on_the_last_layer_of_a_blob_may_replace_it(residual):
    handle = residual.last_layer("c1").register_forward_hook(lambda _, __, out: torch.zeros_like(out))
    out = residual(X, ["c1", "sum"])
    handle.remove()
    assert not out["c1"].any()
    assert residual(X, ["c1"])["c1"].any()


def test_torchs_own_complaints_become_ours(make_net):
    net = make_net(INPUT, [make_caffe_layer("relu", "ReLU", "data")])
    net.layers["relu"]._function = torch.linalg.cholesky
    with pytest.raises(ModelError, match=r'layer "relu" \(ReLU\) cannot take 3 x 2 x 6 x 6'):
        net(X, ["relu"])
