"""The categories' colors can be told apart in gray and with color blindness, and be seen on the page."""

import re
from importlib import resources

import pytest
from benchmarks.color_vision import measure_contrast, measure_distances

from netdissect.concepts import CATEGORY_ORDER
from netdissect.report.category_colors import DARK_FILL_COLORS, FILL_COLORS, PAPER_COLORS, TEXT_COLORS


def read_styles(kind):
    """Return the style sheet's colors of a kind, on the light and on the dark page."""
    text = resources.files("netdissect.report.html").joinpath("static", "style.css").read_text()
    light, dark = text.split(':root[data-theme="dark"] {', 1)
    return [dict(re.findall(rf"--{kind}-(\w+): (#\w+)", part)) for part in (light, dark.split("}", 1)[0])]


@pytest.mark.parametrize("colors", [FILL_COLORS, DARK_FILL_COLORS], ids=["light", "dark"])
def test_colors_are_told_apart_in_gray_and_with_every_kind_of_color_blindness(colors):
    found = measure_distances([colors[name] for name in CATEGORY_ORDER])
    assert found.pop("gray") > 7.5
    assert set(found) == {"normal", "protan", "deutan", "tritan"}
    assert min(found.values()) > 0.12


def test_the_measure_finds_colors_that_are_alike():
    assert measure_distances(["#000000", "#ffffff"])["gray"] == pytest.approx(100)
    red_and_green = measure_distances(["#d0650a", "#7f8f0a"])
    assert red_and_green["deutan"] < 0.5 * red_and_green["normal"]
    assert measure_contrast("#ffffff", "#000000") == pytest.approx(21)


def test_the_page_and_the_figures_have_the_same_colors_which_can_be_seen():
    fills, texts = read_styles("fill"), read_styles("text")
    assert fills == [FILL_COLORS, DARK_FILL_COLORS]
    assert texts[0] == TEXT_COLORS
    for page, fill, text in zip(("light", "dark"), fills, texts, strict=True):
        assert min(measure_contrast(color, PAPER_COLORS[page]) for color in fill.values()) >= 3
        assert min(measure_contrast(color, PAPER_COLORS[page]) for color in text.values()) >= 4.8
