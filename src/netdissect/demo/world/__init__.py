"""The bundled probe set: scenes, objects and their parts, materials, textures and colors, drawn from a seed.

``render`` draws one image and its labels, ``write_probe_set`` a whole Broden folder.
"""

from netdissect.demo.world.render import DEMO_IMAGES, SUBJECTS, Rendering, render_image
from netdissect.demo.world.write_world import has_probe_set, write_probe_set

__all__ = ["DEMO_IMAGES", "SUBJECTS", "Rendering", "has_probe_set", "render_image", "write_probe_set"]
