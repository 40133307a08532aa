"""What a part of the validation measures, the bounds that must hold, and means over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from netdissect.demo.world import DEMO_IMAGES

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Scale:
    """How much is measured; the defaults are what docs/validation.md shows.

    Attributes:
        images: first images of the demo's probe set.
        seeds: number of seeds.
        noise: standard deviations σ of the noise of planted units.
        objects: planted objects and parts; half as many mixtures, and two nulls for each.
        scenes: planted scenes.
        shifts: shifts of which each plays the data in turn.
        samples: numbers of images that are drawn from the probe set.
        draws: samples of each number, for every seed.
        copied: images that are in the probe set four times.
    """

    images: int = DEMO_IMAGES
    seeds: int = 10
    noise: tuple[float, ...] = (0, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5)
    objects: int = 30
    scenes: int = 10
    shifts: int = 40
    samples: tuple[int, ...] = (500, 1500)
    draws: int = 4
    copied: int = 627


@dataclass(frozen=True)
class Bound:
    """A claim that must hold.

    Attributes:
        claim: what is bounded, in words.
        value: what was measured.
        least: its lower bound, if any.
        most: its upper bound, if any.
    """

    claim: str
    value: float
    least: float = -math.inf
    most: float = math.inf

    @property
    def holds(self) -> bool:
        """Whether the value is within the bounds; NaN is not."""
        return self.least <= self.value <= self.most

    def format_row(self) -> list[str]:
        """Return a row of the table of bounds: claim, value, bound, whether it holds."""
        ends = [f"≥ {self.least:.3g}"] * math.isfinite(self.least) + [f"≤ {self.most:.3g}"] * math.isfinite(self.most)
        return [self.claim, f"{self.value:.3g}", ", ".join(ends), "yes" if self.holds else "**no**"]


@dataclass(frozen=True)
class Part:
    """One part of the validation.

    Attributes:
        text: what was measured, and its table, as Markdown.
        bounds: what must hold.
    """

    text: str
    bounds: list[Bound] = field(default_factory=list)


def compute_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of one value for each seed; 0 for a single seed."""
    found = np.asarray(values, np.float64)
    return float(found.std(ddof=1) / math.sqrt(found.size)) if found.size > 1 else 0.0


def average(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def format_mean(values: Sequence[float], digits: int = 2) -> str:
    """Return the mean over seeds, with half of its 95 % interval."""
    found = np.asarray(values, np.float64)
    found = found[~np.isnan(found)]
    if not found.size:
        return "none"
    if found.size == 1:
        return f"{found[0]:.{digits}f}"
    half = student.ppf(0.975, found.size - 1) * compute_error(found.tolist())
    return f"{found.mean():.{digits}f} ± {half:.{digits}f}"
