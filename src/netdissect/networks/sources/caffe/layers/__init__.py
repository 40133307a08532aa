"""Caffe's layers as torch modules: one class for every type that a deployed network uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelError, ModelFileError, UnsupportedLayerError
from netdissect.networks.sources.caffe.layers import arrange, convolution, normalize, pointwise, pooling, product
from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer

if TYPE_CHECKING:
    from torch import Tensor

    from netdissect.networks.sources.caffe.layer_weights import LayerWeights
    from netdissect.networks.sources.caffe.layers.caffe_layer import Tops

#: Caffe's type → its class, and the numbers of bottoms that it may have.
LAYER_TYPES: dict[str, tuple[type[CaffeLayer], range]] = {
    "AbsVal": (pointwise.AbsVal, range(1, 2)),
    "ArgMax": (arrange.ArgMax, range(1, 2)),
    "BNLL": (pointwise.BNLL, range(1, 2)),
    "BatchNorm": (normalize.BatchNorm, range(1, 2)),
    "Bias": (normalize.Bias, range(1, 3)),
    "Concat": (arrange.Concat, range(1, 10_000)),
    "Convolution": (convolution.Convolution, range(1, 10_000)),
    "Crop": (arrange.Crop, range(2, 3)),
    "Deconvolution": (convolution.Deconvolution, range(1, 10_000)),
    "Dropout": (pointwise.Identity, range(1, 2)),
    "ELU": (pointwise.ELU, range(1, 2)),
    "Eltwise": (arrange.Eltwise, range(1, 10_000)),
    "Exp": (pointwise.Exp, range(1, 2)),
    "Flatten": (arrange.Flatten, range(1, 2)),
    "InnerProduct": (product.InnerProduct, range(1, 2)),
    "LRN": (normalize.LRN, range(1, 2)),
    "Log": (pointwise.Log, range(1, 2)),
    "PReLU": (pointwise.PReLU, range(1, 2)),
    "Permute": (arrange.Permute, range(1, 2)),
    "Pooling": (pooling.Pooling, range(1, 2)),
    "Power": (pointwise.Power, range(1, 2)),
    "ReLU": (pointwise.ReLU, range(1, 2)),
    "Reshape": (arrange.Reshape, range(1, 2)),
    "Scale": (normalize.Scale, range(1, 3)),
    "Sigmoid": (pointwise.Sigmoid, range(1, 2)),
    "Silence": (arrange.Silence, range(1, 10_000)),
    "Slice": (arrange.Slice, range(1, 2)),
    "Softmax": (arrange.Softmax, range(1, 2)),
    "Split": (arrange.Split, range(1, 2)),
    "TanH": (pointwise.TanH, range(1, 2)),
}

#: Types that only measure; the blobs that they read still count as outputs.
_WATCHERS = frozenset({"Accuracy", "HDF5Output", "Silence"})


class UnavailableLayer(CaffeLayer):
    """A layer that cannot be created; its error is raised only if a probed blob depends on it."""

    def __init__(self, layer: Any, reason: ModelError) -> None:
        super().__init__(layer)
        self.reason = (type(reason), str(reason))

    def error(self) -> ModelError:
        """Return the reason."""
        kind, sentence = self.reason
        return kind(sentence)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Raise the reason."""
        del bottoms
        raise self.error()


def build_caffe_layer(layer: Any, weights: LayerWeights) -> CaffeLayer:
    """Return the module for a ``LayerParameter`` message: an `UnavailableLayer` if it cannot be created."""
    try:
        kind, bottoms = LAYER_TYPES[layer.type]
        if len(layer.bottom) not in bottoms:
            return UnavailableLayer(layer, _make_bottom_count_error(layer, bottoms))
        return kind.from_caffe(layer, weights)
    except KeyError:
        return UnavailableLayer(layer, _make_unknown_type_error(layer))
    except ModelError as reason:
        return UnavailableLayer(layer, reason)


def count_computed_tops(layer: Any) -> int:
    """Return the number of tops that a layer's module computes, which may be fewer than it has, such as Pooling's first only."""
    if layer.type in ("Slice", "Split") or layer.type not in LAYER_TYPES:
        return len(layer.top)
    if layer.type in ("Convolution", "Deconvolution"):
        return min(len(layer.bottom), len(layer.top))
    return 0 if layer.type == "Silence" else min(1, len(layer.top))


def is_watcher(kind: str) -> bool:
    """Return whether a type only measures: losses, accuracies, Silence."""
    return kind in _WATCHERS or kind.endswith(("Loss", "Evaluate"))


def make_missing_top_error(layer: Any) -> UnsupportedLayerError:
    """Return the error of a top that Caffe computes and its module does not."""
    return UnsupportedLayerError(
        f'layer "{layer.name}" ({layer.type}): of its {len(layer.top)} tops ({", ".join(layer.top)}) '
        f"only {count_computed_tops(layer)} can be computed; probe blobs that do not depend on the rest"
    )


def _make_bottom_count_error(layer: Any, bottoms: range) -> ModelFileError:
    count = str(bottoms.start) if len(bottoms) == 1 else f"{bottoms.start} or more"
    return ModelFileError(
        f'layer "{layer.name}" ({layer.type}): expected {count} bottom, got {len(layer.bottom)}; correct the prototxt'
    )


def _make_unknown_type_error(layer: Any) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f'layer "{layer.name}" is of type {layer.type or "(none)"!r}, which is not supported; '
        f"probe blobs that do not depend on it"
    )
