"""Looks at images made up from random numbers, for tests of their page and files."""

from __future__ import annotations

import numpy as np
from tests import made_up_runs

from netdissect.report.image_look import ImageLook, find_labeled, select_firing


def make_look(
    *, units=(24, 40), images=3, size=(80, 120), grid=7, trusted=True, threshold=0.04, concepts=30, names=None, seed=0
):
    """Return a made-up run, and images in which some of its labeled units fire; the last image has none."""
    run, _ = made_up_runs.make_run(units, concepts, trusted=trusted, grid=grid, seed=seed)
    random, found = np.random.default_rng(seed), []
    y, x = np.mgrid[:grid, :grid] / max(grid - 1, 1)
    for number in range(images):
        layers = {}
        for name, layer in run.layers.items():
            labeled = find_labeled(layer, threshold)
            center, reach = random.random((labeled.size, 2, 1, 1)), random.uniform(-0.5, 0.6, (labeled.size, 1, 1))
            blob = np.exp(-((y - center[:, 0]) ** 2 + (x - center[:, 1]) ** 2) / 0.08) - 1 + reach
            span = (layer.activity.maximum - layer.thresholds)[labeled][:, None, None]
            blob = blob - 9 if number == images - 1 and images > 1 else blob
            grids = (layer.thresholds[labeled][:, None, None] + blob * span).astype(np.float32)
            layers[name] = select_firing(layer, run.network.input_size, labeled, labeled, grids)
        pixels = random.integers(0, 256, (*size, 3)).astype(np.uint8)
        found.append(ImageLook(names[number] if names else f"holiday/photo {number}.jpg", pixels, layers))
    return run, found
