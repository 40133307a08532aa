"""Scenes of the town away from its traffic: market, fair, playground, park, building site."""

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
from netdissect.demo.world.palette import AUTUMN, GREENS, PAVING, SPRING, SUMMER, ink, inks, mix
from netdissect.demo.world.scenes.land import ground, meadow, path, spread, stand
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Canvas


def market(canvas: Canvas, rng: Random) -> None:
    """Stalls with striped awnings, people with baskets."""
    sky.sky(canvas, rng, horizon=0.5)
    for x in spread(rng, 4, -0.02, 1.02):
        buildings.house(canvas.pen(x, 0.6, rng.uniform(0.3, 0.38)), rng, far=True)
    ground(canvas, 0.59, rng.choice(PAVING), "paving")
    for x in spread(rng, 2, 0.1, 0.9):
        leisure.stall(stand(canvas, rng, x, rng.uniform(0.72, 0.78), 0.34), rng)
    for x in spread(rng, 3):
        creatures.person(stand(canvas, rng, x, rng.uniform(0.84, 0.96), 0.24), rng)
    for x in spread(rng, 3):
        kind = rng.choice((outdoors.crate, outdoors.basket, outdoors.barrel, None))
        if kind:
            kind(stand(canvas, rng, x, rng.uniform(0.9, 0.98), 0.1), rng)


def amusement_park(canvas: Canvas, rng: Random) -> None:
    """A Ferris wheel, a circus tent, people."""
    sky.sky(canvas, rng, horizon=0.6)
    if rng.random() < 0.4:
        vehicles.balloon(stand(canvas, rng, rng.uniform(0.1, 0.9), 0.34, 0.2), rng)
    meadow(canvas, rng, 0.62, tufts=4)
    side = rng.choice((0.3, 0.68))
    leisure.ferris_wheel(canvas.pen(side, 0.72, rng.uniform(0.56, 0.64)), rng)
    if rng.random() < 0.85:
        landmarks.circus_tent(stand(canvas, rng, 1 - side + rng.uniform(-0.04, 0.08), 0.76, 0.34), rng)
    path(canvas, rng, 0.7, ink("e3cfa5"), Region("path", "", "gravel"), at=rng.uniform(0.4, 0.6))
    for x in spread(rng, 3):
        if rng.random() < 0.8:
            creatures.person(stand(canvas, rng, x, rng.uniform(0.84, 0.96), 0.19), rng)
    if rng.random() < 0.5:
        leisure.stall(stand(canvas, rng, rng.choice((0.1, 0.9)), 0.84, 0.24), rng)


def playground(canvas: Canvas, rng: Random) -> None:
    """A slide, a swing, balls and children."""
    sky.sky(canvas, rng, horizon=0.46)
    meadow(canvas, rng, 0.46)
    for x in spread(rng, 4, 0, 1):
        plants.tree(stand(canvas, rng, x, 0.54, 0.28), rng)
    if rng.random() < 0.6:
        outdoors.fence(canvas.pen(-0.02, 0.58, 0.08), rng, length=13, white=False)
    pen = canvas.pen(rng.uniform(0.42, 0.58), 0.84, 0.3)
    pen.disc(0, 0, 1.5, ink("edd3a0"), Region("sandbox", "", "sand"), rv=0.42, shade=0.1)
    places = spread(rng, 2, 0.1, 0.9)
    leisure.slide(stand(canvas, rng, places[0], 0.78, 0.3), rng)
    if rng.random() < 0.8:
        leisure.swing(stand(canvas, rng, places[1], 0.8, 0.3), rng)
    for x in spread(rng, 3):
        if rng.random() < 0.7:
            creatures.person(stand(canvas, rng, x, rng.uniform(0.86, 0.97), 0.17), rng)
    if rng.random() < 0.6:
        leisure.ball(stand(canvas, rng, rng.uniform(0.1, 0.9), 0.95, 0.07), rng)


def park(canvas: Canvas, rng: Random) -> None:
    """Benches, a fountain, lamps and trees along a path."""
    sky.sky(canvas, rng, horizon=0.46)
    leaves = rng.choice((SUMMER, SUMMER, AUTUMN, SPRING))
    sky.hills(canvas, rng, (mix(leaves[0], canvas.light.haze, 0.4),), base=0.5, height=0.16)
    meadow(canvas, rng, 0.48, color=rng.choice(GREENS))
    path(canvas, rng, 0.54, ink("dcc9a0"), Region("path", "", "gravel"))
    for x in spread(rng, 4, 0, 1):
        plants.tree(stand(canvas, rng, x, rng.uniform(0.54, 0.64), rng.uniform(0.3, 0.42)), rng, leaves)
    if rng.random() < 0.65:
        roadside.fountain(stand(canvas, rng, rng.uniform(0.25, 0.75), 0.76, 0.24), rng)
    for x in spread(rng, 2):
        if rng.random() < 0.8:
            roadside.bench(stand(canvas, rng, x, rng.uniform(0.82, 0.92), 0.13), rng)
    for x in spread(rng, 2, 0, 1):
        if rng.random() < 0.7:
            roadside.lamppost(stand(canvas, rng, x, rng.uniform(0.72, 0.86), 0.4), rng)
    for x in spread(rng, 2):
        if rng.random() < 0.5:
            creatures.person(stand(canvas, rng, x, 0.94, 0.22), rng)


def construction_site(canvas: Canvas, rng: Random) -> None:
    """A crane, an excavator, walls half built, cones."""
    sky.sky(canvas, rng, horizon=0.56)
    for x in spread(rng, 4, 0, 1):
        landmarks.skyscraper(canvas.pen(x, 0.58, rng.uniform(0.18, 0.34), haze=0.5), rng, width=0.5)
    ground(canvas, 0.56, rng.choice(inks("b5946a a88a66 c0a078")), "soil")
    roadside.crane(stand(canvas, rng, rng.uniform(0.2, 0.8), 0.66, 0.6), rng)
    pen = canvas.pen(rng.choice((0.2, 0.7)), 0.74, 0.24)
    brick = Region("brick_wall", "", "brick")
    pen.poly(
        "-.8,0 -.8,.9 -.4,.9 -.4,.6 0,.6 0,.75 .4,.75 .4,.35 .8,.35 .8,0",
        rng.choice(inks("b5603f c2704a a8543f")),
        brick,
        shade=0.15,
    )
    for u in (-0.55, 0.1):
        pen.box(u, 0.15, u + 0.28, 0.48, ink("4f3f40"), Region("brick_wall", "window"))
    if rng.random() < 0.85:
        outdoors_x = 1 - pen.frame[2] / canvas.side + rng.uniform(-0.08, 0.08)
        vehicles.excavator(stand(canvas, rng, outdoors_x, 0.84, 0.25), rng)
    for x in spread(rng, 4):
        if rng.random() < 0.7:
            roadside.cone(stand(canvas, rng, x, rng.uniform(0.88, 0.98), 0.09), rng)
    if rng.random() < 0.5:
        creatures.person(stand(canvas, rng, rng.uniform(0.1, 0.9), 0.92, 0.2), rng)
