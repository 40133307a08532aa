"""Runs over images that belong together: the same tables for any workers, shards and interruptions, and a note."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from tests import small_probe_set
from tests.small_runs import dissect_small, interrupt_run

OPTIONS = {"null": 10, "resamples": 20}


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A probe set of 12 images that are there four times each, as copies of their files and labels."""
    folder = small_probe_set.write_probe_set(tmp_path_factory.mktemp("copies") / "set", images=48)
    lines = (folder / "index.csv").read_text().splitlines()
    for number in range(12, 48):
        for path in (folder / "images" / "a").glob(f"image {number % 12}[._]*"):
            shutil.copyfile(path, path.with_name(path.name.replace(f"image {number % 12}", f"image {number}")))
        lines[1 + number] = lines[1 + number % 12].replace(f"image {number % 12}", f"image {number}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(copies, tmp_path_factory):
    return dissect_small(copies, tmp_path_factory.mktemp("run"), **OPTIONS)


def require_equal(found, expected):
    for name in ("conv1", "conv2"):
        for part in ("chance", "spread"):
            got, wanted = getattr(found[name].trust, part), getattr(expected[name].trust, part)
            for field in wanted.__slots__:
                np.testing.assert_array_equal(getattr(got, field), getattr(wanted, field))


def test_a_note_says_how_many_images_count_as_how_many(run):
    assert "48 images count as 12, because they belong together (identical files)" in run.journal["notes"]
    assert run["conv1"].trust.spread.folds == 12
    assert run["conv1"].trust.chance.left_out == 0


def test_copies_do_not_make_intervals_narrower(copies, run, tmp_path):
    alone = dissect_small(copies, tmp_path, group_by=r"(.*)\.jpg", **OPTIONS)  # every image by itself
    assert not any("belong together" in note for note in alone.journal["notes"])
    found = run["conv2"].trust.spread.error, alone["conv2"].trust.spread.error
    measured = np.isfinite(found[0]) & np.isfinite(found[1])
    assert measured.any()
    assert np.median(found[0][measured]) > 1.4 * np.median(found[1][measured])


@pytest.mark.parametrize("options", [{"shard_size": 20}, {"workers": 2}])
def test_shards_and_workers_find_the_same_groups(copies, run, tmp_path, options):
    require_equal(dissect_small(copies, tmp_path, **OPTIONS, **options), run)


def test_a_run_that_is_continued_finds_the_same_groups(copies, run, tmp_path):
    interrupt_run(copies, tmp_path, 3, **OPTIONS)
    found = dissect_small(copies, tmp_path, **OPTIONS)
    assert found.journal["resumed_shards"] > 0
    require_equal(found, run)


def test_a_column_of_the_same_groups_gives_the_same_tables(copies, run, tmp_path):
    folder = shutil.copytree(copies, tmp_path / "set")
    lines = (folder / "index.csv").read_text().splitlines()
    named = [lines[0] + ",group", *(f"{line},clip {number % 12}" for number, line in enumerate(lines[1:]))]
    (folder / "index.csv").write_text("\n".join(named) + "\n")
    found = dissect_small(folder, tmp_path / "run", **OPTIONS)
    assert "48 images count as 12, because they belong together (the column group)" in found.journal["notes"]
    require_equal(found, run)


def test_images_that_all_belong_together_have_no_chance_and_no_intervals(copies, tmp_path):
    found = dissect_small(copies, tmp_path, group_by="(image)", **OPTIONS)
    assert "48 images count as 1, because they belong together (--group-by (image))" in found.journal["notes"]
    assert "no image can lend its labels to another, so chance is not measured" in found.journal["notes"]
    trust = found["conv1"].trust
    assert trust is None or (trust.chance is None and trust.spread is None)
