"""Draw town scenes with traffic: streets, harbor, station, airport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.objects import buildings, creatures, landmarks, outdoors, plants, roadside, sky, vehicles
from netdissect.demo.world.palette import darken_color, lighten_color, parse_hex_color, parse_palette
from netdissect.demo.world.scenes.land import lay_ground, lay_meadow, lay_road, lay_water, place_pen, spread_places
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Canvas


def draw_street_scene(canvas: Canvas, rng: Random) -> None:
    """Draw houses, gardens' trees and cars along a road."""
    sky.draw_sky(canvas, rng, horizon=0.5)
    lay_meadow(canvas, rng, 0.5, tufts=0)
    for x in spread_places(rng, 3, -0.02, 1.02):
        buildings.draw_house(place_pen(canvas, rng, x, 0.6, 0.3), rng)
    for x in spread_places(rng, 3, 0, 1):
        if rng.random() < 0.6:
            plants.draw_tree(place_pen(canvas, rng, x, 0.62, 0.28), rng)
    top = 0.68
    lay_road(canvas, top, 1.02)
    for x in spread_places(rng, 2, 0.05, 0.95):
        if rng.random() < 0.7:
            roadside.draw_lamppost(place_pen(canvas, rng, x, top - 0.01, 0.36), rng)
        if rng.random() < 0.5:
            creatures.draw_person(place_pen(canvas, rng, x + 0.1, top - 0.005, 0.15), rng)
    for y, flip in ((0.8, False), (0.95, True)):
        for x in spread_places(rng, 2, 0.1, 0.9):
            if rng.random() < 0.7:
                vehicles.draw_car(place_pen(canvas, rng, x, y, 0.105, flip=flip), rng)
    if rng.random() < 0.35:
        vehicles.draw_bicycle(place_pen(canvas, rng, rng.uniform(0.1, 0.9), top + 0.01, 0.1), rng)


def draw_downtown_scene(canvas: Canvas, rng: Random) -> None:
    """Draw skyscrapers, a bus, taxis, traffic lights."""
    sky.draw_sky(canvas, rng, horizon=0.66)
    for x in spread_places(rng, 6, -0.02, 1.02):
        landmarks.draw_skyscraper(
            canvas.pen(x, 0.66, rng.uniform(0.28, 0.5), haze=0.4), rng, width=rng.uniform(0.3, 0.5)
        )
    for x in spread_places(rng, 4, 0, 1):
        landmarks.draw_skyscraper(canvas.pen(x, 0.68, rng.uniform(0.4, 0.62)), rng, width=rng.uniform(0.26, 0.4))
    top = 0.72
    lay_road(canvas, top, 1.02)
    if rng.random() < 0.6:
        pen, u = canvas.pen(0, 0, 1), rng.uniform(0.2, 0.7)
        for i in range(6):
            v = -top - 0.02 - 0.05 * i
            pen.box(
                u - 0.012 * i,
                v,
                u + 0.16 - 0.012 * i,
                v - 0.026,
                parse_hex_color("f2eee2"),
                Region("crosswalk", "", "asphalt"),
                shade=0,
            )
    for x in spread_places(rng, 3):
        if rng.random() < 0.6:
            roadside.draw_traffic_light(place_pen(canvas, rng, x, top - 0.01, 0.28), rng)
        elif rng.random() < 0.6:
            creatures.draw_person(place_pen(canvas, rng, x, top, 0.15), rng)
    if rng.random() < 0.75:
        vehicles.draw_bus(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 0.84, 0.17), rng)
    for x in spread_places(rng, 2, 0.12, 0.88):
        if rng.random() < 0.75:
            (vehicles.draw_taxi if rng.random() < 0.7 else vehicles.draw_car)(
                place_pen(canvas, rng, x, 0.96, 0.11), rng
            )


def draw_skyline_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a city across the water in the evening."""
    line = rng.uniform(0.62, 0.7)
    sky.draw_sky(canvas, rng, horizon=line, clouds=2)
    for x in spread_places(rng, 7, -0.02, 1.02):
        landmarks.draw_skyscraper(
            canvas.pen(x, line, rng.uniform(0.22, 0.4), haze=0.35), rng, width=rng.uniform(0.34, 0.55)
        )
    for x in spread_places(rng, 6, 0, 1):
        landmarks.draw_skyscraper(
            canvas.pen(x, line + 0.01, rng.uniform(0.26, 0.52)), rng, width=rng.uniform(0.25, 0.42)
        )
    lay_water(canvas, rng, line + 0.01, color=rng.choice(parse_palette("3a6f9a 2f5f8f")))
    pen = canvas.pen(0, 0, 1)
    for _ in range(16 if canvas.light.dark else 0):
        x, y = rng.random(), line + 0.015
        for k in range(5):
            width = 0.014 - 0.002 * k
            x += rng.uniform(-0.004, 0.004)
            y += 0.02
            pen.veil(
                ((x - width, -y), (x + width, -y), (x + width, -y - 0.007), (x - width, -y - 0.007)),
                parse_hex_color("ffd88a"),
                0.5 - 0.07 * k,
            )
    for x in spread_places(rng, 2):
        if rng.random() < 0.6:
            kind, size = rng.choice(((vehicles.draw_sailboat, 0.16), (vehicles.draw_ship, 0.11)))
            kind(place_pen(canvas, rng, x, rng.uniform(0.8, 0.92), size), rng)


def draw_harbor_scene(canvas: Canvas, rng: Random) -> None:
    """Draw ships, a quay with boxes and barrels, houses behind."""
    line = rng.uniform(0.46, 0.52)
    sky.draw_sky(canvas, rng, horizon=line)
    sky.draw_birds(canvas, rng, low=line)
    for x in spread_places(rng, 5, -0.02, 1.02):
        buildings.draw_house(place_pen(canvas, rng, x, line + 0.005, 0.16), rng, far=True)
    if rng.random() < 0.7:
        roadside.draw_crane(place_pen(canvas, rng, rng.uniform(0.15, 0.85), line + 0.01, 0.42), rng)
    lay_water(canvas, rng, line)
    vehicles.draw_ship(place_pen(canvas, rng, rng.uniform(0.3, 0.7), rng.uniform(0.64, 0.7), 0.2), rng)
    if rng.random() < 0.5:
        vehicles.draw_rowboat(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 0.78, 0.06), rng)
    pen = canvas.pen(0, 0, 1)
    planks, wood = rng.choice(parse_palette("b08a5f a07a52 9a7f68")), Region("pier", "", "wood")
    for u in (0.1, 0.36, 0.62, 0.88):
        pen.box(u, -0.86, u + 0.035, -1.02, darken_color(planks, 0.45), Region("pier", "post", "wood"))
    pen.box(-0.02, -0.855, 1.02, -0.98, lighten_color(planks, 0.1), wood, to=planks)
    for x in spread_places(rng, 4):
        kind = rng.choice((outdoors.draw_crate, outdoors.draw_barrel, outdoors.draw_crate, None))
        if kind:
            kind(place_pen(canvas, rng, x, rng.uniform(0.88, 0.95), 0.1), rng)
    if rng.random() < 0.5:
        creatures.draw_person(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.94, 0.2), rng)


def draw_train_station_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a train on its track, fields and houses behind."""
    sky.draw_sky(canvas, rng, horizon=0.46)
    sky.draw_hills(canvas, rng, parse_palette("8fb08a 7aa56a"), base=0.48, height=0.16)
    lay_meadow(canvas, rng, 0.46, tufts=4)
    for x in spread_places(rng, 4, 0, 1):
        kind = rng.choice((plants.draw_tree, plants.draw_fir, buildings.draw_house))
        kind(place_pen(canvas, rng, x, rng.uniform(0.54, 0.58), 0.2), rng)
    pen, rail = canvas.pen(0, 0, 1), 0.76
    track = Region("railway_track", "", "gravel")
    pen.box(-0.02, -rail + 0.02, 1.02, -rail - 0.07, parse_hex_color("a39a90"), track, to=parse_hex_color("8a8178"))
    for i in range(22):
        pen.poly(
            (
                (i / 20 - 0.02, -rail + 0.012),
                (i / 20 + 0.012, -rail + 0.012),
                (i / 20 + 0.006, -rail - 0.055),
                (i / 20 - 0.03, -rail - 0.055),
            ),
            parse_hex_color("6b4f3c"),
            Region("railway_track", "sleeper", "wood"),
            shade=0.1,
        )
    for dy in (0.0, -0.04):
        pen.box(
            -0.02,
            -rail + dy + 0.006,
            1.02,
            -rail + dy - 0.004,
            parse_hex_color("c4c9d0"),
            Region("railway_track", "rail", "metal"),
            shade=0,
        )
    if rng.random() < 0.85:
        vehicles.draw_train(canvas.pen(rng.uniform(0.6, 1.15), rail - 0.005, 0.2), rng, cars=3)
    platform = rng.random() < 0.6
    if platform:
        pen.box(-0.02, -0.87, 1.02, -0.9, parse_hex_color("e9d9a0"), Region("platform", "", "concrete"))
        pen.box(
            -0.02,
            -0.885,
            1.02,
            -1.02,
            parse_hex_color("c9c0b4"),
            Region("platform", "", "paving"),
            to=parse_hex_color("b0a79c"),
        )
        for x in spread_places(rng, 3):
            thing, size = rng.choice(
                ((creatures.draw_person, 0.22), (roadside.draw_bench, 0.1), (creatures.draw_person, 0.22))
            )
            thing(place_pen(canvas, rng, x, rng.uniform(0.93, 0.99), size), rng)
    else:
        for x in spread_places(rng, 3):
            plants.draw_bush(place_pen(canvas, rng, x, 0.97, 0.07), rng)
    if rng.random() < 0.5:
        roadside.draw_traffic_light(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.86, 0.26), rng)


def draw_highway_scene(canvas: Canvas, rng: Random) -> None:
    """Draw lorries, cars and signs on a broad road."""
    sky.draw_sky(canvas, rng, horizon=0.48)
    sky.draw_hills(canvas, rng, parse_palette("9fb8a8 86a57a"), base=0.5, height=0.16)
    lay_meadow(canvas, rng, 0.48, tufts=6)
    for x in spread_places(rng, 3, 0, 1):
        plants.draw_tree(place_pen(canvas, rng, x, 0.57, 0.2), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.75:
            roadside.draw_road_sign(place_pen(canvas, rng, x, 0.62, 0.26), rng)
    lay_road(canvas, 0.64, 1.02)
    rail = canvas.pen(0, 0, 1)
    rail.box(-0.02, -0.585, 1.02, -0.6, parse_hex_color("c9ced4"), Region("guardrail", "", "metal"))
    for y, flip in ((0.77, True), (0.95, False)):
        for x in spread_places(rng, 2, 0.1, 0.9):
            roll = rng.random()
            if roll < 0.55:
                vehicles.draw_truck(place_pen(canvas, rng, x, y, 0.17, flip=flip), rng)
            elif roll < 0.9:
                vehicles.draw_car(place_pen(canvas, rng, x, y, 0.105, flip=flip), rng)


def draw_gas_station_scene(canvas: Canvas, rng: Random) -> None:
    """Draw pumps under a roof, cars, a sign."""
    sky.draw_sky(canvas, rng, horizon=0.56)
    sky.draw_hills(canvas, rng, parse_palette("9fb8a8 b5a98a"), base=0.58, height=0.14)
    lay_meadow(canvas, rng, 0.56, tufts=0)
    lay_ground(canvas, 0.66, parse_hex_color("8a8a92"), "asphalt")
    color, pen = rng.choice(parse_palette("d9483b 2a9d8f f2a12a 3f7cac")), canvas.pen(0, 0, 1)
    left = rng.uniform(0.06, 0.2)
    right, roof = left + rng.uniform(0.62, 0.74), rng.uniform(0.36, 0.42)
    canopy = Region("gas_station", "roof", "metal")
    for u in (left + 0.1, right - 0.12):
        pen.box(
            u, -roof, u + 0.03, -0.72, parse_hex_color("e9e6de"), Region("gas_station", "pillar", "metal"), shade=0.3
        )
    pen.box(left, -roof + 0.07, right, -roof - 0.015, color, canopy, shade=0.15)
    pen.box(left, -roof + 0.03, right, -roof + 0.005, parse_hex_color("fdf8ec"), canopy, shade=0.1)
    for x in (left + 0.24, right - 0.25):
        roadside.draw_gas_pump(place_pen(canvas, rng, x, 0.74, 0.17), rng)
    for x in spread_places(rng, 2, 0.12, 0.88):
        if rng.random() < 0.85:
            (vehicles.draw_car if rng.random() < 0.75 else vehicles.draw_truck)(
                place_pen(canvas, rng, x, rng.uniform(0.84, 0.92), 0.12), rng
            )
    if rng.random() < 0.7:
        roadside.draw_road_sign(place_pen(canvas, rng, rng.choice((0.06, 0.93)), 0.72, 0.36), rng)


def draw_airport_scene(canvas: Canvas, rng: Random) -> None:
    """Draw airliners on the runway and in the air, a control tower."""
    sky.draw_sky(canvas, rng, horizon=0.6, clouds=4)
    sky.draw_hills(canvas, rng, parse_palette("9fb8a8"), base=0.6, height=0.07)
    lay_meadow(canvas, rng, 0.58, tufts=4)
    roadside.draw_tower_of_control(place_pen(canvas, rng, rng.choice((0.15, 0.85)), 0.63, 0.4), rng)
    pen = canvas.pen(0, 0, 1)
    if rng.random() < 0.6:
        u = rng.uniform(0.3, 0.5)
        pen.box(u, -0.54, u + 0.34, -0.63, parse_hex_color("e3dfd6"), Region("terminal", "", "concrete"))
        pen.box(
            u + 0.02,
            -0.555,
            u + 0.32,
            -0.6,
            parse_hex_color("8fc0d4"),
            Region("terminal", "window", "glass"),
            to=parse_hex_color("5f95b0"),
        )
    pen.box(
        -0.02, -0.72, 1.02, -0.95, parse_hex_color("7f8089"), Region("", "", "asphalt"), to=parse_hex_color("6a6b75")
    )
    for i in range(7):
        pen.box(
            0.16 * i - 0.04,
            -0.9,
            0.16 * i + 0.06,
            -0.912,
            parse_hex_color("f4f1e6"),
            Region("", "", "asphalt"),
            shade=0,
            grain=0,
        )
    vehicles.draw_airplane(
        place_pen(canvas, rng, rng.uniform(0.35, 0.65), rng.uniform(0.83, 0.87), rng.uniform(0.2, 0.25)), rng
    )
    if rng.random() < 0.7:
        up = place_pen(canvas, rng, rng.uniform(0.2, 0.8), rng.uniform(0.18, 0.36), rng.uniform(0.08, 0.12))
        vehicles.draw_airplane(up.at(0, 0, turn=0.18), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.5:
            roadside.draw_cone(place_pen(canvas, rng, x, 0.97, 0.06), rng)
