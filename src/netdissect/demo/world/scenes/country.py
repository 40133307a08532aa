"""Draw scenes of the country: farms, fields, villages, castles, gardens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.objects import (
    buildings,
    creatures,
    landmarks,
    leisure,
    outdoors,
    plants,
    roadside,
    sky,
    vehicles,
)
from netdissect.demo.world.palette import (
    BLOSSOM,
    GREENS,
    SNOW,
    SUMMER,
    darken_color,
    lighten_color,
    mix_colors,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.scenes.land import lay_ground, lay_meadow, lay_path, lay_water, place_pen, spread_places
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from netdissect.demo.world.canvas import Canvas, Color, Pen

_HILLS = (parse_palette("8fb08a 7aa56a"), parse_palette("9fb8b0 85ab7f"), parse_palette("b5b890 9aa870"))


def _paint_country(canvas: Canvas, rng: Random, horizon: float) -> None:
    sky.draw_sky(canvas, rng, horizon=horizon, clouds=3)
    sky.draw_hills(canvas, rng, rng.choice(_HILLS), base=horizon + 0.02, height=rng.uniform(0.12, 0.2))


def draw_farm_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a red barn, cows and sheep, bales and a tractor behind a fence."""
    _paint_country(canvas, rng, 0.46)
    lay_meadow(canvas, rng, 0.46)
    x = rng.choice((0.26, 0.72))
    plants.draw_tree(place_pen(canvas, rng, x + rng.choice((-0.2, 0.2)), 0.56, 0.26), rng)
    buildings.draw_barn(place_pen(canvas, rng, x, 0.6, 0.32), rng)
    other = 1 - x
    if rng.random() < 0.6:
        vehicles.draw_tractor(place_pen(canvas, rng, other, 0.66, 0.16), rng)
    else:
        for dx in (-0.08, 0.08):
            outdoors.draw_hay_bale(place_pen(canvas, rng, other + dx, 0.65, 0.1), rng)
    for place in spread_places(rng, rng.randint(2, 3), 0.1, 0.9):
        kind = creatures.draw_cow if rng.random() < 0.6 else creatures.draw_sheep
        kind(place_pen(canvas, rng, place, rng.uniform(0.76, 0.88), 0.15), rng)
    if rng.random() < 0.7:
        outdoors.draw_fence(canvas.pen(-0.02, 0.985, 0.085), rng, length=12.4, white=rng.random() < 0.5)


def draw_pasture_scene(canvas: Canvas, rng: Random) -> None:
    """Draw sheep and cows on green hills, no house in sight."""
    _paint_country(canvas, rng, 0.42)
    lay_meadow(canvas, rng, 0.42, color=rng.choice(GREENS), tufts=30)
    for x in spread_places(rng, 3, 0, 1):
        plants.draw_tree(place_pen(canvas, rng, x, rng.uniform(0.46, 0.52), rng.uniform(0.16, 0.26)), rng)
    flock = creatures.draw_sheep if rng.random() < 0.6 else creatures.draw_cow
    for x in spread_places(rng, rng.randint(4, 5)):
        y = rng.uniform(0.6, 0.95)
        (flock if rng.random() < 0.8 else creatures.draw_sheep)(
            place_pen(canvas, rng, x, y, 0.08 + 0.16 * (y - 0.42)), rng
        )
    if rng.random() < 0.5:
        outdoors.draw_fence(canvas.pen(-0.02, 0.57, 0.06), rng, length=17.5, white=False)


def _lay_crop_rows(
    canvas: Canvas,
    rng: Random,
    top: float,
    color: Color,
    region: Region,
    soil: Color,
    *,
    dabs: int,
    dab: Callable[[Pen, Random], None] | None = None,
) -> None:
    """Lay rows of a crop that run towards a point on the horizon."""
    pen, vanish = canvas.pen(0, 0, 1), rng.uniform(0.3, 0.7)
    lay_ground(canvas, top, soil, "soil")
    count = 9
    for i in range(-count, count + 1):
        u = 0.5 + 0.26 * (i + 0.5)
        near = vanish + 0.012 * i
        pen.poly(
            ((near - 0.004, -top), (near + 0.004, -top), (u + 0.08, -1.02), (u - 0.08, -1.02)),
            mix_colors(color, canvas.light.haze, 0.25),
            region,
            to=color,
        )
        for k in range(dabs):
            t = ((k + rng.random()) / dabs) ** 1.4
            x, y = near + (u - near) * t, top + (1.02 - top) * t
            if dab and -0.05 < x < 1.05 and t > 0.02:
                dab(canvas.pen(x, y, 0.03 + 0.1 * t), rng)


def draw_lavender_field_scene(canvas: Canvas, rng: Random) -> None:
    """Draw rows of lavender towards a farmhouse and cypresses."""
    _paint_country(canvas, rng, 0.44)
    x = rng.uniform(0.2, 0.8)
    purple = rng.choice(parse_palette("8a6fc0 9678c9 7d62b5 a580cc"))

    def spikes(pen: Pen, rng: Random) -> None:
        for lean in (-0.5, 0.0, 0.5):
            pen.poly(
                ((lean * 0.6 - 0.17, 0), (lean, rng.uniform(0.7, 1.0)), (lean * 0.6 + 0.17, 0)),
                lighten_color(purple, rng.uniform(0.05, 0.4)),
                Region("lavender"),
                shade=0.1,
            )

    _lay_crop_rows(canvas, rng, 0.5, purple, Region("lavender"), parse_hex_color("a8845f"), dabs=6, dab=spikes)
    pen = canvas.pen(0, 0, 1)
    pen.box(-0.02, -0.44, 1.02, -0.505, mix_colors(rng.choice(GREENS), canvas.light.haze, 0.3), Region("", "", "grass"))
    for dx in (-0.18, -0.13, 0.14):
        plants.draw_cypress(place_pen(canvas, rng, x + dx, 0.505, rng.uniform(0.18, 0.26)), rng)
    buildings.draw_house(place_pen(canvas, rng, x, 0.51, 0.17), rng, wall="stone", far=True)


def draw_sunflower_field_scene(canvas: Canvas, rng: Random) -> None:
    """Draw sunflowers in front of a windmill or a barn."""
    _paint_country(canvas, rng, 0.46)
    lay_ground(canvas, 0.46, rng.choice(parse_palette("8fae55 9ab560")), "grass")
    x = rng.uniform(0.2, 0.8)
    kind = buildings.draw_windmill if rng.random() < 0.6 else buildings.draw_barn
    kind(place_pen(canvas, rng, x, 0.56, 0.36 if kind is buildings.draw_windmill else 0.24), rng)
    canvas.pen(0, 0, 1).box(
        -0.02, -0.56, 1.02, -1.02, parse_hex_color("86a04a"), Region("", "", "foliage"), to=parse_hex_color("4f7a3a")
    )
    for row in range(4):
        y = 0.66 + 0.12 * row
        for place in spread_places(rng, 9 - row, -0.05, 1.05):
            plants.draw_sunflower(canvas.pen(place, y + rng.uniform(-0.02, 0.02), 0.1 + 0.075 * row), rng)


def draw_tulip_field_scene(canvas: Canvas, rng: Random) -> None:
    """Draw bands of tulips, a windmill and a canal."""
    _paint_country(canvas, rng, 0.46)
    lay_meadow(canvas, rng, 0.46, tufts=0)
    x = rng.uniform(0.25, 0.75)
    buildings.draw_windmill(place_pen(canvas, rng, x, 0.56, 0.42), rng)
    if rng.random() < 0.5:
        buildings.draw_house(place_pen(canvas, rng, x + rng.choice((-0.26, 0.26)), 0.56, 0.15), rng, far=True)
    pen = canvas.pen(0, 0, 1)
    pen.box(-0.02, -0.57, 1.02, -0.62, parse_hex_color("8fc4d8"), Region("", "", "water"), to=parse_hex_color("5f9fba"))
    colors = rng.sample(parse_palette("e0393f f2b134 f28fb1 f4f1ea f2762e 9b5de5"), 4)
    for row, color in enumerate(colors):
        low, high = 0.62 + 0.1 * row, 0.62 + 0.1 * (row + 1)
        pen.box(
            -0.02,
            -low,
            1.02,
            -high,
            mix_colors(parse_hex_color("6a9f4a"), color, 0.35),
            Region("flower", "leaf", "foliage"),
            shade=0.1,
        )
        for k in range(13 - row):
            u = (k + rng.uniform(0.2, 0.8)) / (13 - row)
            size, y = 0.022 + 0.007 * row, -high + rng.uniform(0.035, 0.075)
            bud = canvas.pen(u, -y, size)
            bud.soft(
                "-.7,.7 -.8,-.3 0,-.8 .8,-.3 .7,.7 .3,.2 0,.8 -.3,.2", color, Region("flower", "petal"), shade=0.25
            )


def draw_poppy_field_scene(canvas: Canvas, rng: Random) -> None:
    """Draw poppies in high grass, a farmhouse and cypresses behind."""
    _paint_country(canvas, rng, 0.46)
    color = lay_meadow(canvas, rng, 0.46, color=rng.choice(parse_palette("8fae5a 9ab86a 86a555")))
    x = rng.uniform(0.2, 0.8)
    for dx in (-0.17, 0.13, 0.19):
        plants.draw_cypress(place_pen(canvas, rng, x + dx, 0.53, rng.uniform(0.18, 0.26)), rng)
    buildings.draw_house(place_pen(canvas, rng, x, 0.54, 0.17), rng, wall=rng.choice(("stone", "plaster")), far=True)
    red = rng.choice(parse_palette("d62f2a e0392f c92a2e"))
    for row in range(6):
        y, size = 0.58 + 0.075 * row, 0.016 + 0.0065 * row
        for place in spread_places(rng, 17 - 2 * row, -0.02, 1.02):
            poppy = canvas.pen(place, y + rng.uniform(-0.025, 0.025), size)
            poppy.box(-0.09, -2.0, 0.09, 0, darken_color(color, 0.3), Region("flower", "stem"))
            poppy.soft(
                "-1,.2 -.7,.9 0,.6 .7,.9 1,.2 .5,-.6 -.5,-.6",
                red if rng.random() < 0.7 else lighten_color(red, 0.15),
                Region("flower", "petal"),
                shade=0.3,
            )
            poppy.disc(0, 0.1, 0.24, parse_hex_color("3a1f26"), Region("flower", "pistil"))


def draw_orchard_scene(canvas: Canvas, rng: Random) -> None:
    """Draw apple trees, ladders, baskets and boxes."""
    _paint_country(canvas, rng, 0.46)
    lay_meadow(canvas, rng, 0.46)
    blossom = rng.random() < 0.25
    for row, y, size in ((0, 0.56, 0.28), (1, 0.74, 0.44)):
        for x in spread_places(rng, 4 - row, -0.02, 1.02):
            plants.draw_tree(
                place_pen(canvas, rng, x, y, size), rng, BLOSSOM if blossom else SUMMER, apples=not blossom
            )
            if row and rng.random() < 0.45:
                outdoors.draw_ladder(canvas.pen(x + rng.choice((-0.1, 0.1)), y + 0.02, 0.32), rng)
    for x in spread_places(rng, 3):
        kind = rng.choice((outdoors.draw_basket, outdoors.draw_crate, outdoors.draw_basket))
        kind(place_pen(canvas, rng, x, rng.uniform(0.88, 0.97), 0.1), rng)
    if rng.random() < 0.5:
        creatures.draw_person(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.9, 0.24), rng)


def draw_village_scene(canvas: Canvas, rng: Random) -> None:
    """Draw cottages and a church along a lane."""
    _paint_country(canvas, rng, 0.48)
    lay_meadow(canvas, rng, 0.48)
    lay_path(canvas, rng, 0.56, parse_hex_color("d3c2a0"), Region("path", "", "gravel"))
    x = rng.uniform(0.3, 0.7)
    buildings.draw_church(place_pen(canvas, rng, x, 0.58, 0.38), rng)
    for place in spread_places(rng, 3, -0.02, 1.02):
        if abs(place - x) > 0.14:
            buildings.draw_house(place_pen(canvas, rng, place, rng.uniform(0.6, 0.68), 0.2), rng)
    for place in (rng.uniform(0, 0.2), rng.uniform(0.8, 1)):
        buildings.draw_house(place_pen(canvas, rng, place, rng.uniform(0.8, 0.86), 0.27), rng)
    for place in spread_places(rng, 3):
        if rng.random() < 0.6:
            plants.draw_tree(place_pen(canvas, rng, place, rng.uniform(0.66, 0.8), 0.22), rng)
    if rng.random() < 0.6:
        creatures.draw_person(place_pen(canvas, rng, rng.uniform(0.35, 0.65), 0.92, 0.18), rng)


def draw_snow_village_scene(canvas: Canvas, rng: Random) -> None:
    """Draw cottages under snow, firs, a snowman."""
    sky.draw_sky(canvas, rng, horizon=0.48, clouds=2)
    sky.draw_hills(
        canvas, rng, parse_palette("d6e0ee e6edf7"), base=0.52, height=0.18, region=Region("hill", "", "snow")
    )
    lay_ground(canvas, 0.5, SNOW, "snow", far=parse_hex_color("dfe8f5"))
    for x in spread_places(rng, 5, 0, 1):
        plants.draw_fir(place_pen(canvas, rng, x, rng.uniform(0.53, 0.58), rng.uniform(0.18, 0.3)), rng, snowy=True)
    for x in spread_places(rng, rng.randint(2, 3), 0.1, 0.9):
        buildings.draw_house(place_pen(canvas, rng, x, rng.uniform(0.64, 0.74), 0.26), rng, snowy=True)
    if rng.random() < 0.8:
        creatures.draw_snowman(place_pen(canvas, rng, rng.uniform(0.12, 0.88), rng.uniform(0.86, 0.94), 0.24), rng)
    if rng.random() < 0.5:
        creatures.draw_person(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.92, 0.18), rng)
    if rng.random() < 0.4:
        leisure.draw_sled(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 0.96, 0.06), rng)
    if rng.random() < 0.5:
        roadside.draw_lamppost(place_pen(canvas, rng, rng.choice((0.08, 0.92)), 0.84, 0.38), rng)
    for _ in range(24 if rng.random() < 0.5 else 0):
        canvas.pen(rng.random(), rng.random(), rng.uniform(0.003, 0.006)).disc(
            0, 0, 1, parse_hex_color("ffffff"), Region("snowflake"), shade=0, glows=True
        )


def draw_castle_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a castle on a hill."""
    _paint_country(canvas, rng, 0.5)
    green = rng.choice(parse_palette("7fa56a 86a870"))
    lay_ground(canvas, 0.51, green, "grass")
    sky.draw_hills(canvas, rng, (green,), base=0.64, height=0.12)
    lay_meadow(canvas, rng, 0.62)
    lay_path(canvas, rng, 0.64, parse_hex_color("d3c2a0"), Region("path", "", "gravel"), at=0.5)
    landmarks.draw_castle(canvas.pen(rng.uniform(0.45, 0.55), rng.uniform(0.66, 0.7), rng.uniform(0.44, 0.52)), rng)
    for x in (*spread_places(rng, 2, 0, 0.3), *spread_places(rng, 2, 0.7, 1)):
        kind = plants.draw_tree if rng.random() < 0.5 else plants.draw_fir
        kind(place_pen(canvas, rng, x, rng.uniform(0.7, 0.86), rng.uniform(0.18, 0.26)), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.5:
            plants.draw_bush(place_pen(canvas, rng, x, 0.95, 0.08), rng)


def draw_japanese_garden_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a pagoda, a torii gate and cherry trees by a pond."""
    sky.draw_sky(canvas, rng, horizon=0.5, clouds=2)
    sky.draw_mountains(canvas, rng, base=0.54, height=0.28)
    lay_meadow(canvas, rng, 0.52, color=rng.choice(parse_palette("9cbf72 8fb46a")), tufts=6)
    side = rng.choice((0.26, 0.72))
    landmarks.draw_pagoda(place_pen(canvas, rng, side, 0.66, 0.46), rng)
    for x in spread_places(rng, 3, 0, 1):
        if abs(x - side) > 0.12:
            plants.draw_tree(place_pen(canvas, rng, x, rng.uniform(0.62, 0.7), rng.uniform(0.26, 0.36)), rng, BLOSSOM)
    lay_water(canvas, rng, 0.82, color=parse_hex_color("5fa5a8"), glitter=6)
    landmarks.draw_torii(place_pen(canvas, rng, 1 - side + rng.uniform(-0.06, 0.06), rng.uniform(0.84, 0.9), 0.32), rng)
    for x in spread_places(rng, 3, 0, 1):
        outdoors.draw_rock(place_pen(canvas, rng, x, rng.uniform(0.84, 0.88), 0.055), rng)
    if rng.random() < 0.5:
        plants.draw_tree(place_pen(canvas, rng, rng.choice((0.02, 0.98)), 1.0, 0.6), rng, BLOSSOM)


def draw_balloon_festival_scene(canvas: Canvas, rng: Random) -> None:
    """Draw hot-air balloons over hills."""
    sky.draw_sky(canvas, rng, horizon=0.72, clouds=3)
    sky.draw_hills(canvas, rng, rng.choice(_HILLS), base=0.8, height=0.2)
    lay_meadow(canvas, rng, 0.79)
    for x in spread_places(rng, 3, 0, 1):
        plants.draw_tree(place_pen(canvas, rng, x, rng.uniform(0.8, 0.84), 0.14), rng)
    for i, x in enumerate(spread_places(rng, rng.randint(3, 5), 0.06, 0.94)):
        size = rng.uniform(0.18, 0.34) if i else rng.uniform(0.36, 0.44)
        vehicles.draw_balloon(place_pen(canvas, rng, x, rng.uniform(0.4, 0.66), size), rng)
    for x in spread_places(rng, 3):
        if rng.random() < 0.6:
            creatures.draw_person(place_pen(canvas, rng, x, rng.uniform(0.9, 0.98), 0.14), rng)


def draw_garden_scene(canvas: Canvas, rng: Random) -> None:
    """Draw flower beds in front of a cottage and a white fence."""
    _paint_country(canvas, rng, 0.42)
    lay_meadow(canvas, rng, 0.46)
    if rng.random() < 0.7:
        buildings.draw_house(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 0.58, 0.28), rng)
    for x in spread_places(rng, 2, 0, 1):
        plants.draw_tree(place_pen(canvas, rng, x, 0.57, 0.26), rng)
    outdoors.draw_fence(canvas.pen(-0.02, 0.66, 0.11), rng, length=9.6, white=rng.random() < 0.7)
    for row in range(3):
        y = 0.78 + 0.1 * row
        for x in spread_places(rng, 8, -0.02, 1.02):
            if rng.random() < 0.85:
                plants.draw_flower(place_pen(canvas, rng, x, y + rng.uniform(-0.02, 0.02), 0.12 + 0.025 * row), rng)
    if rng.random() < 0.4:
        creatures.draw_cat(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.95, 0.14), rng)
