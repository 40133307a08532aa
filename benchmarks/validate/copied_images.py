"""A probe set with four copies of every image: a null unit is significant by image, and is not by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests import planted

from benchmarks.marked_page import format_table
from benchmarks.validate.bounds import Bound, Part, Scale, format_mean

if TYPE_CHECKING:
    from tests.fakes import ArrayConcepts

    from benchmarks.validate.demo_maps import LayerMaps

#: How often every image is in the probe set.
COPIES = 4
_HEADER = ["exchanged", "p ≤ .05", "own p ≤ .05", "units with q < .05"]
_TEXT = """\
{images:,} images of the demo are in the probe set {copies} times, and every unit of the demo's network has its maps on other
images, the same on all copies of one: a true null. By image, a unit meets copies of what it answers to at other places
too often for chance; by group, copies go together. {seeds} seeds; ± is half of a 95 % interval."""


def measure(concepts: ArrayConcepts, layers: dict[str, LayerMaps], scale: Scale) -> Part:
    """Dissect null units over copied images, by image and by group."""
    maps, field = layers[list(layers)[-1]]
    found: dict[bool, list[list[float]]] = {False: [], True: []}
    for seed in range(scale.seeds):
        rng = np.random.default_rng(seed)
        wrong = np.stack(
            [maps[rng.permutation(scale.copied), :, :, unit] for unit in range(maps.shape[-1])], axis=-1
        ).repeat(COPIES, axis=0)  # fmt: skip
        for grouped, rows in found.items():
            copied = planted.copy_images(concepts, scale.copied, COPIES, grouped=grouped)
            layer = planted.dissect_maps(wrong, copied, field, seed=seed, resamples=0)
            p, own = (np.array([getattr(unit, name) for unit in layer.unit_trust]) for name in ("p", "p_own"))
            q = np.array([np.nan if unit.q is None else unit.q for unit in layer.unit_trust])
            rows.append([(p <= 0.05).mean(), (own <= 0.05).mean(), (q < 0.05).mean()])
    by_image, by_group = (np.array(found[grouped]) for grouped in (False, True))
    rows = [
        [name, *(format_mean(column, 3) for column in values.T.tolist())]
        for name, values in (("image by image", by_image), ("group by group", by_group))
    ]
    text = _TEXT.format(images=scale.copied, copies=COPIES, seeds=scale.seeds)
    bounds = [Bound("copies, exchanged by image: p ≤ .05 (the test can fail)", float(by_image[:, 0].mean()), least=0.3)]
    bounds += [
        Bound(f"copies, exchanged by group: {name} ≤ .05", float(by_group[:, place].mean()), most=0.06)
        for place, name in enumerate(("p", "own p"))
    ]
    return Part(f"{text}\n\n{format_table(_HEADER, rows)}", bounds)
