"""Draw scenes of nature: shores, mountains, woods, deserts, the sea floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.objects import buildings, creatures, landmarks, leisure, outdoors, plants, sky, vehicles
from netdissect.demo.world.palette import (
    AUTUMN,
    CLOTHES,
    SANDS,
    SNOW,
    SPRING,
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
    from random import Random

    from netdissect.demo.world.canvas import Canvas

_FAR_HILLS = (parse_palette("9fb8a8 86a58a"), parse_palette("a8b8c4 8fa8a0"), parse_palette("b5b0a0 9aa585"))


def draw_beach_scene(canvas: Canvas, rng: Random) -> None:
    """Draw sand, surf, sunshades, towels, a palm, people."""
    horizon, shore = rng.uniform(0.34, 0.42), rng.uniform(0.54, 0.62)
    sky.draw_sky(canvas, rng, horizon=horizon)
    lay_water(canvas, rng, horizon, bottom=shore + 0.03, color=rng.choice(parse_palette("2fa5b8 2a8fb5 45b5b5")))
    if rng.random() < 0.6:
        vehicles.draw_sailboat(place_pen(canvas, rng, rng.uniform(0.1, 0.9), horizon + 0.06, 0.12), rng)
    sand, pen = rng.choice(SANDS), canvas.pen(0, 0, 1)
    edge = [(i / 10, -shore + 0.012 * rng.uniform(-1, 1)) for i in range(-1, 12)]
    pen.line([(u, v + 0.008) for u, v in edge], 0.02, parse_hex_color("fbfdfb"), Region("", "", "water"), grain=0)
    pen.poly(
        [*edge, (1.1, -1.02), (-0.1, -1.02)],
        lighten_color(sand, 0.1),
        Region("", "", "sand"),
        to=darken_color(sand, 0.08),
    )
    if rng.random() < 0.7:
        plants.draw_palm(place_pen(canvas, rng, rng.choice((0.1, 0.88)), rng.uniform(0.7, 0.8), 0.46), rng)
    for x in spread_places(rng, 2, 0.15, 0.85):
        y = rng.uniform(0.72, 0.9)
        leisure.draw_towel(canvas.pen(x - 0.08, y + 0.03, 0.17), rng)
        if rng.random() < 0.8:
            leisure.draw_umbrella(place_pen(canvas, rng, x, y, 0.28), rng)
    for x in spread_places(rng, rng.randint(1, 3)):
        creatures.draw_person(place_pen(canvas, rng, x, rng.uniform(0.7, 0.97), 0.2), rng)
    if rng.random() < 0.6:
        leisure.draw_ball(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.95, 0.07), rng)


def draw_coast_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a lighthouse on rocks above the sea."""
    horizon = rng.uniform(0.5, 0.58)
    sky.draw_sky(canvas, rng, horizon=horizon)
    sky.draw_birds(canvas, rng, low=horizon)
    lay_water(canvas, rng, horizon)
    side = rng.choice((0.26, 0.72))
    if rng.random() < 0.5:
        vehicles.draw_sailboat(
            place_pen(canvas, rng, 1 - side + rng.uniform(-0.1, 0.1), rng.uniform(0.6, 0.75), 0.16), rng
        )
    top = rng.uniform(0.6, 0.68)
    pen = canvas.pen(side, 1.02, 1)
    cliff = rng.choice(parse_palette("8f8a88 9a8f80 808894"))
    pen.soft(
        ((-0.42, 0), (-0.34, 0.2), (-0.2, 1.04 - top), (0.16, 1.05 - top), (0.3, 0.26), (0.45, 0.0)),
        cliff,
        Region("cliff", "", "rock"),
        shade=0.3,
    )
    pen.soft(
        ((-0.22, 0.99 - top), (-0.18, 1.05 - top), (0.14, 1.06 - top), (0.2, 0.99 - top), (0, 1.0 - top)),
        rng.choice(SPRING),
        Region("", "", "grass"),
    )
    buildings.draw_lighthouse(place_pen(canvas, rng, side, top, 0.48), rng)
    if rng.random() < 0.5:
        buildings.draw_house(place_pen(canvas, rng, side + rng.choice((-0.14, 0.13)), top + 0.01, 0.13), rng, far=True)
    for x in spread_places(rng, 3, 0, 1):
        outdoors.draw_rock(place_pen(canvas, rng, x, rng.uniform(0.92, 1.0), rng.uniform(0.07, 0.13)), rng, cliff)


def draw_sea_scene(canvas: Canvas, rng: Random) -> None:
    """Draw sailing boats on open water."""
    horizon = rng.uniform(0.36, 0.46)
    sky.draw_sky(canvas, rng, horizon=horizon, clouds=4)
    sky.draw_birds(canvas, rng, low=horizon)
    lay_water(canvas, rng, horizon, glitter=26)
    if rng.random() < 0.4:
        vehicles.draw_ship(place_pen(canvas, rng, rng.uniform(0.2, 0.8), horizon + 0.05, 0.1), rng)
    for i, x in enumerate(spread_places(rng, rng.randint(3, 4), 0.06, 0.94)):
        y = horizon + 0.12 + 0.14 * i
        vehicles.draw_sailboat(place_pen(canvas, rng, x, y, 0.17 + 0.32 * (y - horizon)), rng)


def draw_lake_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a mountain lake with firs, a hut and a rowing boat."""
    shore = rng.uniform(0.52, 0.58)
    sky.draw_sky(canvas, rng, horizon=shore, clouds=2)
    sky.draw_mountains(canvas, rng, base=shore, height=rng.uniform(0.34, 0.44))
    sky.draw_hills(canvas, rng, parse_palette("5f8f6a"), base=shore, height=0.07)
    for x in spread_places(rng, 9, 0, 1):
        if rng.random() < 0.8:
            plants.draw_fir(place_pen(canvas, rng, x, shore + 0.005, rng.uniform(0.1, 0.17)), rng)
    if rng.random() < 0.6:
        buildings.draw_house(
            place_pen(canvas, rng, rng.uniform(0.15, 0.85), shore + 0.01, 0.13), rng, wall="wood", far=True
        )
    lay_water(canvas, rng, shore, color=rng.choice(parse_palette("3f8fa5 4a9aa8 3f85a0")))
    for x in spread_places(rng, rng.randint(1, 2), 0.15, 0.85):
        y = rng.uniform(0.68, 0.86)
        vehicles.draw_rowboat(place_pen(canvas, rng, x, y, 0.075), rng)
    for x in (rng.uniform(0, 0.12), rng.uniform(0.88, 1)):
        if rng.random() < 0.7:
            plants.draw_fir(place_pen(canvas, rng, x, 1.0, rng.uniform(0.4, 0.55)), rng)
    if rng.random() < 0.6:
        outdoors.draw_rock(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 1.0, 0.1), rng)


def draw_ski_slope_scene(canvas: Canvas, rng: Random) -> None:
    """Draw snowy slopes, firs, people on sledges, peaks behind."""
    sky.draw_sky(canvas, rng, horizon=0.5, clouds=2)
    sky.draw_mountains(canvas, rng, base=0.56, height=rng.uniform(0.36, 0.46))
    snow, tilt = Region("", "", "snow"), rng.choice((-1, 1)) * rng.uniform(0.08, 0.14)
    pen = canvas.pen(0, 0, 1)
    pen.soft(
        ((-0.1, -0.5 - tilt), (0.5, -0.48), (1.1, -0.5 + tilt), (1.1, -1.2), (-0.1, -1.2)),
        SNOW,
        snow,
        to=parse_hex_color("dbe6f7"),
    )
    for x in spread_places(rng, 6, 0, 1):
        plants.draw_fir(
            place_pen(canvas, rng, x, 0.53 - tilt * (0.5 - x) * 2 + rng.uniform(0.02, 0.2), rng.uniform(0.16, 0.26)),
            rng,
            snowy=True,
        )
    steel, lift = Region("chairlift", "rope", "metal"), rng.uniform(0.28, 0.36)
    pen.line(((-0.05, -lift - 1.2 * tilt), (1.05, -lift + 1.2 * tilt)), 0.008, parse_hex_color("3f4450"), steel)
    for x in spread_places(rng, 3):
        chair = canvas.pen(x, lift - 1.2 * tilt * (2 * x - 1) + 0.1, 0.1)
        chair.box(-0.03, 0.4, 0.03, 1.0, parse_hex_color("3f4450"), steel)
        chair.pill(-0.4, 0, 0.4, 0.5, 0.15, rng.choice(CLOTHES), Region("chairlift", "seat", "metal"), shade=0.3)
    for x in spread_places(rng, 3):
        y = rng.uniform(0.76, 0.96)
        if rng.random() < 0.5:
            leisure.draw_sled(place_pen(canvas, rng, x, y, 0.06), rng)
        creatures.draw_person(place_pen(canvas, rng, x, y, 0.17), rng)


def draw_forest_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a clearing in a leafy wood: deer, toadstools, bushes."""
    autumn = rng.random() < 0.35
    leaves = AUTUMN if autumn else SUMMER
    sky.draw_sky(canvas, rng, horizon=0.45, clouds=0, far=False)
    sky.draw_hills(
        canvas,
        rng,
        (mix_colors(leaves[0], canvas.light.haze, 0.5), mix_colors(leaves[1], canvas.light.haze, 0.25)),
        base=0.52,
        height=0.3,
    )
    lay_meadow(canvas, rng, 0.5, color=parse_hex_color("b59a55") if autumn else parse_hex_color("7fa558"))
    if rng.random() < 0.6:
        lay_path(canvas, rng, 0.52, parse_hex_color("cdb68a"), Region("path", "", "soil"), at=rng.uniform(0.4, 0.6))
    for row, y, size in ((0, 0.56, 0.42), (1, 0.66, 0.54)):
        for x in spread_places(rng, 5 - row, -0.05, 1.05):
            plants.draw_tree(place_pen(canvas, rng, x, y, size), rng, leaves)
    for x in spread_places(rng, 2, 0.2, 0.8):
        if rng.random() < 0.7:
            creatures.draw_deer(place_pen(canvas, rng, x, rng.uniform(0.74, 0.86), 0.22), rng)
    for x in spread_places(rng, 3, 0, 1):
        if rng.random() < 0.5:
            plants.draw_bush(
                place_pen(canvas, rng, x, rng.uniform(0.82, 0.99), 0.09), rng, leaves, berries=rng.random() < 0.4
            )
    for x in spread_places(rng, 3):
        if rng.random() < 0.75:
            plants.draw_mushroom(place_pen(canvas, rng, x, rng.uniform(0.86, 0.98), 0.1), rng)


def draw_campsite_scene(canvas: Canvas, rng: Random) -> None:
    """Draw tents and a fire among firs."""
    sky.draw_sky(canvas, rng, horizon=0.5, clouds=1)
    if rng.random() < 0.5:
        sky.draw_mountains(canvas, rng, base=0.54, height=0.34)
    else:
        sky.draw_hills(canvas, rng, parse_palette("6a8f85 4f7a68"), base=0.54, height=0.2)
    lay_meadow(canvas, rng, 0.52, color=rng.choice(parse_palette("7fa05a 6f9458 8fa562")))
    for x in spread_places(rng, 7, -0.03, 1.03):
        plants.draw_fir(place_pen(canvas, rng, x, rng.uniform(0.53, 0.6), rng.uniform(0.28, 0.44)), rng)
    for x in spread_places(rng, 2, 0.14, 0.86):
        landmarks.draw_tent(place_pen(canvas, rng, x, rng.uniform(0.68, 0.76), 0.2), rng)
    x = rng.uniform(0.35, 0.65)
    leisure.draw_campfire(place_pen(canvas, rng, x, 0.9, 0.13), rng)
    for sign in (-1, 1):
        if rng.random() < 0.6:
            creatures.draw_person(
                place_pen(canvas, rng, x + sign * rng.uniform(0.16, 0.26), rng.uniform(0.85, 0.93), 0.22), rng
            )
    if rng.random() < 0.5:
        outdoors.draw_rock(place_pen(canvas, rng, rng.uniform(0.05, 0.95), 0.97, 0.08), rng)


def draw_desert_scene(canvas: Canvas, rng: Random) -> None:
    """Draw dunes, cacti, table mountains."""
    horizon = rng.uniform(0.46, 0.54)
    sky.draw_sky(canvas, rng, horizon=horizon, clouds=1)
    mesa = Region("mesa", "", "rock")
    for x in spread_places(rng, 3):
        if rng.random() < 0.8:
            pen = canvas.pen(x, horizon + 0.01, rng.uniform(0.12, 0.24), haze=0.2)
            color = rng.choice(parse_palette("c9774f b5654a d08a5a"))
            pen.poly("-.8,0 -.5,.55 -.45,.9 .4,.9 .5,.5 .85,0", color, mesa, shade=0.35)
            pen.poly("-.47,.72 -.45,.9 .4,.9 .43,.74", lighten_color(color, 0.2), mesa, shade=0.2)
    sand = rng.choice(parse_palette("e9b872 e0a862 f0c888"))
    lay_ground(canvas, horizon, sand, "sand", far=mix_colors(sand, canvas.light.haze, 0.3))
    sky.draw_hills(
        canvas, rng, (lighten_color(sand, 0.12), sand), base=0.86, height=0.26, region=Region("", "", "sand")
    )
    lay_ground(canvas, 0.84, darken_color(sand, 0.04), "sand", far=sand)
    for x in spread_places(rng, rng.randint(3, 5)):
        y = rng.uniform(0.6, 0.98)
        plants.draw_cactus(place_pen(canvas, rng, x, y, 0.12 + 0.34 * (y - 0.5)), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.6:
            outdoors.draw_rock(place_pen(canvas, rng, x, rng.uniform(0.8, 0.98), 0.09), rng, parse_hex_color("b08a70"))


def draw_savanna_scene(canvas: Canvas, rng: Random) -> None:
    """Draw dry grass, umbrella trees, giraffes and elephants."""
    horizon = rng.uniform(0.44, 0.52)
    sky.draw_sky(canvas, rng, horizon=horizon, clouds=1)
    sky.draw_hills(canvas, rng, parse_palette("a8a08a"), base=horizon + 0.01, height=0.09)
    lay_meadow(canvas, rng, horizon, color=rng.choice(parse_palette("d9b35f cfa850 dcc078")), tufts=26)
    for x in spread_places(rng, 2):
        plants.draw_acacia(place_pen(canvas, rng, x, horizon + rng.uniform(0.03, 0.1), rng.uniform(0.26, 0.36)), rng)
    kinds = [creatures.draw_giraffe, creatures.draw_elephant]
    rng.shuffle(kinds)
    for kind, x in zip([*kinds, rng.choice(kinds)], spread_places(rng, 3, 0.08, 0.92), strict=True):
        y = rng.uniform(horizon + 0.16, 0.94)
        size = (0.5 if kind is creatures.draw_giraffe else 0.24) * (0.65 + 0.5 * (y - horizon))
        kind(place_pen(canvas, rng, x, y, size), rng)


def draw_coral_reef_scene(canvas: Canvas, rng: Random) -> None:
    """Draw fish above corals and seaweed."""
    blue = rng.choice(parse_palette("2f8fc0 2a9fb5 3a7fc0"))
    pen = canvas.pen(0, 0, 1)
    pen.box(
        -0.02,
        0.02,
        1.02,
        -1.02,
        lighten_color(blue, 0.3),
        Region("", "", "water"),
        to=darken_color(blue, 0.5),
        grain=0.6,
    )
    for x in spread_places(rng, 4, 0, 1):
        width, lean = rng.uniform(0.03, 0.07), 0.18 * -canvas.light.side
        pen.veil(
            ((x, 0.02), (x + width, 0.02), (x + 2 * width + lean, -0.8), (x - width + lean, -0.8)),
            parse_hex_color("e3f8ff"),
            0.14,
        )
    sky.draw_hills(canvas, rng, parse_palette("c9b88f d9c79c"), base=1.0, height=0.17, region=Region("", "", "sand"))
    for x in spread_places(rng, 3, 0, 1):
        outdoors.draw_seaweed(place_pen(canvas, rng, x, rng.uniform(0.94, 1.0), rng.uniform(0.22, 0.36)), rng)
    for x in spread_places(rng, 4, 0, 1):
        if rng.random() < 0.35:
            outdoors.draw_rock(place_pen(canvas, rng, x, 0.99, 0.13), rng, parse_hex_color("7f7a90"))
        else:
            outdoors.draw_coral(place_pen(canvas, rng, x, rng.uniform(0.95, 1.0), rng.uniform(0.17, 0.28)), rng)
    for x in spread_places(rng, rng.randint(4, 6), 0.08, 0.92):
        creatures.draw_fish(place_pen(canvas, rng, x, rng.uniform(0.15, 0.72), rng.uniform(0.12, 0.2)), rng)
    bubble = Region("bubble")
    x = rng.uniform(0.1, 0.9)
    for _ in range(7):
        canvas.pen(x + rng.uniform(-0.04, 0.04), rng.uniform(0.1, 0.8), rng.uniform(0.008, 0.017)).disc(
            0, 0, 1, parse_hex_color("d9f3fb"), bubble, shade=0.5
        )


def draw_river_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a stone bridge over a river between trees."""
    sky.draw_sky(canvas, rng, horizon=0.46, clouds=2)
    sky.draw_hills(canvas, rng, rng.choice(_FAR_HILLS), base=0.52, height=0.2)
    leaves = AUTUMN if rng.random() < 0.3 else SUMMER
    color = lay_meadow(canvas, rng, 0.5, tufts=0)
    for x in spread_places(rng, 5, -0.02, 1.02):
        plants.draw_tree(place_pen(canvas, rng, x, 0.55, rng.uniform(0.24, 0.34)), rng, leaves)
    lay_water(canvas, rng, 0.64, color=rng.choice(parse_palette("4a9ab5 3f8fa8 5aa5b0")))
    landmarks.draw_bridge(canvas.pen(rng.uniform(0.42, 0.58), 0.7, 0.22), rng, arches=3)
    pen = canvas.pen(0, 0, 1)
    for sign, u in ((-1, -0.05), (1, 1.05)):
        pen.soft(
            (
                (u, -0.6),
                (u - sign * rng.uniform(0.2, 0.34), -0.78),
                (u - sign * 0.2, -0.95),
                (u - sign * 0.42, -1.1),
                (u + sign * 0.2, -1.1),
            ),
            color,
            Region("", "", "grass"),
            shade=0.2,
        )
    if rng.random() < 0.6:
        vehicles.draw_rowboat(place_pen(canvas, rng, rng.uniform(0.4, 0.6), rng.uniform(0.82, 0.9), 0.07), rng)
    for x in (rng.uniform(0.02, 0.14), rng.uniform(0.86, 0.98)):
        for _ in range(2):
            plants.draw_bush(
                place_pen(canvas, rng, x + rng.uniform(-0.06, 0.06), rng.uniform(0.86, 0.99), 0.09), rng, leaves
            )
