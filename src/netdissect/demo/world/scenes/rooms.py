"""Draw indoor scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.objects import creatures, decor, fittings, furniture, plants
from netdissect.demo.world.palette import (
    BOOKS,
    CLOTHS,
    WOODS,
    darken_color,
    lighten_color,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.scenes.land import paint_room, place_pen, spread_places
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Canvas

_CABINETS = parse_palette("7fa0a5 e8dcc4 c96a4f 4f6f7f a9713f 8aa57a d9b25f")


def draw_bedroom_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a bed, a lamp by it, a window with curtains."""
    line = paint_room(canvas, rng, floor=rng.choice(("wood", "carpet", "parquet")))
    flip = rng.random() < 0.5
    x = rng.uniform(0.4, 0.6)
    if rng.random() < 0.8:
        decor.draw_room_window(
            canvas.pen(x + rng.uniform(0.1, 0.25) * (-1 if flip else 1), 0.33, rng.uniform(0.26, 0.32)), rng
        )
    if rng.random() < 0.6:
        decor.draw_painting(canvas.pen(x - 0.22 * (-1 if flip else 1), 0.3, rng.uniform(0.13, 0.18)), rng)
    if rng.random() < 0.7:
        decor.draw_rug(canvas.pen(x, 0.92, 0.13), rng)
    side = canvas.pen(x - 0.36 * (-1 if flip else 1), line + 0.06, 0.13)
    side.box(-0.5, 0, 0.5, 1, rng.choice(WOODS), Region("nightstand", "", "wood"), shade=0.25)
    side.disc(0, 0.65, 0.08, parse_hex_color("e9d9a0"), Region("nightstand", "knob", "metal"))
    furniture.draw_table_lamp(side.at(0, 1, 1.0), rng)
    furniture.draw_bed(canvas.pen(x, line + 0.14, 0.27, flip=flip), rng)
    if rng.random() < 0.3:
        creatures.draw_cat(place_pen(canvas, rng, rng.uniform(0.15, 0.85), 0.97, 0.14), rng)


def draw_living_room_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a sofa, a lamp, images, a television or a bookcase."""
    line = paint_room(
        canvas, rng, wall=rng.choice(("plaster", "plaster", "brick")), floor=rng.choice(("parquet", "carpet", "wood"))
    )
    places = spread_places(rng, 3, 0.04, 0.96)
    for x in places[:2]:
        if rng.random() < 0.65:
            decor.draw_painting(canvas.pen(x, rng.uniform(0.22, 0.32), rng.uniform(0.13, 0.2)), rng)
    roll = rng.random()
    if roll < 0.4:
        furniture.draw_bookcase(place_pen(canvas, rng, places[2], line + 0.03, 0.44), rng)
    elif roll < 0.7:
        fittings.draw_fireplace(place_pen(canvas, rng, places[2], line + 0.03, 0.34), rng)
    else:
        decor.draw_room_window(canvas.pen(places[2], 0.34, 0.3), rng)
    if rng.random() < 0.8:
        decor.draw_rug(canvas.pen(0.5, 0.93, 0.13), rng)
    x = rng.uniform(0.32, 0.68)
    if rng.random() < 0.8:
        furniture.draw_lamp(place_pen(canvas, rng, x + rng.choice((-0.33, 0.33)), line + 0.09, 0.46), rng)
    furniture.draw_sofa(place_pen(canvas, rng, x, line + 0.13, 0.24), rng)
    if rng.random() < 0.4:
        furniture.draw_television(place_pen(canvas, rng, rng.choice((0.14, 0.86)), line + 0.2, 0.26), rng)
    elif rng.random() < 0.6:
        decor.draw_potted_plant(place_pen(canvas, rng, rng.choice((0.08, 0.92)), line + 0.15, 0.28), rng)
    if rng.random() < 0.35:
        creatures.draw_cat(place_pen(canvas, rng, rng.uniform(0.15, 0.85), 0.97, 0.14), rng)


def draw_kitchen_scene(canvas: Canvas, rng: Random) -> None:
    """Draw cupboards, a cooker, a refrigerator."""
    line = paint_room(canvas, rng, wall=rng.choice(("tile", "plaster")), floor=rng.choice(("tile", "tile", "wood")))
    color = rng.choice(_CABINETS)
    base = line + 0.06
    left = rng.uniform(0.02, 0.12)
    width = rng.uniform(0.66, 0.76)
    if rng.random() < 0.75:
        fittings.draw_wall_cupboard(
            canvas.pen(left, 0.3, 0.18), width=width * rng.uniform(0.4, 0.55) / 0.18, color=color
        )
    if rng.random() < 0.6:
        decor.draw_room_window(canvas.pen(left + width * 0.78, 0.26, 0.24), rng, curtains=rng.random() < 0.3)
    fittings.draw_kitchen_row(canvas.pen(left, base, 0.26), rng, width=width / 0.26, color=color)
    fittings.draw_stove(canvas.pen(left + width * rng.uniform(0.2, 0.7), base, 0.26), rng)
    fittings.draw_refrigerator(canvas.pen(left + width + 0.11, base + 0.01, rng.uniform(0.5, 0.56)), rng)
    if rng.random() < 0.45:
        furniture.draw_table(place_pen(canvas, rng, rng.uniform(0.3, 0.7), 0.99, 0.17), rng, cloth=True)
    elif rng.random() < 0.4:
        creatures.draw_person(place_pen(canvas, rng, rng.uniform(0.2, 0.8), 0.98, 0.46), rng)


def draw_dining_room_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a table with chairs, a cloth, a vase; images on the wall."""
    line = paint_room(
        canvas, rng, wall=rng.choice(("plaster", "plaster", "brick")), floor=rng.choice(("wood", "parquet", "tile"))
    )
    for x in spread_places(rng, 3):
        roll = rng.random()
        if roll < 0.45:
            decor.draw_painting(canvas.pen(x, rng.uniform(0.24, 0.32), rng.uniform(0.13, 0.18)), rng)
        elif roll < 0.6:
            decor.draw_room_window(canvas.pen(x, 0.32, 0.26), rng)
        elif roll < 0.7:
            decor.draw_clock(canvas.pen(x, 0.26, 0.12), rng)
    x, base = rng.uniform(0.42, 0.58), line + rng.uniform(0.12, 0.17)
    color = rng.choice(WOODS)
    for sign in (-1, 1):
        furniture.draw_chair(canvas.pen(x + sign * 0.32, base + 0.01, 0.3, flip=sign > 0), rng, color)
    furniture.draw_table(canvas.pen(x, base, 0.2), rng, cloth=rng.random() < 0.6)
    for dx in spread_places(rng, 2, -0.16, 0.16):
        if rng.random() < 0.75:
            decor.draw_vase(canvas.pen(x + dx, base - 0.2, 0.15), rng)
    if rng.random() < 0.5:
        decor.draw_potted_plant(place_pen(canvas, rng, rng.choice((0.07, 0.93)), line + 0.06, 0.26), rng)
    if rng.random() < 0.75:
        lamp = canvas.pen(x, 0.0, 0.16)
        lamp.box(-0.02, -1.0, 0.02, 0, parse_hex_color("4a4038"), Region("chandelier", "rope", "metal"))
        lamp.poly(
            "-.5,-1.3 .5,-1.3 .2,-.95 -.2,-.95",
            parse_hex_color("f2d9a0"),
            Region("chandelier", "shade", "fabric"),
            glows=canvas.light.dark,
        )
        lamp.glow(0, -1.3, 1.6, parse_hex_color("ffe0a0"), 0.35)


def draw_bathroom_scene(canvas: Canvas, rng: Random) -> None:
    """Draw tiles, a bathtub, a washbasin under a mirror."""
    line = paint_room(canvas, rng, wall="tile", floor=rng.choice(("tile", "marble")))
    flip = rng.random() < 0.5

    def at(x: float) -> float:
        return 1 - x if flip else x

    if rng.random() < 0.4:
        decor.draw_room_window(canvas.pen(at(0.3), 0.28, 0.24), rng, curtains=False)
    if rng.random() < 0.95:
        fittings.draw_bathtub(canvas.pen(at(rng.uniform(0.3, 0.36)), line + 0.1, 0.2, flip=flip), rng)
    x = rng.uniform(0.7, 0.76)
    if rng.random() < 0.85:
        decor.draw_mirror(canvas.pen(at(x), 0.3, 0.26), rng)
    fittings.draw_sink(canvas.pen(at(x), line + 0.05, 0.3))
    if rng.random() < 0.7:
        fittings.draw_toilet(canvas.pen(at(0.91), line + 0.09, 0.26, flip=not flip), rng)
    if rng.random() < 0.6:
        decor.draw_rug(canvas.pen(at(0.4), 0.94, 0.09), rng)
    if rng.random() < 0.3:
        decor.draw_potted_plant(canvas.pen(at(0.06), line + 0.04, 0.22), rng)


def draw_office_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a desk with a computer, a chair, shelves."""
    line = paint_room(canvas, rng, floor=rng.choice(("carpet", "parquet", "wood")))
    x = rng.uniform(0.36, 0.64)
    other = x + rng.choice((-0.34, 0.34))
    if rng.random() < 0.7:
        furniture.draw_bookcase(place_pen(canvas, rng, min(max(other, 0.12), 0.88), line + 0.03, 0.44), rng, width=0.5)
    if rng.random() < 0.5:
        decor.draw_room_window(canvas.pen(x, 0.24, 0.26), rng, curtains=rng.random() < 0.3)
    elif rng.random() < 0.6:
        decor.draw_clock(canvas.pen(x, 0.2, 0.13), rng)
    furniture.draw_desk(place_pen(canvas, rng, x, line + 0.12, 0.22), rng)
    if rng.random() < 0.7:
        chair = canvas.pen(x + rng.uniform(-0.12, 0.12), line + 0.2, 0.28)
        color, leather = (
            rng.choice(parse_palette("2f3340 4f5f7f 8a4a3f 3f6f6a")),
            Region("swivel_chair", "seat", "leather"),
        )
        chair.line("-.3,.04 0,.16 .3,.04", 0.06, parse_hex_color("4a4a52"), Region("swivel_chair", "leg", "metal"))
        chair.box(-0.03, 0.1, 0.03, 0.45, parse_hex_color("4a4a52"), Region("swivel_chair", "leg", "metal"))
        chair.pill(-0.32, 0.42, 0.32, 0.54, 0.05, color, leather, shade=0.3)
        chair.pill(-0.27, 0.56, 0.27, 1.05, 0.12, color, Region("swivel_chair", "back", "leather"), shade=0.3)
    if rng.random() < 0.5:
        decor.draw_potted_plant(place_pen(canvas, rng, rng.choice((0.08, 0.92)), line + 0.1, 0.3), rng)


def draw_classroom_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a blackboard, desks and pupils' chairs."""
    line = paint_room(canvas, rng, floor=rng.choice(("wood", "parquet", "tile")))
    x = rng.uniform(0.42, 0.58)
    decor.draw_blackboard(canvas.pen(x, rng.uniform(0.3, 0.36), rng.uniform(0.26, 0.3)), rng)
    if rng.random() < 0.7:
        decor.draw_clock(canvas.pen(rng.choice((0.1, 0.9)), 0.18, 0.11), rng)
    if rng.random() < 0.7:
        creatures.draw_person(place_pen(canvas, rng, x + rng.choice((-0.36, 0.36)), line + 0.07, 0.34), rng)
    color = rng.choice(WOODS)
    for y, size in ((line + 0.1, 0.13), (0.96, 0.16)):
        for place in spread_places(rng, 2, 0.05, 0.95):
            furniture.draw_chair(canvas.pen(place - 0.13, y, size * 1.5), rng, color)
            furniture.draw_table(canvas.pen(place + 0.05, y, size), rng)
            if rng.random() < 0.5:
                canvas.pen(place, y - size, 0.03).box(-1, 0, 1, 0.6, rng.choice(BOOKS), Region("notebook", "", "paper"))


def draw_library_scene(canvas: Canvas, rng: Random) -> None:
    """Draw walls of books, an armchair, a lamp."""
    line = paint_room(
        canvas,
        rng,
        floor=rng.choice(("carpet", "parquet")),
        wall_color=rng.choice(parse_palette("b59a7a a98f85 8f9a85")),
    )
    for x in spread_places(rng, 3, -0.04, 1.04):
        furniture.draw_bookcase(canvas.pen(x, line + 0.02, rng.uniform(0.5, 0.58)), rng, width=0.56)
    if rng.random() < 0.7:
        decor.draw_rug(canvas.pen(0.5, 0.92, 0.12), rng)
    x = rng.uniform(0.25, 0.75)
    furniture.draw_armchair(place_pen(canvas, rng, x, line + 0.17, 0.3), rng)
    if rng.random() < 0.8:
        furniture.draw_lamp(place_pen(canvas, rng, x + rng.choice((-0.22, 0.22)), line + 0.12, 0.48), rng)
    if rng.random() < 0.5:
        furniture.draw_table(place_pen(canvas, rng, 1 - x, line + 0.22, 0.14), rng)
    elif rng.random() < 0.5:
        creatures.draw_person(place_pen(canvas, rng, 1 - x, line + 0.17, 0.38), rng)


def draw_music_room_scene(canvas: Canvas, rng: Random) -> None:
    """Draw a piano, a guitar, a music stand."""
    line = paint_room(
        canvas, rng, wall=rng.choice(("plaster", "brick")), floor=rng.choice(("parquet", "wood", "carpet"))
    )
    x = rng.uniform(0.36, 0.64)
    for place in spread_places(rng, 2):
        if rng.random() < 0.6:
            decor.draw_painting(canvas.pen(place, 0.24, 0.15), rng)
    decor.draw_piano(place_pen(canvas, rng, x, line + 0.07, 0.32), rng)
    if rng.random() < 0.8:
        decor.draw_vase(canvas.pen(x + rng.uniform(-0.14, 0.14), line + 0.07 - 0.325, 0.13), rng)
    stool = canvas.pen(x, line + 0.16, 0.14)
    stool.shadow(0, 0, 0.5, 0.08)
    for u in (-0.3, 0.22):
        stool.box(u, 0, u + 0.09, 0.7, parse_hex_color("4a2f24"), Region("stool", "leg", "wood"))
    stool.pill(-0.42, 0.66, 0.42, 0.9, 0.1, rng.choice(CLOTHS), Region("stool", "seat", "leather"), shade=0.3)
    for sign in (-1, 1):
        if rng.random() < 0.7:
            decor.draw_guitar(place_pen(canvas, rng, x + sign * rng.uniform(0.3, 0.36), line + 0.12, 0.36), rng)
    if rng.random() < 0.4:
        decor.draw_rug(canvas.pen(x, 0.94, 0.11), rng)


def draw_art_gallery_scene(canvas: Canvas, rng: Random) -> None:
    """Draw images on a pale wall, statues, visitors."""
    line = paint_room(
        canvas,
        rng,
        floor=rng.choice(("marble", "parquet")),
        wall_color=rng.choice(parse_palette("eeeae2 e3e6e8 d9d3dc 8f5a5a 4f6a6a")),
    )
    for x in spread_places(rng, rng.randint(3, 4), 0.02, 0.98):
        decor.draw_painting(canvas.pen(x, rng.uniform(0.28, 0.38), rng.uniform(0.2, 0.3)), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.75:
            decor.draw_statue(place_pen(canvas, rng, x, line + rng.uniform(0.06, 0.14), 0.36), rng)
    for x in spread_places(rng, 2):
        if rng.random() < 0.6:
            creatures.draw_person(place_pen(canvas, rng, x, rng.uniform(0.9, 0.97), 0.38), rng)
    if rng.random() < 0.4:
        bench = canvas.pen(rng.uniform(0.3, 0.7), 0.92, 0.1)
        bench.shadow(0, 0, 1.3, 0.12)
        for u in (-1.0, 0.9):
            bench.box(u, 0, u + 0.1, 0.6, parse_hex_color("4a4038"), Region("bench", "leg", "metal"))
        bench.pill(-1.2, 0.55, 1.2, 0.85, 0.1, rng.choice(CLOTHS), Region("bench", "seat", "leather"), shade=0.3)


def draw_greenhouse_scene(canvas: Canvas, rng: Random) -> None:
    """Draw glass walls, plants in pots, flowers in boxes."""
    light, pen = canvas.light, canvas.pen(0, 0, 1)
    line = rng.uniform(0.62, 0.68)
    pen.box(
        -0.02,
        0.02,
        1.02,
        -line,
        lighten_color(light.sky[0], 0.25),
        Region("windowpane", "", "glass"),
        to=light.sky[1],
        glows=True,
    )
    frame = Region("greenhouse_frame", "", "metal")
    for i in range(6):
        pen.box(0.2 * i - 0.008, 0.02, 0.2 * i + 0.008, -line, parse_hex_color("f4f6f0"), frame, shade=0)
    for v in (0.14, 0.38):
        pen.box(-0.02, -v, 1.02, -v - 0.015, parse_hex_color("f4f6f0"), frame, shade=0)
    pen.box(
        -0.02, -line, 1.02, -1.02, parse_hex_color("cdbfa8"), Region("", "", "paving"), to=parse_hex_color("b5a58c")
    )
    wood = rng.choice(WOODS)
    for y, size in ((line + 0.06, 0.1), (0.96, 0.13)):
        pen.box(-0.02, -y + size, 1.02, -y, darken_color(wood, 0.1), Region("flowerbox", "", "wood"), shade=0.2)
        pen.box(-0.02, -y + size + 0.02, 1.02, -y + size, lighten_color(wood, 0.15), Region("flowerbox", "", "wood"))
        for x in spread_places(rng, 6, 0, 1):
            roll = rng.random()
            if roll < 0.4:
                decor.draw_potted_plant(canvas.pen(x, y - size - 0.015, rng.uniform(0.18, 0.26)), rng)
            elif roll < 0.75:
                for dx in (-0.04, 0.0, 0.04):
                    plants.draw_flower(canvas.pen(x + dx, y - size - 0.015, rng.uniform(0.12, 0.17)), rng)
            elif roll < 0.85:
                plants.draw_cactus(canvas.pen(x, y - size - 0.015, rng.uniform(0.12, 0.18)), rng)
