"""A network made of two matrices, whose class outputs without any units can be worked out by hand."""

from __future__ import annotations

import numpy as np

from netdissect.layers import FieldMap, Layer


class LinearNetwork:
    """An AblationSource: units are the image's mean colors through one matrix, outputs are the units through another."""

    input_size = (8, 8)
    note = ""

    def __init__(self, units: int = 6, classes: int = 4, seed: int = 0, fail_after: int | None = None) -> None:
        random = np.random.default_rng(seed)
        self.inward = random.uniform(0, 1, (3, units))
        self.outward = random.normal(size=(units, classes))
        self.classes = classes
        self.layer = Layer("conv", units, (1, 1), FieldMap((0, 0), (8, 8), (8, 8)), "grid", "Conv2d")
        self.images_run = 0
        self.fail_after = fail_after

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def model_input(self, concepts, image):
        return concepts.read_image(image, self.input_size)

    def compute_units(self, inputs):
        self.images_run += len(inputs)
        if self.fail_after is not None and self.images_run > self.fail_after:
            raise KeyboardInterrupt
        return inputs.reshape(len(inputs), -1, 3).mean(1) / 255 @ self.inward

    def measure(self, inputs):
        units = self.compute_units(inputs)
        return (units @ self.outward).astype(np.float32), units.astype(np.float32)

    def remove(self, inputs, removed, values):
        units = self.compute_units(inputs)
        left = np.where(removed[:, None], values, units[None])
        return (left @ self.outward).astype(np.float32)


class NoiseImages:
    """Images of noise around a color each."""

    def __init__(self, images: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        noise = random.normal(0, 20, (images, 8, 8, 3))
        self.pixels = (random.uniform(0, 255, (images, 1, 1, 3)) + noise).clip(0, 255).astype(np.uint8)

    def __len__(self):
        return len(self.pixels)

    def read_image(self, index, size=None):
        return self.pixels[index]
