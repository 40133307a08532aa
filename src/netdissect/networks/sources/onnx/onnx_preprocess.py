"""The preprocessing that an ONNX file states in its metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from netdissect.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from netdissect.networks.sources.onnx.onnx_graph import OnnxGraph


def read_onnx_preprocess(graph: OnnxGraph) -> Preprocess:
    """Return the preprocessing in a file's metadata; if there is none, ImageNet statistics with a note."""
    metadata = {entry.key: entry.value for entry in graph.model.metadata_props}
    channels: Literal["rgb", "bgr"] = "bgr" if metadata.get("Image.BitmapPixelFormat", "").startswith("Bgr") else "rgb"
    grayscale = graph.input.fixed.channels == 1
    low, high = {
        "NominalRange_0_255": (0, 255), "Normalized_0_1": (0, 1), "Normalized_1_1": (-1, 1),
    }.get(metadata.get("Image.NominalPixelRange", ""), (0, 255) if graph.input.dtype == "uint8" else (0, 0))  # fmt: skip
    if low == high:
        return Preprocess(channels, grayscale=grayscale, note="assumed: ImageNet statistics; an ONNX file states none")
    std = np.full(3, 1 / (high - low), np.float32)
    mean = np.full(3, -low / (high - low), np.float32)
    note = "as the ONNX file states" if "Image.NominalPixelRange" in metadata else "its input is 8-bit"
    if (low, high) == (0, 255):
        return Preprocess(channels, 1.0, np.zeros(3, np.float32), np.ones(3, np.float32), grayscale, note)
    return Preprocess(channels, 1 / 255, mean, std, grayscale, note)
