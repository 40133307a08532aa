"""Draw town scenes without traffic: market, fair, playground, park, construction site."""

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
    AUTUMN,
    GREENS,
    PAVING,
    SPRING,
    SUMMER,
    mix_colors,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.scenes.land import lay_ground, lay_meadow, lay_path, place_pen, spread_places
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Canvas


def draw_market_scene(canvas: Canvas, rng: Random) -> None:
    """Draw stalls with striped awnings, people with baskets."""
    sky.draw_sky(canvas, rng, horizon=0.5)
    for x in spread_places(rng, 4, -0.02, 1.02):
        buildings.draw_house(canvas.pen(x, 0.6, rng.uniform(0.3, 0.38)), rng, far=True)
    lay_ground(canvas, 0.59, rng.choice(PAVING), "paving")
    for x in spread_places(rng, 2, 0.1, 0.9):
        leisure.draw_stall(place_pen(canvas, rng, x, rng.uniform(0.72, 0.78), 0.34), rng)
    for x in spread_places(rng, 3):
        creatures.draw_person(place_pen(canvas, rng, x, rng.uniform(0.84, 0.96), 0.24), rng)
    for x in spread_places(rng, 3):
        kind = rng.choice((outdoors.draw_crate, outdoors.draw_basket, outdoors.draw_barrel, None))
        if kind:
            kind(place_pen(canvas, rng, x, rng.uniform(0.9, 0.98), 0.1), rng)


def draw_amusement_park_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a Ferris wheel, a circus tent, people."""
    sky.draw_sky(canvas, rng, horizon=0.6)
    if rng.random() < 0.4:
        vehicles.draw_balloon(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.34, 0.2), rng)
    lay_meadow(canvas, rng, 0.62, tufts=4)
    side = rng.choice((0.3, 0.68))
    leisure.draw_ferris_wheel(canvas.pen(side, 0.72, rng.uniform(0.56, 0.64)), rng)
    if rng.random() < 0.85:
        landmarks.draw_circus_tent(place_pen(canvas, rng, 1 - side + rng.uniform(-0.04, 0.08), 0.76, 0.34), rng)
    lay_path(canvas, rng, 0.7, parse_hex_color("e3cfa5"), Region("path", "", "gravel"), at=rng.uniform(0.4, 0.6))
    for x in spread_places(rng, 3):
        if rng.random() < 0.8:
            creatures.draw_person(place_pen(canvas, rng, x, rng.uniform(0.84, 0.96), 0.19), rng)
    if rng.random() < 0.5:
        leisure.draw_stall(place_pen(canvas, rng, rng.choice((0.1, 0.9)), 0.84, 0.24), rng)


def draw_playground_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a slide, a swing, balls and children."""
    sky.draw_sky(canvas, rng, horizon=0.46)
    lay_meadow(canvas, rng, 0.46)
    for x in spread_places(rng, 4, 0, 1):
        plants.draw_tree(place_pen(canvas, rng, x, 0.54, 0.28), rng)
    if rng.random() < 0.6:
        outdoors.draw_fence(canvas.pen(-0.02, 0.58, 0.08), rng, length=13, white=False)
    pen = canvas.pen(rng.uniform(0.42, 0.58), 0.84, 0.3)
    pen.disc(0, 0, 1.5, parse_hex_color("edd3a0"), Region("sandbox", "", "sand"), rv=0.42, shade=0.1)
    places = spread_places(rng, 2, 0.1, 0.9)
    leisure.draw_slide(place_pen(canvas, rng, places[0], 0.78, 0.3), rng)
    if rng.random() < 0.8:
        leisure.draw_swing(place_pen(canvas, rng, places[1], 0.8, 0.3), rng)
    for x in spread_places(rng, 3):
        if rng.random() < 0.7:
            creatures.draw_person(place_pen(canvas, rng, x, rng.uniform(0.86, 0.97), 0.17), rng)
    if rng.random() < 0.6:
        leisure.draw_ball(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.95, 0.07), rng)


def draw_park_scene(canvas: Canvas, rng: Random) -> None:
    """Draw benches, a fountain, lamps and trees along a path."""
    sky.draw_sky(canvas, rng, horizon=0.46)
    leaves = rng.choice((SUMMER, SUMMER, AUTUMN, SPRING))
    sky.draw_hills(canvas, rng, (mix_colors(leaves[0], canvas.light.haze, 0.4),), base=0.5, height=0.16)
    lay_meadow(canvas, rng, 0.48, color=rng.choice(GREENS))
    lay_path(canvas, rng, 0.54, parse_hex_color("dcc9a0"), Region("path", "", "gravel"))
    for x in spread_places(rng, 4, 0, 1):
        plants.draw_tree(place_pen(canvas, rng, x, rng.uniform(0.54, 0.64), rng.uniform(0.3, 0.42)), rng, leaves)
    if rng.random() < 0.65:
        roadside.draw_fountain(place_pen(canvas, rng, rng.uniform(0.25, 0.75), 0.76, 0.24), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.8:
            roadside.draw_bench(place_pen(canvas, rng, x, rng.uniform(0.82, 0.92), 0.13), rng)
    for x in spread_places(rng, 2, 0, 1):
        if rng.random() < 0.7:
            roadside.draw_lamppost(place_pen(canvas, rng, x, rng.uniform(0.72, 0.86), 0.4), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.5:
            creatures.draw_person(place_pen(canvas, rng, x, 0.94, 0.22), rng)


def draw_construction_site_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a crane, an excavator, walls half built, cones."""
    sky.draw_sky(canvas, rng, horizon=0.56)
    for x in spread_places(rng, 4, 0, 1):
        landmarks.draw_skyscraper(canvas.pen(x, 0.58, rng.uniform(0.18, 0.34), haze=0.5), rng, width=0.5)
    lay_ground(canvas, 0.56, rng.choice(parse_palette("b5946a a88a66 c0a078")), "soil")
    roadside.draw_crane(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 0.66, 0.6), rng)
    pen = canvas.pen(rng.choice((0.2, 0.7)), 0.74, 0.24)
    brick = Region("brick_wall", "", "brick")
    pen.poly(
        "-.8,0 -.8,.9 -.4,.9 -.4,.6 0,.6 0,.75 .4,.75 .4,.35 .8,.35 .8,0",
        rng.choice(parse_palette("b5603f c2704a a8543f")),
        brick,
        shade=0.15,
    )
    for u in (-0.55, 0.1):
        pen.box(u, 0.15, u + 0.28, 0.48, parse_hex_color("4f3f40"), Region("brick_wall", "window"))
    if rng.random() < 0.85:
        outdoors_x = 1 - pen.frame[2] / canvas.side + rng.uniform(-0.08, 0.08)
        vehicles.draw_excavator(place_pen(canvas, rng, outdoors_x, 0.84, 0.25), rng)
    for x in spread_places(rng, 4):
        if rng.random() < 0.7:
            roadside.draw_cone(place_pen(canvas, rng, x, rng.uniform(0.88, 0.98), 0.09), rng)
    if rng.random() < 0.5:
        creatures.draw_person(place_pen(canvas, rng, rng.uniform(0.1, 0.9), 0.92, 0.2), rng)
