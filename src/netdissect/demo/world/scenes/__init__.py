"""The scenes, and the light each is seen in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.light import ANY, BRIGHT, DAY, EVENING, ROOM
from netdissect.demo.world.scenes import country, nature, rooms, squares, town

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from netdissect.demo.world.canvas import Canvas

    #: Draws a scene on a canvas.
    Draw = Callable[[Canvas, Random], None]

_ANY_HOUR = (*ANY, "night", "night")
_FINE = (*BRIGHT, "sunset")

#: Every scene by its name: how it is drawn, and the times of day it is drawn at.
SCENES: dict[str, tuple[Draw, tuple[str, ...]]] = {
    "beach": (nature.beach, _FINE),
    "coast": (nature.coast, _ANY_HOUR),
    "sea": (nature.sea, ANY),
    "lake": (nature.lake, ANY),
    "river": (nature.river, ANY),
    "coral_reef": (nature.coral_reef, ("noon", "breeze", "day")),
    "ski_slope": (nature.ski_slope, BRIGHT),
    "forest": (nature.forest, DAY),
    "campsite": (nature.campsite, ("dusk", "night", "night", "sunset", "morning", "gold")),
    "desert": (nature.desert, (*_FINE, "gold")),
    "savanna": (nature.savanna, ("gold", "sunset", "morning", "noon")),
    "farm": (country.farm, DAY),
    "pasture": (country.pasture, DAY),
    "lavender_field": (country.lavender_field, _FINE),
    "poppy_field": (country.poppy_field, _FINE),
    "sunflower_field": (country.sunflower_field, BRIGHT),
    "tulip_field": (country.tulip_field, DAY),
    "orchard": (country.orchard, DAY),
    "garden": (country.garden, DAY),
    "japanese_garden": (country.japanese_garden, (*DAY, "sunset")),
    "village": (country.village, _ANY_HOUR),
    "snow_village": (country.snow_village, _ANY_HOUR),
    "castle": (country.castle, _ANY_HOUR),
    "balloon_festival": (country.balloon_festival, _FINE),
    "street": (town.street, _ANY_HOUR),
    "downtown": (town.downtown, _ANY_HOUR),
    "skyline": (town.skyline, EVENING),
    "harbor": (town.harbor, ANY),
    "train_station": (town.train_station, ANY),
    "highway": (town.highway, ANY),
    "gas_station": (town.gas_station, _ANY_HOUR),
    "airport": (town.airport, ANY),
    "market": (squares.market, DAY),
    "amusement_park": (squares.amusement_park, _ANY_HOUR),
    "playground": (squares.playground, DAY),
    "park": (squares.park, _ANY_HOUR),
    "construction_site": (squares.construction_site, DAY),
    "bedroom": (rooms.bedroom, ROOM),
    "living_room": (rooms.living_room, ROOM),
    "kitchen": (rooms.kitchen, ROOM),
    "dining_room": (rooms.dining_room, ROOM),
    "bathroom": (rooms.bathroom, ROOM),
    "office": (rooms.office, ROOM),
    "classroom": (rooms.classroom, ROOM),
    "library": (rooms.library, ROOM),
    "music_room": (rooms.music_room, ROOM),
    "art_gallery": (rooms.art_gallery, ROOM),
    "greenhouse": (rooms.greenhouse, DAY),
}
