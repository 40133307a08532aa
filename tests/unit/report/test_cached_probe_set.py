"""Images that a report keeps, when the probe set is gone."""

import dataclasses
import io
import shutil

import numpy as np
import pytest
from PIL import Image
from tests import pretend

import netdissect as nd
from netdissect import report
from netdissect.concepts import Labels
from netdissect.protocols import NullProgress
from netdissect.report import image_cache, label_cache
from netdissect.results import files


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A run whose folder was given away; its probe set was not."""
    result, probe_set = pretend.run((6,), 8, pictures=12)
    folder = tmp_path_factory.mktemp("moved")
    files.save_run(result, folder)
    report.write_report(result, folder, probe_set, NullProgress())
    return result, probe_set, folder


def test_a_unit_shows_its_pictures_though_the_probe_set_is_gone(moved):
    _, _, folder = moved
    loaded = nd.load(folder)
    assert loaded.pictures is None
    assert "data:image/jpeg" in loaded["block1/conv"].unit(3)._repr_html_()


def test_what_is_kept_is_what_the_probe_set_had(moved):
    result, probe_set, folder = moved
    kept = report.ReportCache(result, folder)
    row = next(iter(result.image_names))
    assert kept.read_image_file(row) == probe_set.read_image_file(row)
    assert (kept.labels(row).planes == probe_set.labels(row).planes).all()
    assert kept.read_image_file(10_000) is None
    assert kept.labels(10_000) is None


def test_what_is_kept_of_another_probe_set_is_not_given(moved, tmp_path):
    result, _, folder = moved
    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    row = next(iter(result.image_names))
    assert report.ReportCache(other, folder).read_image_file(row) is None
    assert report.ReportCache(result, tmp_path).labels(row) is None


def picture_file(mode, kind, **options):
    image = Image.new(mode, (8, 4))
    image.putpixel((0, 0), 255 if mode in ("L", "I;16") else tuple([255] * len(mode)))
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def test_a_picture_that_a_browser_shows_as_the_network_saw_it_stays_as_it_is():
    for data in (picture_file("RGB", "JPEG"), picture_file("RGB", "PNG"), picture_file("L", "PNG")):
        assert image_cache.convert_for_browser(data) == data


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [("RGBA", "PNG", {}), ("RGB", "WEBP", {}), ("RGB", "TIFF", {}), ("CMYK", "JPEG", {}), ("I;16", "PNG", {})],
)
def test_a_picture_that_a_browser_might_show_otherwise_is_written_anew(mode, kind, options):
    with Image.open(io.BytesIO(image_cache.convert_for_browser(picture_file(mode, kind, **options)))) as shown:
        assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", (8, 4))


def test_a_picture_is_not_turned_by_its_cameras_note():
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 8:] = 255
    noted = Image.Exif()
    noted[274] = 6
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=95, exif=noted)
    with Image.open(io.BytesIO(image_cache.convert_for_browser(out.getvalue()))) as shown:
        assert shown.getexif().get(274, 1) == 1
        assert np.abs(np.asarray(shown).astype(int) - pixels).mean() < 6


def test_kept_labels_of_concepts_that_the_run_has_not_are_made_anew(moved, tmp_path):
    result, probe_set, folder = moved
    copy = shutil.copytree(folder, tmp_path / "copy")
    row = next(iter(result.image_names))
    wrong = Labels(np.full((1, 4, 4), 9, np.uint16), np.array([700], np.int64))
    (copy / f"html/data/labels/{row:06d}.js").write_text(label_cache.encode_label_script(row, wrong))
    assert report.ReportCache(result, copy).labels(row) is None
    report.write_report(result, copy, probe_set, NullProgress())
    assert (report.ReportCache(result, copy).labels(row).planes == probe_set.labels(row).planes).all()


@pytest.mark.parametrize("name", ["2024.jpg", "holiday.jpg", "notes.js"])
def test_files_of_ones_own_beside_kept_ones_stay_when_another_probe_set_takes_their_place(moved, tmp_path, name):
    result, probe_set, folder = moved
    copy = shutil.copytree(folder, tmp_path / "copy")
    mine = [copy / "html/image/probe" / name, copy / "html/data" / name, copy / "html/data/labels" / name]
    for path in mine:
        path.write_bytes(b"mine")
    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    report.write_report(other, copy, probe_set, NullProgress())
    assert [path.read_bytes() for path in mine] == [b"mine"] * 3
