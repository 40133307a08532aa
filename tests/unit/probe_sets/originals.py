"""Tiny files in the original formats of Broden's sources, written by the tests that read them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

PART2IND = """\
function pimap = part2ind()
% Define the part index of each objects.
pimap = cell(20, 1);
for ii = 1:20
    pimap{ii} = containers.Map('KeyType','char','ValueType','int32');
end

% [aeroplane]
pimap{1}('body')        = 1;
pimap{1}('lwing')       = 3;                % left wing
pimap{1}('rwing')       = 4;                % right wing
for ii = 1:3
    pimap{1}(sprintf('engine_%d', ii)) = 10+ii; % multiple engines
end

% [boat]
% only has silhouette mask

% [bus]
pimap{3}('frontside')   = 1;
pimap{3}('fliplate')    = 8;                % front license plate

% [car]
keySet = keys(pimap{3});
valueSet = values(pimap{3});
pimap{4} = containers.Map(keySet, valueSet);         % car has the same set of parts with bus
remove(pimap{4}, {'fliplate'});
pimap{4}('lfho') = 30;
"""

CONTEXT = "1: aeroplane\n2: sky\n3: unknown\n4: grass\n"


def write_image(path: Path, size: tuple[int, int] = (24, 32), seed: int = 0) -> np.ndarray:
    """Write an image of a few flat patches, (h, w)."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    rows, columns = (np.arange(side) * count // side for side, count in zip(size, (3, 4), strict=True))
    pixels = small[rows][:, columns]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)
    return pixels


def write_label_map(path: Path, rgb: np.ndarray) -> None:
    """Write an RGB label map."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb.astype(np.uint8)).save(path)


def encode_ade_classes(labels: np.ndarray) -> np.ndarray:
    """Return ADE20K's colors of class numbers: R = 10·(class // 256), G = class % 256, B = instance."""
    return np.stack([labels // 256 * 10, labels % 256, np.ones_like(labels)], axis=-1)


def make_halves(size: tuple[int, int], left: int, right: int) -> np.ndarray:
    """Return a plane of two labels."""
    labels = np.full(size, left, np.int64)
    labels[:, size[1] // 2 :] = right
    return labels


def write_ade20k(parent: Path, images: int = 3) -> Path:
    """Write an ADE20K release: class 1 sky, 2 tree, 300 ``door``; part maps in two levels for the first image."""
    release = parent / "ade20k" / "ADE20K_2016_07_26"
    names = np.array(["-"] * 400, dtype=object)
    names[0], names[1], names[299], names[9] = "sky", "tree, shrub", "door", "left arm"
    folder = "ADE20K_2016_07_26/images/training/s/street"
    files = [f"ADE_train_{number:08d}.jpg" for number in range(images)]
    scenes = ["street" if number % 3 else "bow_window/indoor" for number in range(images - 1)] + ["~not labeled"]
    index = {
        "filename": np.array(files, dtype=object),
        "folder": np.array([folder] * images, dtype=object),
        "scene": np.array(scenes, dtype=object),
        "objectnames": names,
    }
    release.mkdir(parents=True)
    savemat(release / "index_ade20k.mat", {"index": index})
    for number, file in enumerate(files):
        stem = parent / "ade20k" / folder / file.removesuffix(".jpg")
        write_image(stem.with_suffix(".jpg"), seed=number)
        write_label_map(Path(f"{stem}_seg.png"), encode_ade_classes(make_halves((24, 32), 1, 2 if number % 2 else 300)))
    first = parent / "ade20k" / folder / files[0].removesuffix(".jpg")
    write_label_map(Path(f"{first}_parts_1.png"), encode_ade_classes(make_halves((24, 32), 0, 300)))
    write_label_map(Path(f"{first}_parts_2.png"), encode_ade_classes(make_halves((24, 32), 10, 0)))
    return parent / "ade20k"


def write_annotation(path: Path, *objects: tuple[int, np.ndarray, list[tuple[str, np.ndarray]]]) -> None:
    """Write a PASCAL-Part annotation: class number, mask, parts of every object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    structure = np.dtype([("class", object), ("class_ind", object), ("mask", object), ("parts", object)])
    part_structure = np.dtype([("part_name", object), ("mask", object)])
    found = np.zeros((1, len(objects)), structure)
    for position, (number, mask, parts) in enumerate(objects):
        own = np.zeros((1, len(parts)), part_structure)
        for place, (name, shape) in enumerate(parts):
            own[0, place] = (name, shape.astype(np.uint8))
        found[0, position] = ("thing", number, mask.astype(np.uint8), own)
    savemat(path, {"anno": {"imname": path.stem, "objects": found}}, do_compression=True)


def write_pascal(parent: Path, images: int = 3, *, context: bool = True) -> Path:
    """Write PASCAL: every image has an airplane with body and wings on its left half, and sky on the right."""
    root = parent / "pascal"
    (root / "part").mkdir(parents=True)
    (root / "part" / "part2ind.m").write_text(PART2IND)
    for number in range(images):
        name = f"2008_{number:06d}"
        write_image(root / "VOC2010" / "JPEGImages" / f"{name}.jpg", seed=100 + number)
        mask = make_halves((24, 32), 1, 0)
        wing = np.zeros((24, 32))
        wing[:6, :8] = 1
        parts = [("body", mask), ("lwing", wing), ("engine_2", wing[::-1])]
        write_annotation(root / "part" / "Annotations_Part" / f"{name}.mat", (1, mask, parts))
        if context:
            target = root / "context" / "trainval" / f"{name}.mat"
            target.parent.mkdir(parents=True, exist_ok=True)
            savemat(target, {"LabelMap": make_halves((24, 32), 1, 2 if number else 3).astype(np.uint16)})
    if context:
        (root / "context" / "labels.txt").write_text(CONTEXT)
    return root


def write_dtd(parent: Path) -> Path:
    """Write DTD: two textures, one of the images with both."""
    root = parent / "dtd" / "dtd-r1.0.1"
    (root / "labels").mkdir(parents=True)
    lines = ["banded/banded_1.jpg banded ", "banded/banded_2.jpg banded striped", "striped/banded_1.jpg striped"]
    (root / "labels" / "labels_joint_anno.txt").write_text("\n".join(lines) + "\n")
    for number, line in enumerate(lines):
        write_image(root / "images" / line.split()[0], (20, 20), seed=200 + number)
    return parent / "dtd"


def write_opensurfaces(parent: Path, photos: int = 3, *, processed: bool = True) -> Path:
    """Write OpenSurfaces: after its post-processing, or as it is released, with one photo that does not count."""
    root = parent / "opensurfaces"
    for number in range(1, photos + 1):
        write_image(root / "photos" / f"{number}.jpg", (32, 48), seed=300 + number)
    if processed:
        write_csv(
            root / "photos.csv", ["photo_id", "scene_category_name"], [[n, "kitchen"] for n in range(1, photos + 1)]
        )
        write_csv(
            root / "label-substance-colors.csv",
            ["substance_id", "substance_name", "red_color"],
            [[7, "Fabric/cloth", 1], [8, "Plastic - clear", 2]],
        )
        for number in range(1, photos + 1):
            red = make_halves((64, 96), 1, 2 if number > 1 else 0)
            write_label_map(root / "photos-labels" / f"{number}.png", np.stack([red, 0 * red + 5, 0 * red], axis=-1))
        return root
    write_json_records(
        root / "shapes.shapesubstance.json",
        [
            {"name": "Plastic - clear", "fail": False},
            {"name": "Fabric/cloth", "fail": False},
            {"name": "Bad", "fail": True},
        ],
    )
    write_json_records(
        root / "shapes.shapename.json", [{"name": "Table", "fail": False}, {"name": "Chair", "fail": False}]
    )
    write_json_records(root / "photos.photoscenecategory.json", [{"name": "kitchen"}])
    common = {"scene_category": 1, "aspect_ratio": 1.5, "special": False, "scene_category_correct_score": 0.5}
    write_json_records(
        root / "photos.photo.json",
        [
            {**common, "scene_category_correct": number < photos + 1, "num_vertices": 10 * number,
             "image_orig": f"photos/{number}.jpg"}
            for number in range(1, photos + 2)
        ],
    )  # fmt: skip
    square = {"triangles": "0,1,2,0,2,3", "high_quality": True, "special": False}
    write_json_records(
        root / "shapes.materialshape.json",
        [
            {**square, "photo": 1, "substance": 2, "name": 1, "num_vertices": 4, "vertices": "0,0,.5,0,.5,1,0,1"},
            # Drawn first though listed later: it has more corners, so the one above lies on top of it.
            {**square, "photo": 1, "substance": 1, "name": 2, "num_vertices": 9, "vertices": "0,0,1,0,1,1,0,1"},
            {**square, "photo": 2, "substance": 1, "name": 2, "num_vertices": 4, "vertices": "0,0,1,0,1,1,0,1",
             "high_quality": False},
            {**square, "photo": 4, "substance": 1, "name": 2, "num_vertices": 4, "vertices": "0,0,1,0,1,1,0,1"},
        ],
    )  # fmt: skip
    return root


def write_json_records(path: Path, fields: list[dict]) -> None:
    """Write a table of OpenSurfaces' release."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{"pk": key, "fields": entry} for key, entry in enumerate(fields, start=1)]))


def write_csv(path: Path, header: list[str], lines: list[list]) -> None:
    """Write a .csv table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def write_all_sources(parent: Path) -> Path:
    """Write all four sources of Broden."""
    write_ade20k(parent)
    write_dtd(parent)
    write_opensurfaces(parent)
    write_pascal(parent)
    return parent
