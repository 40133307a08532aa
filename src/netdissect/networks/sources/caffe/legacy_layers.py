"""Converts Caffe's two older layer syntaxes to the current one: ``layers { type: CONVOLUTION }`` and ``layers { layer { … } }``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.networks.sources.caffe.messages import make_message

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Types of ``layers { type: … }`` (an enumeration until 2015) → current names.
V1_TYPES = {
    "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData", "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "EXP": "Exp", "FLATTEN": "Flatten", "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output", "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col", "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN", "POOLING": "Pooling", "POWER": "Power",
    "RELU": "ReLU", "SIGMOID": "Sigmoid", "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence", "SLICE": "Slice", "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split",
    "TANH": "TanH", "THRESHOLD": "Threshold", "WINDOW_DATA": "WindowData",
}  # fmt: skip

#: Types of ``layers { layer { type: … } }`` (in files of 2013) → current names.
V0_TYPES = {
    "accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution", "data": "Data",
    "dropout": "Dropout", "euclidean_loss": "EuclideanLoss", "flatten": "Flatten", "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output", "im2col": "Im2col", "images": "ImageData", "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct", "lrn": "LRN", "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "padding": "Padding", "pool": "Pooling", "relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss", "split": "Split", "tanh": "TanH", "window_data": "WindowData",
}  # fmt: skip

#: Current type → (its message, {field of 2013: current field}).
_V0_SETTINGS: dict[str, tuple[str, dict[str, str]]] = {
    "Concat": ("concat_param", {"concat_dim": "concat_dim"}),
    "Convolution": (
        "convolution_param",
        {"num_output": "num_output", "biasterm": "bias_term", "pad": "pad", "kernelsize": "kernel_size",
         "group": "group", "stride": "stride", "weight_filler": "weight_filler", "bias_filler": "bias_filler"},
    ),
    "Data": ("data_param", {"batchsize": "batch_size", "cropsize": "crop_size"}),
    "ImageData": (
        "image_data_param",
        {"batchsize": "batch_size", "cropsize": "crop_size", "new_height": "new_height", "new_width": "new_width"},
    ),
    "InnerProduct": (
        "inner_product_param",
        {"num_output": "num_output", "biasterm": "bias_term", "weight_filler": "weight_filler",
         "bias_filler": "bias_filler"},
    ),
    "LRN": ("lrn_param", {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"}),
    # "Padding" was a layer; its width is stored here for `fold_padding`.
    "Padding": ("convolution_param", {"pad": "pad"}),
    "Pooling": ("pooling_param", {"pool": "pool", "kernelsize": "kernel_size", "stride": "stride", "pad": "pad"}),
}  # fmt: skip

_SAME_IN_BOTH = ("bottom", "top", "include", "exclude")


def convert_old_layers(layers: Iterable[Any]) -> list[Any]:
    """Convert ``V1LayerParameter`` messages, including those that hold a V0 layer, to ``LayerParameter`` messages."""
    return fold_padding([_convert_v0_layer(old) if old.HasField("layer") else _convert_v1_layer(old) for old in layers])


def fold_padding(layers: list[Any]) -> list[Any]:
    """Remove the layers of type "padding", which Caffe dropped in 2013, and pad the layers that read them."""
    pads = {one.top[0]: one for one in layers if one.type == "Padding" and one.top and one.bottom}
    remaining = [one for one in layers if one.type != "Padding"]
    for one in remaining:
        settings = {"Convolution": one.convolution_param, "Pooling": one.pooling_param}.get(one.type)
        for place, blob in enumerate(one.bottom):
            if settings is not None and blob in pads:
                one.bottom[place] = pads[blob].bottom[0]
                settings.pad[:] = pads[blob].convolution_param.pad
    return remaining


def _convert_v1_layer(old: Any) -> Any:
    kind = V1_TYPES.get(old.type) or V0_TYPES.get(old.type, old.type)
    new = make_message("LayerParameter", name=old.name, type=kind)
    for field, value in old.ListFields():
        if field.name in _SAME_IN_BOTH:
            getattr(new, field.name).MergeFrom(value)
        elif field.name.endswith("_param"):
            getattr(new, field.name).CopyFrom(value)
    for shared in old.param:
        new.param.add(name=shared)
    return new


def _convert_v0_layer(old: Any) -> Any:
    inner = old.layer
    new = make_message("LayerParameter", name=inner.name, type=V0_TYPES.get(inner.type, inner.type))
    for name in _SAME_IN_BOTH:
        getattr(new, name).MergeFrom(getattr(old, name))
    param, names = _V0_SETTINGS.get(new.type, ("", {}))
    for before, after in names.items():
        if inner.HasField(before):
            _set_field(getattr(new, param), after, getattr(inner, before))
    return new


def _set_field(target: Any, name: str, value: Any) -> None:
    if hasattr(getattr(target, name), "append"):
        getattr(target, name).append(value)
    elif hasattr(value, "CopyFrom"):
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)
