"""Post-processing of OpenSurfaces: from JSON tables to label maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.probe_sets.compile import source_pixels
from netdissect.probe_sets.compile.opensurfaces import open_opensurfaces
from netdissect.probe_sets.compile.opensurfaces_shapes import has_release, render_label_maps
from netdissect.protocols import NullProgress


def rendered(root, workers=1):
    return render_label_maps(root, workers=workers, progress=NullProgress())


def test_shapes_become_label_images_the_ones_with_fewer_corners_on_top(tmp_path):
    root = originals.write_opensurfaces(tmp_path, processed=False)
    assert has_release(root)
    assert rendered(root) == 3
    first = source_pixels.read_rgb_label_map(root / "photos-labels" / "1.png")
    assert first.shape == (1024, 1536, 3)
    # Sorted by name: Fabric/cloth 1, Plastic - clear 2; Chair 1, Table 2.
    assert first[500, 100].tolist() == [1, 2, 1]
    assert first[500, 1500].tolist() == [2, 1, 1]


def test_photos_and_shapes_that_do_not_count_are_left_out(tmp_path):
    root = originals.write_opensurfaces(tmp_path, processed=False)
    rendered(root)
    assert (source_pixels.read_rgb_label_map(root / "photos-labels" / "2.png")[..., :2] == 0).all()
    assert not (root / "photos-labels" / "4.png").exists()
    photos = (root / "photos.csv").read_text().splitlines()
    assert photos == ["photo_id,scene_category_name", "3,kitchen", "2,kitchen", "1,kitchen"]
    substances = (root / "label-substance-colors.csv").read_text().splitlines()
    assert substances[1:] == ["2,Fabric/cloth,1", "1,Plastic - clear,2"]


def test_what_was_drawn_is_read_as_a_source(tmp_path):
    root = originals.write_opensurfaces(tmp_path, processed=False)
    rendered(root)
    source = open_opensurfaces(root)
    labels = source.read_labels(source.list_images()[2])["material"]
    assert {source.list_names("material", int(n)) for n in np.unique(labels)} == {
        ("fabric", "cloth"),
        ("plastic-clear",),
    }


def test_an_interrupted_rendering_goes_on(tmp_path):
    root = originals.write_opensurfaces(tmp_path, processed=False)
    rendered(root)
    whole = (root / "photos-labels" / "1.png").read_bytes()
    (root / "photos-labels" / "1.png").unlink()
    (root / "photos-labels" / "2.png").write_bytes(b"kept")
    rendered(root, workers=2)
    assert (root / "photos-labels" / "1.png").read_bytes() == whole
    assert (root / "photos-labels" / "2.png").read_bytes() == b"kept"


@pytest.mark.shared
def test_the_genuine_substances_get_their_genuine_colors(shared, tmp_path):
    genuine = (shared / "reference" / "broden" / "opensurfaces_label-substance-colors.csv").read_text()
    rows = [line.rsplit(",", 1)[0].split(",", 1) for line in genuine.splitlines()[1:]]
    root = originals.write_opensurfaces(tmp_path, processed=False)
    records = [{"pk": int(key), "fields": {"name": name, "fail": False}} for key, name in reversed(rows)]
    (root / "shapes.shapesubstance.json").write_text(json.dumps(records))
    rendered(root)
    assert (root / "label-substance-colors.csv").read_text().split() == genuine.split()


def test_a_damaged_release_is_one_sentence(tmp_path):
    root = originals.write_opensurfaces(tmp_path, processed=False)
    shapes = root / "shapes.materialshape.json"
    broken = json.loads(shapes.read_text())
    broken[0]["fields"]["triangles"] = "0,1,9"
    shapes.write_text(json.dumps(broken))
    with pytest.raises(DataFileError, match="photo 1: a shape's corners or triangles are damaged"):
        rendered(root)
    shapes.write_text(shapes.read_text()[:100])
    with pytest.raises(DataFileError, match="expected a JSON list of records with pk and fields"):
        rendered(root)
    shapes.unlink()
    with pytest.raises(DataNotFoundError, match=r"shapes.materialshape.json is missing"):
        rendered(root)


@pytest.mark.parametrize(
    ("table", "field", "value", "message"),
    [
        ("photos.photo.json", "num_vertices", "many", "has 'many' as its num_vertices"),
        ("photos.photo.json", "scene_category_correct_score", "good", "has 'good' as its scene_category_correct_score"),
        ("photos.photo.json", "scene_category", [1], r"has \[1\] as its scene_category"),
        ("photos.photo.json", "pk", [1], r"has \[1\] as its pk"),
        ("photos.photo.json", "pk", 2, "two of its records have the same pk"),
        ("photos.photo.json", "aspect_ratio", 99.0, r"photo 1 has the aspect ratio 99\.0"),
        ("shapes.materialshape.json", "substance", {}, r"has \{\} as its substance"),
        ("shapes.materialshape.json", "photo", [1], r"has \[1\] as its photo"),
        (
            "shapes.materialshape.json",
            "triangles",
            "0,1,-1",
            r"damaged \(a triangle refers to a corner that does not exist\)",
        ),
        (
            "shapes.materialshape.json",
            "vertices",
            "1e300,0,0,1,1,1,1,0",
            r"damaged \(a corner is far outside the photo\)",
        ),
        (
            "shapes.materialshape.json",
            "vertices",
            "nan,0,0,1,1,1,1,0",
            r"damaged \(a corner is far outside the photo\)",
        ),
    ],
)
def test_a_field_of_another_kind_names_its_record(tmp_path, table, field, value, message):
    root = originals.write_opensurfaces(tmp_path, processed=False)
    records = json.loads((root / table).read_text())
    (records[0] if field == "pk" else records[0]["fields"])[field] = value
    (root / table).write_text(json.dumps(records))
    with pytest.raises(DataFileError, match=message):
        rendered(root)
