"""The validation of the trust tables on planted units, small, and what it does when a bound is broken."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import validate
from benchmarks.validate import (
    bounds,
    copied_images,
    lent_labels,
    recovery,
    resampled_images,
    within_scenes,
    write_page,
)
from benchmarks.validate.bounds import Bound, Part, Scale
from benchmarks.validate.demo_maps import LayerMaps
from tests import planted

from netdissect.demo.world import write_probe_set
from netdissect.layers import FieldMap
from netdissect.probe_sets.broden.reader import Broden

SMALL = Scale(
    images=456, seeds=2, noise=(0.1, 1.5), objects=12, scenes=4, shifts=24, samples=(300,), draws=2, copied=100
)  # fmt: skip


@pytest.fixture(scope="module")
def concepts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    write_probe_set(folder, images=SMALL.images, workers=1)
    return planted.keep_probe_set(Broden(folder))


@pytest.fixture(scope="module")
def layers(concepts):
    """Units that show objects clearly, units that show them badly, and noise."""
    rng = np.random.default_rng(0)
    objects, _ = recovery.choose_concepts(concepts, SMALL, rng)
    maps = planted.draw_concept_maps(concepts, objects)
    noise = [planted.draw_noise(rng, len(concepts), 1) for _ in range(36)]
    units = [*(maps[..., n % 12] + (0.1, 0.7)[n // 12] * noise[n] for n in range(24)), *noise[24:]]
    return {"planted": LayerMaps(np.stack(units, axis=-1), FieldMap((0, 0), (8, 8), (8, 8)))}


def find_broken(part):
    return [f"{bound.claim}: {bound.value}" for bound in part.bounds if not bound.holds]


@pytest.mark.slow
def test_planted_units_are_found_and_nulls_are_not(concepts):
    part = recovery.measure(concepts, SMALL)
    assert find_broken(part) == []
    assert [bound.claim for bound in part.bounds][:3] == [
        f"planted units {what}, σ = 0.1" for what in ("named right", "named right or not told apart", "with q < .05")
    ]
    loud = next(line for line in part.text.splitlines() if line.startswith("| 1.5 |")).split("|")
    assert float(loud[5].split("±")[0]) < 0.5  # IoU ≥ .04 finds few under noise
    assert part.text.count("\n| ") == 3


@pytest.mark.slow
def test_p_of_lent_labels_is_uniform_and_false_discoveries_keep_their_level(concepts, layers):
    found = lent_labels.measure(concepts, layers, SMALL).bounds
    assert len(found) == 2 * len(lent_labels.SHARES)
    for share, false, uniform in zip(lent_labels.SHARES, found[::2], found[1::2], strict=True):
        assert false.value < 0.05 * share + 0.05  # the standard error of so few runs is .015 to .03
        assert uniform.holds


@pytest.mark.slow
def test_intervals_of_samples_hold_the_populations_iou(concepts, layers):
    maps, field = layers["planted"]
    named = {"planted": LayerMaps(maps[..., :24], field)}  # noise has no label to keep
    coverage, keep, _ = resampled_images.measure(concepts, named, replace(SMALL, draws=4)).bounds
    assert 0.88 < coverage.value < 0.99
    assert abs(keep.value) < 0.15  # 300 images are few


@pytest.mark.slow
def test_copies_are_significant_by_image_and_not_by_group(concepts, layers):
    image, group, own = copied_images.measure(concepts, layers, replace(SMALL, seeds=5)).bounds
    assert image.holds
    assert max(group.value, own.value) < 0.1  # its standard error is .017 for so few units


@pytest.mark.slow
def test_units_that_know_a_scene_fail_within_scenes(concepts):
    part = within_scenes.measure(concepts, SMALL)
    true, within, blind, blind_within = (bound.value for bound in part.bounds[:4])
    assert (true, blind) == (1, 1)
    assert within > 0.7
    assert math.isnan(blind_within) or blind_within < 0.2  # where no unit's label has places, there is none


def test_a_bound_that_is_broken_or_nan_does_not_hold():
    assert [Bound("x", value, 0, 1).holds for value in (0, 1, 1.01, math.nan)] == [True, True, False, False]
    assert Bound("x", 2, most=1).format_row() == ["x", "2", "≤ 1", "**no**"]


def test_means_come_with_half_of_a_95_percent_interval():
    assert bounds.format_mean([0.1, 0.3]) == "0.20 ± 1.27"  # Student's quantile for one degree of freedom is 12.7
    assert bounds.format_mean([0.1, math.nan]) == "0.10"
    assert bounds.format_mean([]) == "none"


def test_a_broken_bound_ends_the_command_after_all_parts_are_written(monkeypatch, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(write_page.PAGE.read_text())
    part = Part("measured here", [Bound("kept", 1, most=2), Bound("exceeded", 3, most=2)])
    monkeypatch.setattr(write_page.probe_sets, "make_demo", lambda _: None)

    class Two(write_page.Validation):
        def __init__(self, scale):
            super().__init__(scale)
            self.parts = {"recovery": lambda: part, "copies": lambda: Part("more")}

    monkeypatch.setattr(write_page, "Validation", Two)
    with pytest.raises(SystemExit, match="broken: recovery: exceeded$"):
        validate.main(["--page", str(page)])
    written = page.read_text()
    assert "<!-- recovery: begin -->\n\nmeasured here\n\n| bound | measured |" in written
    assert "| exceeded | 3 | ≤ 2 | **no** |" in written
    assert "<!-- copies: begin -->\n\nmore\n" in written
    with pytest.raises(SystemExit, match="parts are recovery, copies, not chance"):
        validate.main(["--only", "chance"])
    validate.main(["--only", "copies", "--seeds", "2", "--page", str(tmp_path / "none")])  # writes nothing
    assert "more" in capsys.readouterr().out
