"""The table of scenes, with the times of day each is drawn at."""

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

#: The function that draws each scene, and its times of day, by name.
SCENES: dict[str, tuple[Draw, tuple[str, ...]]] = {
    "beach": (nature.draw_beach_scene, _FINE),
    "coast": (nature.draw_coast_scene, _ANY_HOUR),
    "sea": (nature.draw_sea_scene, ANY),
    "lake": (nature.draw_lake_scene, ANY),
    "river": (nature.draw_river_scene, ANY),
    "coral_reef": (nature.draw_coral_reef_scene, ("noon", "breeze", "day")),
    "ski_slope": (nature.draw_ski_slope_scene, BRIGHT),
    "forest": (nature.draw_forest_scene, DAY),
    "campsite": (nature.draw_campsite_scene, ("dusk", "night", "night", "sunset", "morning", "gold")),
    "desert": (nature.draw_desert_scene, (*_FINE, "gold")),
    "savanna": (nature.draw_savanna_scene, ("gold", "sunset", "morning", "noon")),
    "farm": (country.draw_farm_scene, DAY),
    "pasture": (country.draw_pasture_scene, DAY),
    "lavender_field": (country.draw_lavender_field_scene, _FINE),
    "poppy_field": (country.draw_poppy_field_scene, _FINE),
    "sunflower_field": (country.draw_sunflower_field_scene, BRIGHT),
    "tulip_field": (country.draw_tulip_field_scene, DAY),
    "orchard": (country.draw_orchard_scene, DAY),
    "garden": (country.draw_garden_scene, DAY),
    "japanese_garden": (country.draw_japanese_garden_scene, (*DAY, "sunset")),
    "village": (country.draw_village_scene, _ANY_HOUR),
    "snow_village": (country.draw_snow_village_scene, _ANY_HOUR),
    "castle": (country.draw_castle_scene, _ANY_HOUR),
    "balloon_festival": (country.draw_balloon_festival_scene, _FINE),
    "street": (town.draw_street_scene, _ANY_HOUR),
    "downtown": (town.draw_downtown_scene, _ANY_HOUR),
    "skyline": (town.draw_skyline_scene, EVENING),
    "harbor": (town.draw_harbor_scene, ANY),
    "train_station": (town.draw_train_station_scene, ANY),
    "highway": (town.draw_highway_scene, ANY),
    "gas_station": (town.draw_gas_station_scene, _ANY_HOUR),
    "airport": (town.draw_airport_scene, ANY),
    "market": (squares.draw_market_scene, DAY),
    "amusement_park": (squares.draw_amusement_park_scene, _ANY_HOUR),
    "playground": (squares.draw_playground_scene, DAY),
    "park": (squares.draw_park_scene, _ANY_HOUR),
    "construction_site": (squares.draw_construction_site_scene, DAY),
    "bedroom": (rooms.draw_bedroom_scene, ROOM),
    "living_room": (rooms.draw_living_room_scene, ROOM),
    "kitchen": (rooms.draw_kitchen_scene, ROOM),
    "dining_room": (rooms.draw_dining_room_scene, ROOM),
    "bathroom": (rooms.draw_bathroom_scene, ROOM),
    "office": (rooms.draw_office_scene, ROOM),
    "classroom": (rooms.draw_classroom_scene, ROOM),
    "library": (rooms.draw_library_scene, ROOM),
    "music_room": (rooms.draw_music_room_scene, ROOM),
    "art_gallery": (rooms.draw_art_gallery_scene, ROOM),
    "greenhouse": (rooms.draw_greenhouse_scene, DAY),
}
