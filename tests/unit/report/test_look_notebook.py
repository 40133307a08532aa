"""What a notebook shows of a look."""

import base64
import io
import re

import numpy as np
from PIL import Image
from tests import made_up_looks

from netdissect.concepts import display_name
from netdissect.report.label_colors import pick_color
from netdissect.report.look_notebook import color_concepts, render_look
from netdissect.report.look_numbers import LookNumbers


def test_every_pixel_has_the_color_of_the_concept_with_most_units():
    _, images = made_up_looks.make_look(images=1, size=(30, 40))
    look, pixels = images[0]["block2/conv"], images[0].pixels
    numbers = LookNumbers(look.result, 0.04).find_concepts(look.columns)
    found, concept = color_concepts(pixels, look, numbers), look.make_maps((30, 40)).concept
    assert (concept >= 0).any()
    for y, x in np.ndindex(30, 40):
        expected = pixels[y, x].astype(float)
        if concept[y, x] >= 0:
            expected = 0.45 * expected + 0.55 * np.array(pick_color(int(numbers[concept[y, x]])))
        assert np.abs(found[y, x] - expected).max() <= 0.5 + 1e-9


def test_a_notebook_shows_concepts_units_and_images_and_escapes_names():
    _, images = made_up_looks.make_look(images=6, names=[f"<b>{n}.jpg" for n in range(6)])
    page = render_look(images, 0.04, "from <exemplars>")
    assert "from &lt;exemplars&gt;" in page
    assert "<b>0.jpg" not in page.replace("<p><b>", "")
    assert "&lt;b&gt;3.jpg" in page
    assert "4.jpg" not in page
    assert "and 2 more images" in page
    look = images[0]["block1/conv"]
    assert f"block1/conv: {look.channels.size} of {look.labeled} labeled units fire" in page
    concept = look.concepts[0]
    assert f"{display_name(concept.label)}: unit" in page
    assert f" {', '.join(map(str, concept.units))} (" in page
    data = re.findall(r"base64,([A-Za-z0-9+/=]+)", page)
    assert len(data) == 4 * 2
    assert Image.open(io.BytesIO(base64.b64decode(data[0]))).size == (120, 80)
