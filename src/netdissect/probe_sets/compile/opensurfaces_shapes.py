"""Post-process OpenSurfaces: draw label maps from the polygons in the release's JSON tables.

The release holds polygons and no label maps. For every photo whose scene is marked correct, its high-quality shapes are
drawn as triangles, those with the most corners first, into an image 1,024 pixels high: red is the substance, green the
object's name, blue the scene, each numbered from 1 by sorted name. (Textures, albedos and cropped shapes are not needed.)
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataError, DataFileError, DataNotFoundError
from netdissect.io import atomic
from netdissect.io.json_files import read_json
from netdissect.probe_sets.broden.tables import write_table
from netdissect.runtime.port import PlainContext
from netdissect.runtime.worker_processes import start_local_workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.protocols import Progress

#: Height of the label maps in pixels.
LABEL_MAP_HEIGHT = 1024

_PHOTOS, _SHAPES = "photos.photo.json", "shapes.materialshape.json"

#: Types of the fields that records are sorted and looked up by.
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "pk": (int,), "num_vertices": (int, type(None)), "scene_category_correct_score": (int, float, type(None)),
    "photo": (int, type(None)), "substance": (int, type(None)), "name": (int, str, type(None)),
    "scene_category": (int, type(None)),
}  # fmt: skip
#: Largest ratio of a photo's width and height; its label map has the same ratio.
_MAX_ASPECT = 20
_BATCH = 32


@dataclass(frozen=True)
class PhotoShapes:
    """The label map of one photo, to be drawn.

    Attributes:
        number: the photo's number.
        aspect: width / height.
        blue: the scene's number.
        shapes: of every shape, its red and green value, its corners as shares of width and height, and its triangles
            as positions of corners, both as text.
    """

    number: int
    aspect: float
    blue: int
    shapes: tuple[tuple[tuple[int, int], str, str], ...]


@dataclass(frozen=True)
class _DrawContext(PlainContext):
    """What every worker needs: the folder of the label maps."""

    folder: Path


def has_release(folder: Path) -> bool:
    """Return whether a folder holds the release's JSON tables."""
    return _find_table(folder, _SHAPES) is not None and _find_table(folder, _PHOTOS) is not None


def render_label_maps(folder: Path, *, workers: int, progress: Progress) -> int:
    """Write ``photos-labels/``, ``photos.csv`` and the tables of colors next to a release's JSON tables.

    Existing label maps are kept, so an interrupted call can be repeated; ``photos.csv`` is written last.

    Args:
        folder: the unpacked release; the JSON tables are there or in ``opensurfaces/``.
        workers: number of processes.
        progress: reports the progress.

    Returns:
        the number of photos.

    Raises:
        DataNotFoundError: if a table is missing.
        DataFileError: if a table is damaged.
        DataError: if the folder cannot be written to.
    """
    require_integer("workers", workers, 1, MAX_WORKERS)
    red = _number_names(folder, "shapes.shapesubstance.json", drop_failed=True)
    green = _number_names(folder, "shapes.shapename.json", drop_failed=True)
    blue = _number_names(folder, "photos.photoscenecategory.json", drop_failed=False)
    photos = load_photos(folder)
    try:
        target = folder / "photos-labels"
        target.mkdir(exist_ok=True)
        _write_colors(folder, "substance", red, "red_color")
        _write_colors(folder, "name", green, "green_color")
        _write_colors(folder, "scene_category", blue, "blue_color")
        jobs = _make_jobs(folder, photos, red, green, blue)
        jobs = [job for job in jobs if not (target / f"{job.number}.png").is_file()]
        batches = [jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH)]
        progress.start("shapes", len(jobs))
        with start_local_workers(_DrawContext(target), min(workers, max(1, len(batches)))) as runtime:
            for count in runtime.map(_draw_batch, batches):
                progress.advance(count)
        lines = [(photo["pk"], blue.get(photo.get("scene_category"), (0, ""))[1]) for photo in photos]
        write_table(folder / "photos.csv", ("photo_id", "scene_category_name"), lines)
    except PermissionError as error:
        raise DataError(
            f"OpenSurfaces' label maps are written next to its tables, and {folder} cannot be written to: copy that folder"
        ) from error
    return len(photos)


def _write_colors(folder: Path, kind: str, colors: Mapping[Any, tuple[int, str]], column: str) -> None:
    """Write the table of the names whose numbers are in a color channel."""
    name = "scene" if kind == "scene_category" else kind
    lines = [(key, label, number) for key, (number, label) in colors.items()]
    write_table(folder / f"label-{name}-colors.csv", (f"{kind}_id", f"{kind}_name", column), lines)


def load_photos(folder: Path) -> list[dict[str, Any]]:
    """Return the photos whose scene is marked correct, without synthetic ones; those with the most corners first."""
    photos = [
        photo
        for photo in _read_records(folder, _PHOTOS)
        if photo.get("scene_category_correct") and not photo.get("special")
    ]
    score = "scene_category_correct_score"
    photos.sort(key=lambda photo: (photo.get("num_vertices") or 0, photo.get(score) or 0.0), reverse=True)
    return photos


def draw_label_map(job: PhotoShapes) -> Image.Image:
    """Draw the label map of one photo."""
    width, height = int(LABEL_MAP_HEIGHT * job.aspect), LABEL_MAP_HEIGHT
    canvas = Image.new("RGB", (width, height), (0, 0, job.blue))
    brush = ImageDraw.Draw(canvas)
    for (red, green), corners, triangles in job.shapes:
        numbers = [float(number) for number in corners.split(",")]
        if not all(-1 <= number <= 2 for number in numbers):
            raise ValueError("a corner is far outside the photo")
        points = [(int(x * width), int(y * height)) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        order = [int(number) for number in triangles.split(",")]
        if not all(0 <= number < len(points) for number in order):
            raise ValueError("a triangle refers to a corner that does not exist")
        for first, second, third in zip(order[::3], order[1::3], order[2::3], strict=True):
            brush.polygon([points[first], points[second], points[third]], fill=(red, green, job.blue))
    return canvas


def _draw_batch(context: _DrawContext, jobs: Sequence[PhotoShapes]) -> int:
    for job in jobs:
        out = io.BytesIO()
        try:
            draw_label_map(job).save(out, format="PNG")
        except (ValueError, IndexError, OverflowError, MemoryError) as error:
            raise DataFileError(
                f"OpenSurfaces, photo {job.number}: a shape's corners or triangles are damaged ({error})"
            ) from error
        atomic.write_bytes(context.folder / f"{job.number}.png", out.getvalue())
    return len(jobs)


def _make_jobs(
    folder: Path,
    photos: Sequence[Mapping[str, Any]],
    red: Mapping[Any, tuple[int, str]],
    green: Mapping[Any, tuple[int, str]],
    blue: Mapping[Any, tuple[int, str]],
) -> list[PhotoShapes]:
    drawn: dict[Any, list[tuple[tuple[int, int], str, str]]] = {photo["pk"]: [] for photo in photos}
    shapes = [
        shape for shape in _read_records(folder, _SHAPES) if shape.get("high_quality") and not shape.get("special")
    ]
    shapes.sort(key=lambda shape: -(shape.get("num_vertices") or 0))
    for shape in shapes:
        if shape.get("photo") in drawn:
            color = red.get(shape.get("substance"), (0, ""))[0], green.get(shape.get("name"), (0, ""))[0]
            drawn[shape["photo"]].append((color, str(shape.get("vertices")), str(shape.get("triangles"))))
    jobs = []
    for photo in photos:
        aspect = photo.get("aspect_ratio")
        if not isinstance(aspect, (int, float)) or not 1 / _MAX_ASPECT < aspect < _MAX_ASPECT:
            raise DataFileError(f"{folder / _PHOTOS}: photo {photo['pk']} has the aspect ratio {aspect!r}")
        number = blue.get(photo.get("scene_category"), (0, ""))[0]
        jobs.append(PhotoShapes(int(photo["pk"]), float(aspect), number, tuple(drawn[photo["pk"]])))
    return jobs


def _number_names(folder: Path, name: str, *, drop_failed: bool) -> dict[Any, tuple[int, str]]:
    """Number the names of a table from 1 in alphabetical order; return number and name by key."""
    entries = [
        (entry["pk"], str(entry.get("name")))
        for entry in _read_records(folder, name)
        if not (drop_failed and entry.get("fail"))
    ]
    entries.sort(key=lambda entry: entry[1])
    if len(entries) > 255:
        raise DataFileError(f"{folder / name}: {len(entries)} names, more than the 255 a color channel can number")
    return {key: (number, label) for number, (key, label) in enumerate(entries, start=1)}


def _read_records(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the records of a JSON table of the release, each with its fields and ``pk``."""
    path = _find_table(folder, name)
    if path is None:
        raise DataNotFoundError(
            f"OpenSurfaces: {name} is missing: expected it in {folder} or {folder / 'opensurfaces'}"
        )
    records = read_json(
        path, "a JSON list of records with pk and fields", missing=DataNotFoundError, wrong=DataFileError, lenient=True
    )
    try:
        found = [{**record["fields"], "pk": record["pk"]} for record in records]
    except (TypeError, KeyError) as error:
        raise DataFileError(f"{path}: expected a JSON list of records with pk and fields ({error})") from error
    if len({str(record["pk"]) for record in found}) < len(found):
        raise DataFileError(f"{path}: two of its records have the same pk")
    for record in found:
        for key, kinds in _FIELD_TYPES.items():
            if not isinstance(record.get(key), kinds):
                raise DataFileError(f"{path}: the record {record['pk']!r:.80} has {record[key]!r:.80} as its {key}")
    return found


def _find_table(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / "opensurfaces" / name) if path.is_file()), None)
