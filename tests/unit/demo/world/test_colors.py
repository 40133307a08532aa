import numpy as np
import pytest

from netdissect.demo.world.colors import COLORS, name_colors


def named(*rgb):
    return COLORS[int(name_colors(np.array(rgb, np.uint8)))]


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((5, 5, 5), "black"), ((30, 60, 200), "blue"), ((110, 70, 40), "brown"), ((128, 128, 128), "grey"),
        ((40, 150, 60), "green"), ((245, 140, 30), "orange"), ((250, 170, 190), "pink"), ((130, 50, 160), "purple"),
        ((200, 25, 30), "red"), ((250, 250, 250), "white"), ((245, 220, 40), "yellow"), ((140, 190, 235), "blue"),
    ],
)  # fmt: skip
def test_focal_colors_have_their_names(rgb, name):
    assert named(*rgb) == name


def test_every_color_of_the_cube_has_one_of_eleven_names():
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 8, dtype=np.uint8)] * 3, indexing="ij"), axis=-1)
    numbers = name_colors(cube)
    assert numbers.shape == cube.shape[:-1]
    assert set(np.unique(numbers)) == set(range(11))


@pytest.mark.shared
def test_names_agree_with_the_published_table(shared):
    table = np.load(shared / "reference" / "broden" / "w2color.npy")
    cube = np.stack(np.meshgrid(*[np.arange(4, 256, 8, dtype=np.uint8)] * 3, indexing="ij"), axis=-1)
    assert (name_colors(cube) == table).mean() > 0.85
