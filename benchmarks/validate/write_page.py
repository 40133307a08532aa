"""Measure every part of the validation, write docs/validation.md, and fail if a bound is broken."""

from __future__ import annotations

import argparse
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests import planted

from benchmarks import machine, marked_page, probe_sets
from benchmarks.validate import copied_images, lent_labels, random_weights, recovery, resampled_images, within_scenes
from benchmarks.validate.bounds import Part, Scale
from benchmarks.validate.demo_maps import LayerMaps, compute_maps
from netdissect.demo import network

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes import ArrayConcepts

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
#: The layers of the demo's network whose units are put on other images and samples.
LAYERS = ("conv3", "conv5")


class Validation:
    """The parts of the validation, over one probe set.

    Args:
        scale: how much is measured.
    """

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._images = probe_sets.make_demo(scale.images)
        self.parts: dict[str, Callable[[], Part]] = {
            "recovery": lambda: recovery.measure(self._concepts(), scale),
            "lent-labels": lambda: lent_labels.measure(self._concepts(), self._layers(), scale),
            "samples": lambda: resampled_images.measure(self._concepts(), self._layers(), scale),
            "copies": lambda: copied_images.measure(self._concepts(), self._layers(), scale),
            "within-scenes": lambda: within_scenes.measure(self._concepts(), scale),
            "random-weights": lambda: random_weights.measure(self._images, scale),
        }

    @cache  # noqa: B019 - it lives as long as the command
    def _concepts(self) -> ArrayConcepts:
        return planted.keep_probe_set(self._images)

    @cache  # noqa: B019
    def _layers(self) -> dict[str, LayerMaps]:
        trained = network.load_trained_network()
        return {name: compute_maps(trained, name, self._images, self._scale.images) for name in LAYERS}


def main(words: list[str]) -> None:
    """Measure parts, print them, and write those that have all seeds to the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks validate --")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parts to measure")
    parser.add_argument("--seeds", type=int, default=Scale.seeds, help="with fewer than ten, the page stays as it is")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(words)
    validation = Validation(Scale(seeds=options.seeds))
    unknown = set(options.only or ()) - validation.parts.keys()
    if unknown:
        raise SystemExit(f"parts are {', '.join(validation.parts)}, not {', '.join(sorted(unknown))}")
    machine.print_title("Validation")
    broken = []
    for name in options.only or validation.parts:
        begun, cpu = time.perf_counter(), time.process_time()
        part = validation.parts[name]()
        text = f"{part.text}\n\n{format_bounds(part)}"
        print(
            f"### {name}: {time.perf_counter() - begun:.0f} s ({time.process_time() - cpu:.0f} s of CPU)\n\n{text}\n",
            flush=True,
        )
        if options.seeds == Scale.seeds:
            marked_page.replace_part(options.page, name, text)
        broken += [f"{name}: {bound.claim}" for bound in part.bounds if not bound.holds]
    if broken:
        raise SystemExit(f"broken: {'; '.join(broken)}")


def format_bounds(part: Part) -> str:
    """Return the table of a part's bounds."""
    return marked_page.format_table(
        ["bound", "measured", "must be", "holds"], [bound.format_row() for bound in part.bounds]
    )
