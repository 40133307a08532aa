"""Every layer against the plain formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netdissect.errors import ModelError, ModelFileError, UnsupportedLayerError

RNG = np.random.default_rng(3)
X = RNG.standard_normal((2, 6, 7, 9)).astype(np.float32)


def close(ours, theirs, tolerance=2e-6):
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    scale = max(1.0, float(np.abs(theirs).max()))
    assert np.abs(ours - theirs).max() <= tolerance * scale


def convolved(x, w, b, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2))
    kernel = w.shape[2:]
    size = [(x.shape[2 + a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)]
    out = np.zeros((len(x), len(w), *size))
    ins, outs = x.shape[1] // groups, len(w) // groups
    for o in range(len(w)):
        g = o // outs
        for i in range(size[0]):
            for j in range(size[1]):
                top, left = i * stride[0], j * stride[1]
                window = x[
                    :,
                    g * ins : (g + 1) * ins,
                    top : top + dilation[0] * (kernel[0] - 1) + 1 : dilation[0],
                    left : left + dilation[1] * (kernel[1] - 1) + 1 : dilation[1],
                ]
                out[:, o, i, j] = (window * w[o]).sum((1, 2, 3)) + (0 if b is None else b[o])
    return out


@pytest.mark.parametrize(
    ("settings", "kernel", "ways"),
    [
        ({"kernel_size": 3}, (3, 3), {}),
        ({"kernel_size": 3, "stride": 2, "pad": 1}, (3, 3), {"stride": (2, 2), "pad": (1, 1)}),
        ({"kernel_size": [1, 3], "pad": [0, 1]}, (1, 3), {"pad": (0, 1)}),
        (
            {"kernel_h": 2, "kernel_w": 3, "stride_h": 1, "stride_w": 2, "pad_h": 1, "pad_w": 0},
            (2, 3),
            {"stride": (1, 2), "pad": (1, 0)},
        ),
        ({"kernel_size": 3, "dilation": 2}, (3, 3), {"dilation": (2, 2)}),
        ({"kernel_size": 3, "dilation": [1, 3], "pad": 2}, (3, 3), {"dilation": (1, 3), "pad": (2, 2)}),
        ({"kernel_size": 3, "group": 2}, (3, 3), {"groups": 2}),
        ({"kernel_size": 1, "group": 6}, (1, 1), {"groups": 6}),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(run_layer, settings, kernel, ways, bias):
    w = RNG.standard_normal((12, 6 // ways.get("groups", 1), *kernel)).astype(np.float32)
    b = RNG.standard_normal(12).astype(np.float32) if bias else None
    settings = {"num_output": 12, "bias_term": bias, **settings}
    ours = run_layer("Convolution", X, weights=[w] if b is None else [w, b], convolution_param=settings)
    close(ours, convolved(X, w, b, **ways))


def test_a_convolution_of_two_bottoms_does_the_same_to_both(run_layer):
    w, b = RNG.standard_normal((4, 6, 1, 1)), RNG.standard_normal(4)
    tops = run_layer(
        "Convolution", X, 2 * X, weights=[w, b], tops=2, convolution_param={"num_output": 4, "kernel_size": 1}
    )
    close(tops[0], convolved(X, w, b))
    close(tops[1], convolved(2 * X, w, b))


def deconvolved(x, w, stride, pad, dilation, groups):
    n, c, h, width = x.shape
    outs = w.shape[1]
    full = [(size - 1) * stride + dilation * (k - 1) + 1 for size, k in zip((h, width), w.shape[2:], strict=True)]
    out = np.zeros((n, outs * groups, *full))
    for i in range(h):
        for j in range(width):
            for channel in range(c):
                g = channel // (c // groups)
                for u in range(w.shape[2]):
                    for v in range(w.shape[3]):
                        value = x[:, channel, i, j, None] * w[channel, :, u, v]
                        out[:, g * outs : (g + 1) * outs, i * stride + u * dilation, j * stride + v * dilation] += value
    return out[:, :, pad : full[0] - pad, pad : full[1] - pad]


@pytest.mark.parametrize(
    ("stride", "pad", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 1), (2, 1, 2, 3), (4, 0, 1, 6)]
)
def test_deconvolution(run_layer, stride, pad, dilation, groups):
    w, b = RNG.standard_normal((6, 6 // groups, 4, 4)), RNG.standard_normal(6)
    settings = {"num_output": 6, "kernel_size": 4, "stride": stride, "pad": pad, "dilation": dilation, "group": groups}
    ours = run_layer("Deconvolution", X, weights=[w, b], convolution_param=settings)
    close(ours, deconvolved(X, w, stride, pad, dilation, groups) + b[:, None, None])


def pooled(x, kernel, stride, pad, method):
    """Caffe's own loop; windows without a cell give 0."""
    h, w = x.shape[2:]
    size = [math.ceil((s + 2 * p - k) / t) + 1 for s, k, t, p in zip((h, w), kernel, stride, pad, strict=True)]
    if any(pad):
        size = [n - ((n - 1) * t >= s + p) for n, s, t, p in zip(size, (h, w), stride, pad, strict=True)]
    out = np.zeros((*x.shape[:2], *size))
    for i in range(size[0]):
        for j in range(size[1]):
            top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
            bottom, right = min(top + kernel[0], h + pad[0]), min(left + kernel[1], w + pad[1])
            area = (bottom - top) * (right - left)
            window = x[:, :, max(top, 0) : min(bottom, h), max(left, 0) : min(right, w)].astype(np.float64)
            if method == "MAX":
                out[:, :, i, j] = window.max((2, 3)) if window.size else 0
            else:
                out[:, :, i, j] = window.sum((2, 3)) / area if window.size else 0
    return out


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("size", [(7, 9), (6, 6), (5, 8), (3, 4)])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [
        ((2, 2), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (1, 1)),
        ((3, 3), (1, 1), (1, 1)),
        ((3, 2), (2, 1), (1, 0)),
        ((3, 3), (3, 3), (2, 2)),  # padding of more than half the kernel
        ((2, 2), (3, 3), (0, 0)),  # steps wider than the window
        ((1, 1), (2, 2), (0, 0)),
        ((3, 3), (5, 5), (1, 1)),
    ],
)
def test_pooling_follows_caffes_rule_for_the_last_window(run_layer, method, size, kernel, stride, pad):
    x = X[:, :, : size[0], : size[1]]
    settings = {
        "pool": method, "kernel_h": kernel[0], "kernel_w": kernel[1], "stride_h": stride[0], "stride_w": stride[1],
        "pad_h": pad[0], "pad_w": pad[1],
    }  # fmt: skip
    close(run_layer("Pooling", x, pooling_param=settings), pooled(x, kernel, stride, pad, method))


def test_pooling_over_everything(run_layer):
    close(run_layer("Pooling", X, pooling_param={"global_pooling": True}), X.max((2, 3), keepdims=True))
    ours = run_layer("Pooling", X, pooling_param={"global_pooling": True, "pool": "AVE"})
    close(ours, X.mean((2, 3), keepdims=True))


@pytest.mark.parametrize("settings", [{"round_mode": "FLOOR"}, {"ceil_mode": False}])
def test_pooling_rounds_down_where_it_is_reported_to(run_layer, settings):
    assert run_layer("Pooling", X, pooling_param={"kernel_size": 2, "stride": 2, **settings}).shape == (2, 6, 3, 4)


def test_pooling_larger_than_the_image_takes_what_there_is(run_layer):
    x = X[:, :, :2, :2]
    close(run_layer("Pooling", x, pooling_param={"kernel_size": 3, "stride": 2}), x.max((2, 3), keepdims=True))


def test_pooling_refuses_what_caffe_refuses(run_layer):
    with pytest.raises(UnsupportedLayerError, match="stochastically"):
        run_layer("Pooling", X, pooling_param={"pool": "STOCHASTIC", "kernel_size": 2})
    with pytest.raises(ModelFileError, match="padding"):
        run_layer("Pooling", X, pooling_param={"kernel_size": 2, "pad": 2})
    with pytest.raises(ModelError, match="use larger images"):
        run_layer("Pooling", X[:, :, :2], pooling_param={"kernel_size": 5})


@pytest.mark.parametrize("settings", [{}, {"axis": 2}, {"axis": -1}, {"transpose": True}, {"bias_term": False}])
def test_inner_product(run_layer, settings):
    axis = settings.get("axis", 1)
    flat = X.reshape(*X.shape[:axis], -1)
    w, b = RNG.standard_normal((5, flat.shape[-1])).astype(np.float32), RNG.standard_normal(5).astype(np.float32)
    stored = [w.T if settings.get("transpose") else w, b][: 1 + settings.get("bias_term", True)]
    ours = run_layer("InnerProduct", X, weights=stored, inner_product_param={"num_output": 5, **settings})
    close(ours, flat @ w.T.astype(np.float64) + (b if len(stored) > 1 else 0))


@pytest.mark.parametrize("settings", [{}, {"local_size": 3, "alpha": 2, "beta": 0.5, "k": 2}, {"local_size": 11}])
def test_lrn_across_channels(run_layer, settings):
    size, alpha, beta, k = ({"local_size": 5, "alpha": 1, "beta": 0.75, "k": 1} | settings).values()
    half = size // 2
    squares = np.pad(X.astype(np.float64) ** 2, ((0, 0), (half, half), (0, 0), (0, 0)))
    sums = sum(squares[:, place : place + 6] for place in range(size))
    close(run_layer("LRN", X, lrn_param=settings), X * (k + alpha / size * sums) ** -beta)


def test_lrn_within_a_channel(run_layer):
    squares = np.pad(X.astype(np.float64) ** 2, ((0, 0), (0, 0), (1, 1), (1, 1)))
    sums = sum(squares[:, :, i : i + 7, j : j + 9] for i in range(3) for j in range(3))
    settings = {"norm_region": "WITHIN_CHANNEL", "local_size": 3, "alpha": 2, "k": 5}
    close(run_layer("LRN", X, lrn_param=settings), X * (1 + 2 / 9 * sums) ** -0.75)


def test_batch_norm_divides_by_its_factor(run_layer):
    mean, variance, eps = RNG.standard_normal(6), RNG.random(6) + 0.5, 1e-3
    normal = (X - mean[:, None, None]) / np.sqrt(variance + eps)[:, None, None]
    stored = [mean * 4, variance * 4, [4]]
    close(run_layer("BatchNorm", X, weights=stored, batch_norm_param={"eps": eps}), normal)
    close(run_layer("BatchNorm", X, weights=[mean, variance], batch_norm_param={"eps": eps}), normal)


def test_batch_norm_with_a_factor_of_zero_has_no_statistics(run_layer):
    ours = run_layer("BatchNorm", X, weights=[np.ones(6), np.ones(6), [0]], batch_norm_param={"eps": 0.25})
    close(ours, X / 0.5)


def test_batch_norm_of_rows(run_layer):
    rows = X[:, :, 0, 0]
    ours = run_layer("BatchNorm", rows, weights=[np.ones(6), 3 * np.ones(6), [1]], batch_norm_param={"eps": 1})
    close(ours, (rows - 1) / 2)


def test_batch_norm_uses_the_batch_where_the_prototxt_insists(run_layer):
    ours = run_layer(
        "BatchNorm", X, weights=[np.ones(6), np.ones(6), [1]], batch_norm_param={"use_global_stats": False}
    )
    mean, variance = X.mean((0, 2, 3), keepdims=True), X.var((0, 2, 3), keepdims=True)
    close(ours, (X - mean) / np.sqrt(variance + 1e-5))


def test_scale_along_axes(run_layer):
    g, b = RNG.standard_normal(6), RNG.standard_normal(6)
    close(run_layer("Scale", X, weights=[g]), X * g[:, None, None])
    close(
        run_layer("Scale", X, weights=[g, b], scale_param={"bias_term": True}), X * g[:, None, None] + b[:, None, None]
    )
    g = RNG.standard_normal((6, 7))
    close(run_layer("Scale", X, weights=[g], scale_param={"num_axes": 2}), X * g[..., None])
    g = RNG.standard_normal(9)
    close(run_layer("Scale", X, weights=[g], scale_param={"axis": -1}), X * g)
    g = RNG.standard_normal((7, 9))
    close(run_layer("Scale", X, weights=[g], scale_param={"axis": 2, "num_axes": -1}), X * g)
    close(run_layer("Scale", X, weights=[np.float32(3)], scale_param={"num_axes": 0}), X * 3)


def test_scale_by_a_second_bottom(run_layer):
    factors = RNG.standard_normal((2, 6)).astype(np.float32)
    close(run_layer("Scale", X, factors, scale_param={"axis": 0}), X * factors[..., None, None])
    b = RNG.standard_normal((2, 6))
    ours = run_layer("Scale", X, factors, weights=[b], scale_param={"axis": 0, "bias_term": True})
    close(ours, X * factors[..., None, None] + b[..., None, None])


def test_bias(run_layer):
    b = RNG.standard_normal(6).astype(np.float32)
    close(run_layer("Bias", X, weights=[b]), X + b[:, None, None])
    close(run_layer("Bias", X, b[:, None] + np.zeros(7)), X + b[:, None, None])


def test_pointwise_functions(run_layer):
    def softplus(x):
        return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)

    wide = X * 20
    close(run_layer("ReLU", X), np.maximum(X, 0))
    close(run_layer("ReLU", X, relu_param={"negative_slope": 0.1}), np.where(X > 0, X, 0.1 * X))
    close(run_layer("ELU", X), np.where(X > 0, X, np.expm1(X)))
    close(run_layer("ELU", X, elu_param={"alpha": 0.5}), np.where(X > 0, X, 0.5 * np.expm1(X)))
    close(run_layer("Sigmoid", wide), 1 / (1 + np.exp(-wide.astype(np.float64))))
    close(run_layer("TanH", X), np.tanh(X))
    close(run_layer("AbsVal", X), np.abs(X))
    close(run_layer("BNLL", wide), softplus(wide.astype(np.float64)))
    close(run_layer("Dropout", X), X)


def test_prelu(run_layer):
    slopes = RNG.random(6)
    close(run_layer("PReLU", X, weights=[slopes]), np.where(X > 0, X, slopes[:, None, None] * X))
    close(
        run_layer("PReLU", X[:, :, 0, 0], weights=[slopes]), np.where(X > 0, X, slopes[:, None, None] * X)[:, :, 0, 0]
    )
    ours = run_layer("PReLU", X, weights=[np.float32(0.3)], prelu_param={"channel_shared": True})
    close(ours, np.where(X > 0, X, 0.3 * X))
    ours = run_layer("PReLU", X, weights=[np.full((1, 1, 1, 1), 0.3)], prelu_param={"channel_shared": True})
    close(ours, np.where(X > 0, X, 0.3 * X))


def test_power_exp_and_log(run_layer):
    positive = np.abs(X) + 0.5
    close(run_layer("Power", X), X)
    close(run_layer("Power", X, power_param={"scale": 2, "shift": 1}), 1 + 2 * X)
    close(run_layer("Power", X, power_param={"power": 3, "scale": -2}), (-2 * X) ** 3)
    close(run_layer("Power", positive, power_param={"power": -0.5}), positive**-0.5)
    close(run_layer("Power", X, power_param={"power": 0}), np.ones_like(X))
    close(run_layer("Exp", X), np.exp(X))
    close(run_layer("Exp", X, exp_param={"base": 2, "scale": 0.5, "shift": 3}), 2 ** (3 + 0.5 * X))
    close(run_layer("Log", positive), np.log(positive))
    close(run_layer("Log", positive, log_param={"base": 10, "scale": 2, "shift": 1}), np.log10(1 + 2 * positive))
    with pytest.raises(ModelFileError, match="base must be positive"):
        run_layer("Exp", X, exp_param={"base": -2})
    with pytest.raises(ModelFileError, match="base must not be 1"):
        run_layer("Log", X, log_param={"base": 1})


def test_eltwise(run_layer):
    y, z = 2 - X, X**2
    close(run_layer("Eltwise", X, y, z), X + y + z)
    close(run_layer("Eltwise", X, y, eltwise_param={"coeff": [1, -0.5]}), X - 0.5 * y)
    close(run_layer("Eltwise", X, y, z, eltwise_param={"operation": "PROD"}), X * y * z)
    close(run_layer("Eltwise", X, y, z, eltwise_param={"operation": "MAX"}), np.maximum(np.maximum(X, y), z))
    with pytest.raises(ModelFileError, match="1 coefficients for 2 bottoms"):
        run_layer("Eltwise", X, y, eltwise_param={"coeff": [1]})
    with pytest.raises(ModelError, match="bottoms of one shape, got 2 x 6 x 7 x 9 and 2 x 5 x 7 x 9"):
        run_layer("Eltwise", X, X[:, :5])


def test_concat(run_layer):
    close(run_layer("Concat", X, X[:, :2]), np.concatenate([X, X[:, :2]], 1))
    close(run_layer("Concat", X, X[..., :2], concat_param={"axis": -1}), np.concatenate([X, X[..., :2]], 3))
    close(run_layer("Concat", X, X[:1], concat_param={"concat_dim": 0}), np.concatenate([X, X[:1]], 0))
    with pytest.raises(ModelError, match="differ only along axis 1"):
        run_layer("Concat", X, X[..., :2])


def test_slice(run_layer):
    for ours, theirs in zip(run_layer("Slice", X, tops=3), np.split(X, 3, 1), strict=True):
        close(ours, theirs)
    tops = run_layer("Slice", X, tops=2, slice_param={"axis": 2, "slice_point": [2]})
    close(tops[0], X[:, :, :2])
    close(tops[1], X[:, :, 2:])
    close(run_layer("Slice", X, tops=2, slice_param={"slice_dim": 0})[1], X[1:])
    with pytest.raises(ModelError, match="cut in 4"):
        run_layer("Slice", X, tops=4)
    with pytest.raises(ModelError, match="rise within 6"):
        run_layer("Slice", X, tops=2, slice_param={"slice_point": [9]})
    with pytest.raises(ModelFileError, match="need 1 slice points, not 2"):
        run_layer("Slice", X, tops=2, slice_param={"slice_point": [1, 2]})


def test_split_and_silence(run_layer):
    for top in run_layer("Split", X, tops=3):
        close(top, X)
    assert run_layer("Silence", X, tops=0) == []


def test_crop(run_layer):
    small = np.zeros((2, 6, 4, 5), np.float32)
    close(run_layer("Crop", X, small), X[:, :, :4, :5])
    close(run_layer("Crop", X, small, crop_param={"offset": 2}), X[:, :, 2:6, 2:7])
    close(run_layer("Crop", X, small, crop_param={"offset": [1, 3]}), X[:, :, 1:5, 3:8])
    close(run_layer("Crop", X, small[:, :3], crop_param={"axis": 1, "offset": [2, 0, 1]}), X[:, 2:5, :4, 1:6])
    close(run_layer("Crop", X, small, crop_param={"axis": -1, "offset": 4}), X[..., 4:9])
    with pytest.raises(ModelError, match="from 4 on"):
        run_layer("Crop", X, small, crop_param={"offset": 4})


def test_flatten(run_layer):
    close(run_layer("Flatten", X), X.reshape(2, -1))
    close(run_layer("Flatten", X, flatten_param={"axis": 2}), X.reshape(2, 6, -1))
    close(run_layer("Flatten", X, flatten_param={"axis": 1, "end_axis": 2}), X.reshape(2, 42, 9))
    close(run_layer("Flatten", X, flatten_param={"axis": -4, "end_axis": -2}), X.reshape(-1, 9))


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"shape": {"dim": [0, -1]}}, (2, 378)),
        ({"shape": {"dim": [0, 2, 3, 7, 9]}}, (2, 2, 3, 7, 9)),
        ({"shape": {"dim": [0, 0, -1]}}, (2, 6, 63)),
        ({"shape": {"dim": [3, -1]}, "axis": 1, "num_axes": 1}, (2, 3, 2, 7, 9)),
        ({"shape": {"dim": [63]}, "axis": 2}, (2, 6, 63)),
        ({"shape": {"dim": [63]}, "axis": -3}, (2, 6, 63)),
        ({"shape": {"dim": [1]}, "num_axes": 0}, (1, 2, 6, 7, 9)),
        ({"shape": {"dim": [1]}, "axis": -1}, (2, 6, 7, 9, 1)),
    ],
)
def test_reshape(run_layer, settings, shape):
    close(run_layer("Reshape", X, reshape_param=settings), X.reshape(shape))


def test_reshape_refuses_what_does_not_fit(run_layer):
    with pytest.raises(ModelError, match="fits 2 x 5"):
        run_layer("Reshape", X, reshape_param={"shape": {"dim": [2, 5]}})
    with pytest.raises(ModelError, match="fits 5 x -1"):
        run_layer("Reshape", X, reshape_param={"shape": {"dim": [5, -1]}})
    with pytest.raises(ModelFileError, match="at most one -1"):
        run_layer("Reshape", X, reshape_param={"shape": {"dim": [-1, -1]}})
    with pytest.raises(ModelError, match="to copy"):
        run_layer("Reshape", X, reshape_param={"shape": {"dim": [1, 1, 1, -1, 0]}})


def test_permute(run_layer):
    close(run_layer("Permute", X, permute_param={"order": [0, 2, 3, 1]}), X.transpose(0, 2, 3, 1))
    close(run_layer("Permute", X, permute_param={"order": [1]}), X.transpose(1, 0, 2, 3))
    with pytest.raises(ModelFileError, match="twice"):
        run_layer("Permute", X, permute_param={"order": [1, 1]})


def test_softmax(run_layer):
    powers = np.exp(X.astype(np.float64))
    close(run_layer("Softmax", X), powers / powers.sum(1, keepdims=True))
    close(run_layer("Softmax", X, softmax_param={"axis": -1}), powers / powers.sum(-1, keepdims=True))


def test_argmax(run_layer):
    flat = X.reshape(2, -1)
    order = np.argsort(-flat, 1)[:, :3]
    values = np.take_along_axis(flat, order, 1)
    close(run_layer("ArgMax", X, argmax_param={"top_k": 3}), order[:, None, :, None])
    both = run_layer("ArgMax", X, argmax_param={"top_k": 3, "out_max_val": True})
    close(both, np.stack([order, values], 1)[..., None])
    close(run_layer("ArgMax", flat), order[:, None, :1])
    close(run_layer("ArgMax", X, argmax_param={"axis": 1}), X.argmax(1)[:, None])
    close(run_layer("ArgMax", X, argmax_param={"axis": 1, "out_max_val": True}), X.max(1)[:, None])
    with pytest.raises(ModelError, match="at least 9"):
        run_layer("ArgMax", X, argmax_param={"axis": 1, "top_k": 9})


def test_argmax_takes_the_last_of_equals(run_layer):
    assert run_layer("ArgMax", np.array([[1, 5, 5, 0]])).item() == 2


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("Convolution", {"convolution_param": {"num_output": 4}}, "it has no kernel_size"),
        ("Convolution", {"convolution_param": {"kernel_size": 3}}, "num_output must be at least 1"),
        ("Convolution", {"convolution_param": {"num_output": 4, "kernel_size": 0}}, "kernel must be at least 1"),
        (
            "Convolution",
            {"convolution_param": {"num_output": 4, "kernel_size": 3, "stride": 0}},
            "stride must be at least",
        ),
        ("Convolution", {"convolution_param": {"num_output": 4, "kernel_size": 3, "group": 3}}, "into 3 groups"),
        ("Convolution", {"convolution_param": {"num_output": 4, "kernel_size": 3, "axis": 2}}, "only axis 1"),
        ("Convolution", {"convolution_param": {"num_output": 4, "kernel_size": [3, 3, 3]}}, "3 spatial axes"),
        ("InnerProduct", {}, "num_output must be at least 1"),
        ("LRN", {"lrn_param": {"local_size": 4}}, "must be odd"),
        ("ArgMax", {"argmax_param": {"top_k": 0}}, "top_k must be at least 1"),
    ],
)
def test_settings_without_sense_are_refused_by_the_layers_name(run_layer, kind, settings, words):
    with pytest.raises(ModelError) as refused:
        run_layer(kind, X, **settings)
    assert words in str(refused.value)
    assert f'layer "it" ({kind})' in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "weights", "settings", "words"),
    [
        (
            "Convolution",
            [(4, 5, 3, 3), (4,)],
            {"convolution_param": {"num_output": 4, "kernel_size": 3}},
            "N x 5 x H x W",
        ),
        (
            "Convolution",
            [(4, 6, 9, 9), (4,)],
            {"convolution_param": {"num_output": 4, "kernel_size": 9}},
            "kernel of (9, 9) fits",
        ),
        ("Deconvolution", [(5, 4, 3, 3), (4,)], {"convolution_param": {"num_output": 4, "kernel_size": 3}}, "N x 5 x"),
        ("InnerProduct", [(4, 9), (4,)], {"inner_product_param": {"num_output": 4}}, "9 numbers per image"),
        ("BatchNorm", [(5,), (5,), (1,)], {}, "5 channels"),
        ("PReLU", [(5,)], {}, "5 channels"),
        ("Scale", [(5,)], {}, "with 5 from axis 1 on"),
        ("Softmax", [], {"softmax_param": {"axis": 4}}, "an axis 4"),
        ("Permute", [], {"permute_param": {"order": [4]}}, "the axes"),
        ("Flatten", [], {"flatten_param": {"axis": 3, "end_axis": 1}}, "an axis 3 before the end axis 1"),
    ],
)
def test_a_bottom_that_does_not_fit_is_refused_by_the_layers_name(run_layer, kind, weights, settings, words):
    with pytest.raises(ModelError) as refused:
        run_layer(kind, X, weights=[np.ones(shape) for shape in weights], **settings)
    assert words in str(refused.value)
    assert "2 x 6 x 7 x 9" in str(refused.value)
    assert f'layer "it" ({kind})' in str(refused.value)
