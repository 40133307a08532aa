"""CVAT for images 1.1: every shape, the order of z_order, and XML that is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.probe_sets.importers.annotations.tiny_exports import (
    SIZE,
    label_maps,
    nothing,
    photo,
    same,
    source_of,
    splits,
    write,
)

from netdissect.errors import DataFileError

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
LABELS = "<meta><task><labels><label><name>cat</name></label><label><name>dog</name></label></labels></task></meta>"
POLYGON = '<polygon label="cat" source="manual" occluded="0" points="4.0,2.0;20,2;20,12;4,12" z_order="{}"></polygon>'


def xml(*shapes, head=HEAD, more='subset="Validation"', name="a.jpg"):
    image = f'<image id="0" name="{name}" {more} width="32" height="24">{"".join(shapes)}</image>'
    return f"{head}<annotations><version>1.1</version>{LABELS}{image}</annotations>"


def one(folder, *shapes, **how):
    photo(folder / "images" / "a.jpg")
    write(folder / "annotations.xml", xml(*shapes, **how))
    return label_maps(folder)["images-a.jpg"]


def test_the_highest_z_order_is_on_top_and_of_equals_the_later(tmp_path):
    box = '<box label="dog" source="manual" occluded="0" xtl="10" ytl="6" xbr="28" ybr="20" z_order="{}"><attribute name="n">1</attribute></box>'
    below, above = nothing(), nothing()
    below[6:20, 10:28] = "dog"
    below[2:12, 4:20] = "cat"
    above[2:12, 4:20] = "cat"
    above[6:20, 10:28] = "dog"
    same(one(tmp_path, POLYGON.format(1), box.format(0)), below)
    same(one(tmp_path, POLYGON.format(0), box.format(0)), above)
    same(one(tmp_path, box.format(-1), POLYGON.format(-2)), above)
    assert splits(tmp_path) == {"images-a.jpg": "val"}


def test_masks_are_runs_of_nothing_and_something_row_by_row_in_their_box(tmp_path):
    mask = np.random.default_rng(2).random((6, 7)) < 0.5
    mask[0, 0] = True
    flat = mask.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = [0, *np.diff([0, *edges, flat.size])]
    shape = f'<mask label="cat" source="manual" occluded="0" rle="{", ".join(map(str, lengths))}" left="10" top="5" width="7" height="6" z_order="0"></mask>'
    expected = nothing()
    expected[5:11, 10:17][mask] = "cat"
    same(one(tmp_path, shape), expected)
    with pytest.raises(
        DataFileError, match=r"shape 1 \(cat\): the runs of its mask cover 42 pixels, and its box has 8 x 6"
    ):
        one(tmp_path, shape.replace('width="7"', 'width="8"'))


def test_ellipses_and_rotated_boxes(tmp_path):
    rows, columns = np.mgrid[:24, :32] + 0.5
    expected = nothing()
    expected[((columns - 8) / 6) ** 2 + ((rows - 12) / 4) ** 2 <= 1] = "dog"
    expected[7:17, 20:24] = "cat"  # 10 x 4 about (22, 12), a quarter turned
    found = one(
        tmp_path, '<ellipse label="dog" cx="8" cy="12" rx="6" ry="4" z_order="0"></ellipse>',
        '<box label="cat" xtl="17" ytl="10" xbr="27" ybr="14" rotation="90" z_order="0"></box>',
    )  # fmt: skip
    same(found, expected)


def test_an_image_tag_is_no_shape_and_a_rotated_photo_is_annotated_upright(tmp_path):
    photo(tmp_path / "images" / "a.jpg", (32, 24), turned=6)
    write(tmp_path / "annotations.xml", xml(POLYGON.format(0), '<tag label="night" source="manual"></tag>'))
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    same(label_maps(tmp_path)["images-a.jpg"], expected)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (
            '<polyline label="cat" points="1,1;5,5"/>',
            r"shape 1 \(cat\): a polyline covers no pixels: --leave-out lines",
        ),
        ('<points label="cat" points="1,1"/>', r"a points covers no pixels: --leave-out points"),
        ('<skeleton label="cat"><points label="1" points="1,1"/></skeleton>', r"--leave-out skeletons"),
        ('<cuboid label="cat" xtl1="1"/>', r"--leave-out cuboids"),
        ('<blob label="cat"/>', r"shape 1 \(cat\): unknown shape <blob>: expected"),
        ('<polygon label="cat" points="1,1;5;5,9"/>', r"shape 1 \(cat\): expected points as x,y;x,y"),
        ('<polygon label="cat" points="1,1;nan,5;5,9"/>', r"\(cat\): nan is not a coordinate|nan"),
        ('<box label="cat" xtl="1" ytl="2" xbr="3"/>', r"shape 1 \(cat\): 'ybr' is missing"),
        ('<box xtl="1" ytl="2" xbr="3" ybr="4"/>', r"image a\.jpg, shape 1: 'label' is missing"),
    ],
)
def test_a_shape_that_is_not_understood_is_named(tmp_path, shape, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, shape)


def test_tracks_of_a_video_are_refused_by_name(tmp_path):
    write(tmp_path / "annotations.xml", f"<annotations>{LABELS}<track id='0' label='cat'></track></annotations>")
    with pytest.raises(DataFileError, match=r"got tracks of a video: export it as CVAT for images"):
        source_of(tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_document_type_is_refused(tmp_path, head):
    with pytest.raises(DataFileError, match=r"it declares a document type or entities, which no annotation file needs"):
        one(tmp_path, POLYGON.format(0), head=f"<?xml version='1.0'?>{head}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotations><image>", "expected CVAT's annotations as XML: no element found"),
        ("<annotations>" + "<a>" * 200, "its elements are nested deeper than 100 times"),
        ("<annotations>&x;</annotations>", "as XML: undefined entity"),
    ],
)
def test_xml_that_is_damaged_is_reported(tmp_path, text, words):
    write(tmp_path / "annotations.xml", text)
    with pytest.raises(DataFileError, match=words):
        source_of(tmp_path)


def test_what_is_outside_is_cut(tmp_path):
    found = one(tmp_path, '<box label="cat" xtl="-4" ytl="-4" xbr="60" ybr="12" z_order="0"/>')
    expected = nothing()
    expected[:12] = "cat"
    assert found.shape == SIZE
    same(found, expected)
