"""The settings of chance are checked before the first image is read, and a run chooses and records where labels are exchanged."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes
from tests.small_runs import dissect_small, interrupt_run, read_tables

from netdissect.concepts import Labels
from netdissect.config import Settings
from netdissect.errors import FolderTakenError, SettingsError
from netdissect.probe_sets.broden.reader import Broden
from netdissect.run.chance_settings import settle_chance


@pytest.fixture(scope="module")
def concepts(data):
    return Broden(data)


@pytest.mark.parametrize(
    ("options", "within"),
    [
        ({}, "scene"),
        ({"within": "texture"}, "texture"),
        ({"within": "none"}, "none"),
        ({"memory": 4 * 40 * 16 * 16}, "scene"),  # the maps take just a quarter
        ({"memory": 4 * 40 * 16 * 16 - 1}, "none"),
        ({"memory": 0, "within": "scene"}, "scene"),
        ({"null": 0, "within": "scene"}, "none"),
    ],
)
def test_labels_are_exchanged_within_scenes_where_their_maps_fit_or_where_it_is_asked(concepts, options, within):
    assert settle_chance(Settings(**options), concepts).within == within


def test_a_probe_set_without_scenes_exchanges_labels_within_none():
    concepts = fakes.ArrayConcepts(
        fakes.make_vocabulary(4, categories=3),
        [Labels(np.zeros((1, 4, 4), np.uint16), np.zeros(0, np.int64))] * 40,
        (4, 4),
    )
    assert settle_chance(Settings(), concepts).within == "none"


def refuse_all_images(*_):
    raise AssertionError("an image was read")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"null": 21}, "--null 21 takes at least 42 images, and there are 40: use --null 20 or less"),
        ({"within": "sky"}, "--within 'sky' is not a category of small: name one of .*scene.*, or none"),
        ({"group_by": "("}, r"--group-by '\(' is neither a column of small .* nor a regular expression"),
        ({"null": 9}, "--null must be 0 or at least 10, not 9"),
        ({"resamples": 19}, "--resamples must be 0 or at least 20, not 19"),
        ({"null_exact": True}, "--null-exact takes --null 99 or more, not 20"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_an_image_is_read(data, monkeypatch, options, sentence):
    monkeypatch.setattr("netdissect.engine.forward.run_batches", refuse_all_images)
    monkeypatch.setattr("netdissect.engine.calibration_scan.run_batches", refuse_all_images)
    with pytest.raises(SettingsError, match=sentence):
        dissect_small(data, None, **options)


def test_a_run_without_shifts_and_resamples_has_no_trust_tables_and_says_nothing(data, tmp_path):
    result = dissect_small(data, tmp_path, null=0, resamples=0)
    assert all(layer.trust is None for layer in result.layers.values())
    assert not [note for note in result.journal["notes"] if "chance" in note]
    assert not list(tmp_path.glob("*-trust.*"))


def test_an_interrupted_run_is_continued_only_with_the_same_shifts_resamples_and_groups(data, tmp_path):
    interrupt_run(data, tmp_path, after=2)
    for options in ({"null": 10}, {"resamples": 50}, {"within": "none"}, {"group_by": r"image (\d)"}):
        with pytest.raises(FolderTakenError, match="holds finished shards of an interrupted run"):
            dissect_small(data, tmp_path, **options)
    assert dissect_small(data, tmp_path).journal["resumed_shards"] == 1


def test_a_finished_run_with_other_shifts_is_another_run(data, tmp_path):
    dissect_small(data, tmp_path, null=10)
    with pytest.raises(FolderTakenError, match="holds another run, with --null 10"):
        dissect_small(data, tmp_path)


def test_the_choice_of_scenes_is_kept_where_memory_would_choose_otherwise(data, tmp_path):
    first = dissect_small(data, tmp_path)
    assert first.settings.within == "scene"
    again = dissect_small(data, tmp_path, memory=0)
    assert again.journal["finished"] == first.journal["finished"]


def test_memory_for_tables_changes_no_table(data, expected, tmp_path):
    dissect_small(data, tmp_path, memory=0, within="scene")  # one unit at a time
    assert read_tables(tmp_path) == expected
