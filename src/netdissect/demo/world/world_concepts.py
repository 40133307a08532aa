"""The concepts of the bundled probe set with their numbers, and the concepts of a region.

The numbers of concepts are fixed, so label maps do not depend on the number of images. Stuff (grass, water, brick) is a
material and not an object, so that one surface does not have two names.
"""

from __future__ import annotations

from typing import NamedTuple

from netdissect.demo.world.colors import COLORS


class Region(NamedTuple):
    """The names of a shape's object, part and material; an empty name means none."""

    object: str = ""
    part: str = ""
    material: str = ""


#: The region of shapes without a name, such as the sky.
NOTHING = Region()


def _split_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Objects, including distant ones such as mountains.
OBJECTS = _split_words(
    """
    acacia airplane armchair ball balloon barn barrel basket bathtub bed bench bicycle bird blackboard bookcase
    boulder brick_wall bridge bubble bus bush cabinet cactus campfire car castle cat chair chairlift chandelier
    church circus_tent cliff clock cloud computer cone control_tower cooking_pot coral cow crane crate crosswalk
    curtain cypress deer desk elephant excavator fence ferris_wheel fir fireplace fish flower flowerbox fountain
    fruit gas_pump gas_station gate giraffe greenhouse_frame guardrail guitar hay_bale hill house ladder lamp
    lavender lighthouse mesa mirror moon mountain mushroom nightstand notebook pagoda painting palm path person
    piano pier plant platform railway_track refrigerator rowboat rug sailboat sandbox seaweed sheep ship sidewalk
    signboard sink skirting skyscraper sled slide snowflake snowman sofa stall star statue stool stove streetlight
    sun sunflower swing swivel_chair table tablecloth television tent terminal toilet towel tractor traffic_light
    train tree truck umbrella vase windmill windowpane worktop
    """
)
#: Parts of objects; several objects may have a part of the same name.
PARTS = _split_words(
    """
    antenna apple arm armrest awning back balcony base basin berry blade blanket board body book branch bucket bulb
    bumper burner cab cabin canvas cap chimney chute cistern coconut container counter counterweight coupling crown
    cushion dial door drawer ear engine envelope eye faucet fin firebox flag flame foam foot frame frond gondola
    grille hair hand handle hat head headboard headlight hoop horn hose housing hull jet keyboard knob lantern leaf
    leg lid load log mantel mast mattress muzzle neck nose oar oven peak pedestal petal pillar pillow pistil pole
    portal post pot rail railing rod roof rope saddle sail scarf screen seat shade sheet shelf shutter sill sleeper
    slope stand steeple stem step tail taillight top torso tower track trailer trunk tusk wall wheel window wing
    """
)
#: Materials of objects and grounds.
MATERIALS = _split_words(
    """
    asphalt bark brick carpet ceramic concrete fabric foliage food fur glass grass gravel hay leather marble metal
    paper parquet paving plaster plastic reef rock rubber sand shingle skin snow soil stone tile water wicker wood
    """
)
#: Textures named as in the Describable Textures Dataset.
TEXTURES = _split_words(
    """
    blotchy bubbly chequered cracked crosshatched grid honeycombed knitted marbled pleated polka-dotted scaly
    spiralled striped studded swirly woven zigzagged
    """
)
#: Scenes: what a whole image shows.
SCENES = _split_words(
    """
    airport amusement_park art_gallery balloon_festival bathroom beach bedroom campsite castle classroom coast
    construction_site coral_reef desert dining_room downtown farm forest garden gas_station greenhouse harbor
    highway japanese_garden kitchen lake lavender_field library living_room market music_room office orchard park
    pasture playground poppy_field river savanna sea ski_slope skyline snow_village street sunflower_field
    train_station tulip_field village
    """
)

#: Every concept's label number, by category and name; colors end in ``-c`` and scenes in ``-s``, as in Broden.
NUMBERS: dict[str, dict[str, int]] = {}
for _category, _names in (
    ("object", OBJECTS),
    ("part", PARTS),
    ("material", MATERIALS),
    ("texture", TEXTURES),
    ("color", tuple(f"{name}-c" for name in COLORS)),
    ("scene", tuple(f"{name}-s" for name in SCENES)),
):
    _first = 1 + sum(map(len, NUMBERS.values()))
    NUMBERS[_category] = {name: number for number, name in enumerate(_names, start=_first)}
