"""What the page has for the atlas and the probe set, against the layers' own tables."""

from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs

from netdissect.report.html import atlas_data, page_data, probe_data, script_data
from netdissect.results import unit_likeness
from netdissect.results.scores import ScoreTable
from netdissect.results.unseen import ConceptSight


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((24, 40), 30, trusted=True, grouped=True)[0]


def unpack(packed):
    return script_data.unpack_script(script_data.format_script(packed))[2]


def test_places_are_those_of_the_layout_and_take_eight_kilobytes_for_2048_units(run):
    layers = list(run.layers.values())
    arrays = unpack(atlas_data.pack_atlas(layers, run.network.input_size))
    near = unit_likeness.measure_likeness(layers)
    places = np.stack([arrays["x"], arrays["y"]], axis=1)
    np.testing.assert_allclose(places / 65535, unit_likeness.place_units(layers, near), atol=1e-5)
    assert places.nbytes == 64 * 4
    np.testing.assert_array_equal(arrays["near"], near.points[:, :6])
    np.testing.assert_array_equal(arrays["before"], unit_likeness.match_neighboring_layers(layers, near))


def test_the_peak_is_the_middle_of_the_most_active_cell(run):
    layer = next(iter(run.layers.values()))
    peaks = atlas_data.find_peaks(layer, run.network.input_size)
    field, grids = layer.layer.field, layer.exemplars.grids[:, 0].astype(float)
    for unit in (0, 11, 23):
        row, column = np.unravel_index(grids[unit].argmax(), grids[unit].shape)
        for side, cell in enumerate((row, column)):
            middle = field.offset[side] + field.size[side] / 2 + cell * field.step[side]
            assert peaks[unit, side] == round(min(1, middle / 112) * 255)


def test_one_unit_has_an_atlas():
    run = made_up_runs.make_run((1,), 4)[0]
    arrays = unpack(atlas_data.pack_atlas(list(run.layers.values()), run.network.input_size))
    assert arrays["near"].tolist() == [[-1] * 6]
    assert arrays["before"].tolist() == [-1]


def test_what_any_unit_reaches_with_a_concept_is_what_the_search_for_unseen_concepts_says(run):
    layers = list(run.layers.values())
    arrays = probe_data.collect_concept_arrays(layers)
    for column in range(30):
        sight = ConceptSight(layers, column, 0.04)
        best = sight.best
        assert arrays["bestScore"][column] == best.score
        assert (arrays["bestLayer"][column], arrays["bestUnit"][column]) == (layers.index(best.layer), best.channel)
        assert arrays["attainable"][column] == sight.attainable
        assert arrays["isSmall"][column] == sight.is_small
        others = [
            layer.scores[unit, column]
            for layer in layers
            for unit in range(layer.layer.units)
            if layer.labels[unit] != column and layer.scores[unit, column] > (layer.unit_trust[unit].cut or 0)
        ]
        assert arrays["otherScore"][column] == max(others, default=0)


def test_sizes_of_masks_and_images_are_those_of_each_category(run):
    layers = [replace(layer, category_pixels=np.arange(1, 7, dtype=np.int64) * 1000) for layer in run.layers.values()]
    arrays = probe_data.collect_category_arrays(layers)
    vocabulary = layers[0].vocabulary
    for place, category in enumerate(page_data.sort_categories(vocabulary.categories)):
        assert arrays["categoryPixels"][place] == 1000 * (vocabulary.categories.index(category) + 1)
        column = vocabulary.find_columns(category)[0]
        areas = np.concatenate([layer.counts.A[:, column] for layer in layers])
        np.testing.assert_allclose(arrays["maskPixels"][place], [areas.min(), np.median(areas), areas.max()])
    assert "categoryPixels" not in probe_data.collect_category_arrays(list(run.layers.values()))


def test_another_score_has_no_attainable_iou(run):
    layers = [replace(layer, score_table=ScoreTable("F1", layer.iou * 1.5)) for layer in run.layers.values()]
    arrays = probe_data.collect_concept_arrays(layers)
    assert np.isnan(arrays["attainable"]).all()
    assert arrays["bestScore"].max() == max(layer.scores.max() for layer in layers)
