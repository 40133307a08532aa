import math
from random import Random

import numpy as np
import pytest

from netdissect.demo.world import shading
from netdissect.demo.world.canvas import Canvas
from netdissect.demo.world.light import Light
from netdissect.demo.world.world_concepts import NOTHING, Region

PLAIN = Light("noon", 1, (1, 1, 1), ((200, 220, 255), (230, 240, 255)), (255, 255, 255), (0, 0, 0), 0.5, dark=False)
HOUSE, ROOF = Region("house", "wall", "plastic"), Region("house", "roof", "plastic")


def shown(canvas, times=3):
    return shading.shade_image(canvas, canvas.rasterize(), times=times, drift=(0, 0))


def test_a_flat_shape_has_its_color_in_the_image_and_its_number_on_the_canvas():
    canvas = Canvas(60, PLAIN)
    pen = canvas.pen(0, 0, 1)
    pen.box(0, 0, 1, -1, (10, 20, 30), NOTHING, shade=0)
    pen.box(0.25, -0.25, 0.75, -0.75, (200, 100, 50), HOUSE, shade=0)
    ids, image = canvas.rasterize(), shown(canvas)
    assert (image[ids[1::3, 1::3] == 1] == (200, 100, 50)).all()
    assert (image[ids[1::3, 1::3] == 0] == (10, 20, 30)).all()
    assert (ids == 1).sum() == 30 * 30


def test_what_is_hidden_in_the_image_is_hidden_in_the_labels():
    canvas = Canvas(60, PLAIN)
    pen = canvas.pen(0, 0, 1)
    pen.box(0, 0, 1, -1, (0, 0, 0), NOTHING, shade=0)
    pen.disc(0.5, -0.5, 0.3, (250, 0, 0), HOUSE, shade=0)
    pen.box(0, 0, 0.5, -1, (0, 250, 0), ROOF, shade=0)
    seen = [canvas.shapes[number].region for number in canvas.rasterize()[:, :30].ravel()]
    assert set(seen) == {ROOF}
    assert not shown(canvas)[:, :10, 0].any()


def test_an_odd_pen_mirrors_turns_and_scales():
    canvas = Canvas(100, PLAIN)
    pen = canvas.pen(0.5, 0.5, 0.1, flip=True).at(2, 0, 2.0, turn=math.pi / 2)
    # 2 to the left of the middle, twice as large, turned a quarter: growing u goes up.
    pen.box(0, -0.1, 1, 0.1, (1, 2, 3), HOUSE)
    left, top, right, bottom = (value / 16 for value in canvas.shapes[-1].box)
    assert (left, right) == pytest.approx((28, 32))
    assert (top, bottom) == pytest.approx((30, 50))


def test_shapes_beyond_the_edge_are_left_out_and_those_across_it_are_cut():
    canvas = Canvas(30, PLAIN)
    pen = canvas.pen(0, 0, 1)
    pen.box(0, 0, 1, -1, (0, 0, 0), NOTHING)
    pen.box(-3, 0, -2, -1, (1, 1, 1), HOUSE)
    pen.box(-0.5, 0.5, 0.5, -0.5, (1, 1, 1), HOUSE)
    assert len(canvas.shapes) == 2
    ids = canvas.rasterize()
    assert ids[:15, :15].all()
    assert ids.sum() == 15 * 15


def test_the_lit_side_is_lighter_whichever_side_the_light_comes_from():
    for side in (-1, 1):
        light = Light("noon", side, (1, 1, 1), PLAIN.sky, PLAIN.cloud, PLAIN.shadow, 0.5, dark=False)
        canvas = Canvas(60, light)
        canvas.pen(0, 0, 1).box(0, 0, 1, -1, (120, 120, 120), HOUSE, shade=0.5)
        image = shown(canvas).astype(int)
        towards, away = (image[:, -1], image[:, 0]) if side > 0 else (image[:, 0], image[:, -1])
        assert (towards[:, 0] > away[:, 0]).all()
        assert image[0].mean() > image[-1].mean()


def test_a_shadow_darkens_what_lies_under_it_and_not_what_stands_on_it():
    canvas = Canvas(60, PLAIN)
    ground, pen = canvas.pen(0, 0, 1), canvas.pen(0.5, 0.5, 1)
    ground.box(0, 0, 1, -1, (200, 200, 200), NOTHING, shade=0)
    pen.shadow(0, 0, 0.4, 0.3)
    pen.box(-0.1, -0.1, 0.1, 0.1, (200, 200, 200), HOUSE, shade=0)
    image = shown(canvas)
    assert (image[9:11, 9:11] == 200).all()
    assert (image[9:11, 5] == 100).all()
    assert (image[0] == 200).all()


def test_lights_are_not_tinted_and_far_things_fade_into_the_haze():
    night = Light("night", 1, (0.5, 0.5, 0.5), ((0, 0, 0), (100, 100, 100)), (0, 0, 0), (0, 0, 0), 0.5, dark=True)
    canvas = Canvas(60, night)
    canvas.pen(0, 0, 1).box(0, 0, 1, -0.3, (200, 200, 200), HOUSE, shade=0)
    canvas.pen(0, 0, 1).box(0, -0.3, 1, -0.6, (200, 200, 200), HOUSE, shade=0, glows=True)
    canvas.pen(0, 0, 1, haze=1.0).box(0, -0.6, 1, -1, (200, 200, 200), HOUSE, shade=0)
    image = shown(canvas)
    assert [int(image[row, 10, 0]) for row in (2, 9, 16)] == [100, 200, 100]


def test_paths_may_be_written_down():
    canvas = Canvas(30, PLAIN)
    pen = canvas.pen(0.5, 0.5, 0.1)
    pen.poly("-1,0 1,0 0,.5", (0, 0, 0), HOUSE)
    pen.poly(((-1, 0), (1, 0), (0, 0.5)), (0, 0, 0), HOUSE)
    assert canvas.shapes[0].box == canvas.shapes[1].box


def test_a_canvas_of_many_random_shapes_shows_only_numbers_of_its_own():
    rng, canvas = Random(3), Canvas(90, PLAIN)
    canvas.pen(0, 0, 1).box(0, 0, 1, -1, (0, 0, 0), NOTHING)
    for _ in range(40):
        pen = canvas.pen(rng.random(), rng.random(), rng.uniform(0.01, 0.5), flip=rng.random() < 0.5)
        pen.soft([(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(5)], (9, 9, 9), HOUSE)
        pen.line([(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(3)], 0.1, (9, 9, 9), HOUSE)
        pen.pill(-0.5, -0.2, 0.5, 0.2, 0.1, (9, 9, 9), HOUSE)
    ids = canvas.rasterize()
    assert ids.dtype == np.int32
    assert ids.min() >= 0
    assert ids.max() < len(canvas.shapes)
