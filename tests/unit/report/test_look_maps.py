"""Masks, sums of masks, segmentations and strengths against a loop over pixels; the numbers of label maps; the folder."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from tests import made_up_looks

from netdissect.errors import RunError
from netdissect.geometry.upsample import make_image_axes, upsample
from netdissect.layers import FieldMap
from netdissect.report.look_files import write_look
from netdissect.report.look_maps import combine_masks
from netdissect.report.look_numbers import LookNumbers
from netdissect.report.look_tables import encode_numbers


def combine_by_pixel(maps, thresholds, spans, members):
    """Return what `LookMaps` holds, one pixel after the other, for upsampled maps (n, H, W)."""
    shape = maps.shape[1:]
    strongest, concept = np.full(shape, -1), np.full(shape, -1)
    counts = np.zeros((max(members, default=-1) + 1, *shape), int)
    for y in range(shape[0]):
        for x in range(shape[1]):
            height = {
                unit: (float(maps[unit, y, x]) - thresholds[unit]) / spans[unit]
                for unit in range(len(maps))
                if maps[unit, y, x] > thresholds[unit]
            }
            if not height:
                continue
            strongest[y, x] = max(height, key=lambda unit: (height[unit], -unit))
            for unit in height:
                counts[members[unit], y, x] += 1
            best = {
                member: max(value for unit, value in height.items() if members[unit] == member)
                for member in {members[unit] for unit in height}
            }
            concept[y, x] = max(best, key=lambda member: (counts[member, y, x], best[member], -member))
    return strongest, concept, counts


@pytest.mark.parametrize("seed", range(8))
def test_maps_equal_a_loop_over_pixels(seed):
    random = np.random.default_rng(seed)
    units, size = int(random.integers(0, 9)), (int(random.integers(3, 20)), int(random.integers(3, 20)))
    grids = random.normal(size=(units, 4, 5)).astype(np.float32).round(1)  # with ties
    thresholds = random.normal(size=units).astype(np.float32).round(1) * 0.3
    spans, members = random.choice([1.0, 2.0], units), random.integers(0, 3, units)
    members = np.unique(members, return_inverse=True)[1]
    axes = make_image_axes(FieldMap((0, 0), (4, 4), (4, 4)), (4, 5), (16, 20), size)
    maps = np.array([upsample(grid, *axes) for grid in grids]).reshape(units, *size)
    found = combine_masks(grids, thresholds, spans, members, axes)
    strongest, concept, counts = combine_by_pixel(maps, thresholds, spans, members.tolist())
    assert np.array_equal(found.masks, maps > thresholds[:, None, None])
    assert np.array_equal(found.counts, counts)
    assert np.array_equal(found.strongest, strongest)
    assert np.array_equal(found.concept, concept)
    areas = found.measure()
    assert areas.units.tolist() == pytest.approx([mask.mean() for mask in found.masks])
    assert areas.concepts.tolist() == pytest.approx([(count > 0).mean() for count in counts])
    for unit in range(units):
        assert maps[unit][tuple(areas.peaks[unit])] == maps[unit].max()


def test_strengths_are_0_at_the_threshold_and_1_at_the_largest_activation_of_the_probe_set():
    _, images = made_up_looks.make_look(images=1)
    for layer in images[0].layers.values():
        largest = layer.result.activity.maximum[layer.channels]
        for at, unit in enumerate(layer.units):
            expected = (layer.grids[at].max() - layer.thresholds[at]) / (largest[at] - layer.thresholds[at])
            assert unit.strength == pytest.approx(expected, rel=1e-6)
            assert unit.activation == pytest.approx(layer.grids[at].max(), rel=1e-6)
            assert unit.threshold == layer.result.thresholds[unit.unit - 1]
        strengths = [unit.strength for unit in layer.units]
        assert strengths == sorted(strengths, reverse=True)
        assert sum(len(concept.units) for concept in layer.concepts) == len(layer.units)


@pytest.mark.parametrize(("most", "mode"), [(0, "P"), (255, "P"), (256, "I;16"), (65535, "I;16")])
def test_a_label_map_has_a_palette_up_to_255_and_16_bits_beyond(most, mode):
    numbers = np.arange(12).reshape(3, 4) * 0
    numbers[1, 2] = most
    image = Image.open(io.BytesIO(encode_numbers(numbers)))
    assert image.mode == mode
    assert np.array_equal(np.asarray(image), numbers)
    if mode == "P" and most:
        assert len({tuple(image.getpalette()[3 * n : 3 * n + 3]) for n in range(64)}) == 64
    with pytest.raises(RunError, match="use a higher --threshold"):
        encode_numbers(numbers + 65536)


def test_numbers_are_the_same_in_every_image_and_name_units_and_concepts():
    run, images = made_up_looks.make_look(images=2)
    for name, layer in run.layers.items():
        numbers = LookNumbers(layer, 0.04)
        assert numbers.find_concepts(numbers.columns).tolist() == list(range(1, numbers.columns.size + 1))
        assert numbers.find_units(numbers.channels).tolist() == (numbers.channels + 1).tolist()
        for image in images:
            assert set(image[name].columns) <= set(numbers.columns)


def test_json_has_no_nan_and_lists_the_images_in_order(tmp_path):
    run, images = made_up_looks.make_look(images=3)
    write_look(run, images, tmp_path / "look", 0.04, "a note")
    record = json.loads((tmp_path / "look" / "look.json").read_text(), parse_constant=pytest.fail)
    assert [image["name"] for image in record["images"]] == [image.name for image in images]
    assert record["note"] == "a note"
    assert record["map_size"] == list(run.network.input_size)
    assert record["images"][2]["layers"]["block1/conv"]["units"] == []


def test_without_masks_a_layer_has_two_maps(tmp_path):
    run, images = made_up_looks.make_look(images=1)
    write_look(run, images, tmp_path / "look", 0.04, masks=False)
    names = sorted(path.name for path in (tmp_path / "look" / "maps").rglob("*.png"))
    assert names == [f"block{n}-conv-{kind}.png" for n in (1, 2) for kind in ("concepts", "units")]


def test_a_link_in_the_folder_is_not_followed(tmp_path):
    run, images = made_up_looks.make_look(images=1, names=["photo.jpg"])
    (tmp_path / "elsewhere").mkdir()
    write_look(run, images, tmp_path / "look", 0.04)
    maps = tmp_path / "look" / "maps" / "0001-photo"
    for path in sorted(maps.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    maps.rmdir()
    maps.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="links inside this folder are not followed"):
        write_look(run, images, tmp_path / "look", 0.04)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_list_of_files_that_leaves_the_folder_removes_nothing_outside(tmp_path):
    run, images = made_up_looks.make_look(images=1)
    (tmp_path / "mine.txt").write_text("mine")
    write_look(run, images, tmp_path / "look", 0.04)
    listed = tmp_path / "look" / "look.txt"
    listed.write_text(listed.read_text() + "../mine.txt\n" + str(tmp_path / "mine.txt") + "\n")
    write_look(run, images, tmp_path / "look", 0.04)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert "mine.txt" not in listed.read_text()
