"""Images and label maps that a report has cached, used when the probe set is gone."""

import dataclasses
import io
import shutil

import numpy as np
import pytest
from PIL import Image
from tests import made_up_runs

import netdissect as nd
from netdissect import report
from netdissect.concepts import Labels
from netdissect.protocols import NullProgress
from netdissect.report.browser_images import convert_for_browser
from netdissect.report.label_maps import EXAMPLES_PER_CONCEPT, encode_label_script
from netdissect.results import files


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A run's folder that was copied without its probe set."""
    result, probe_set = made_up_runs.make_run((6,), 8, pictures=12)
    folder = tmp_path_factory.mktemp("moved")
    files.save_run(result, folder)
    report.write_report(result, folder, probe_set, NullProgress())
    return result, probe_set, folder


def test_a_unit_shows_its_images_although_the_probe_set_is_gone(moved):
    _, _, folder = moved
    loaded = nd.load(folder)
    assert loaded.open_probe_set() is None
    assert "data:image/jpeg" in loaded["block1/conv"].unit(3)._repr_html_()


def test_cached_files_equal_those_of_the_probe_set(moved):
    result, probe_set, folder = moved
    cache = report.ReportCache(result, folder)
    row = next(iter(result.image_names))
    assert cache.read_image_file(row) == probe_set.read_image_file(row)
    assert (cache.read_labels(row).planes == probe_set.read_labels(row).planes).all()
    assert cache.read_image_file(10_000) is None
    assert cache.read_labels(10_000) is None


def test_cached_files_of_another_probe_set_are_not_used(moved, tmp_path):
    result, _, folder = moved
    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    row = next(iter(result.image_names))
    assert report.ReportCache(other, folder).read_image_file(row) is None
    assert report.ReportCache(result, tmp_path).read_labels(row) is None


def encode_image(mode, kind, **options):
    image = Image.new(mode, (8, 4))
    image.putpixel((0, 0), 255 if mode in ("L", "I;16") else tuple([255] * len(mode)))
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def test_an_image_that_browsers_show_as_the_network_saw_it_is_cached_unchanged():
    for data in (encode_image("RGB", "JPEG"), encode_image("RGB", "PNG"), encode_image("L", "PNG")):
        assert convert_for_browser(data) == data


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [("RGBA", "PNG", {}), ("RGB", "WEBP", {}), ("RGB", "TIFF", {}), ("CMYK", "JPEG", {}), ("I;16", "PNG", {})],
)
def test_an_image_that_browsers_may_show_differently_is_converted(mode, kind, options):
    with Image.open(io.BytesIO(convert_for_browser(encode_image(mode, kind, **options)))) as shown:
        assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", (8, 4))


def test_a_converted_image_has_no_exif_orientation():
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 8:] = 255
    noted = Image.Exif()
    noted[274] = 6
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=95, exif=noted)
    with Image.open(io.BytesIO(convert_for_browser(out.getvalue()))) as shown:
        assert shown.getexif().get(274, 1) == 1
        assert np.abs(np.asarray(shown).astype(int) - pixels).mean() < 6


def test_cached_labels_beyond_the_vocabulary_are_replaced(moved, tmp_path):
    result, probe_set, folder = moved
    copy = shutil.copytree(folder, tmp_path / "copy")
    row = next(iter(result.image_names))
    wrong = Labels(np.full((1, 4, 4), 9, np.uint16), np.array([700], np.int64))
    (copy / f"html/data/labels/{row:06d}.js").write_text(encode_label_script(row, wrong))
    assert report.ReportCache(result, copy).read_labels(row) is None
    report.write_report(result, copy, probe_set, NullProgress())
    assert (report.ReportCache(result, copy).read_labels(row).planes == probe_set.read_labels(row).planes).all()


@pytest.mark.parametrize("name", ["2024.jpg", "holiday.jpg", "notes.js"])
def test_a_users_files_stay_when_the_cache_is_emptied(moved, tmp_path, name):
    result, probe_set, folder = moved
    copy = shutil.copytree(folder, tmp_path / "copy")
    mine = [copy / "html/image/probe" / name, copy / "html/data" / name, copy / "html/data/labels" / name]
    for path in mine:
        path.write_bytes(b"mine")
    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    report.write_report(other, copy, probe_set, NullProgress())
    assert [path.read_bytes() for path in mine] == [b"mine"] * 3


def test_examples_show_a_concept_with_most_pixels_and_similar_images_once(tmp_path):
    result, _ = made_up_runs.make_run((6,), 8, pictures=12, exemplars=12)

    class Film:
        """Rows 0 to 5 are one scene, frame by frame; concept 1 covers most of it."""

        def read_labels(self, row):
            planes = np.zeros((1, 10, 10), np.uint16)
            if row < 6:
                planes[0, : 9 - row // 5] = 1
                planes[0, 9] = 2
            elif row < 9:
                planes[0, : row - 5] = 1
                planes[0, 5:] = row - 3
            return Labels(planes, np.array([8] if row == 11 else [], np.int64))

        def read_image_file(self, _row):
            return None

    labels = report.ReportCache(result, tmp_path).cache_labels(Film())
    np.testing.assert_array_equal(list(labels.files), range(12))
    assert labels.examples[0, :2].tolist() == [0, 8]  # the best frame of the film, then the best other image
    assert labels.examples[7].tolist() == [11] + [-1] * (EXAMPLES_PER_CONCEPT - 1)
    assert labels.labeled[0] == 9
    assert labels.labeled[7] == 1


def test_cached_label_maps_are_used_without_the_probe_set_and_never_for_another(tmp_path):
    result, probe_set = made_up_runs.make_run((6,), 8, pictures=12)
    first = report.ReportCache(result, tmp_path).cache_labels(probe_set)
    again = report.ReportCache(result, tmp_path).cache_labels(made_up_runs.MissingProbeSet())
    np.testing.assert_array_equal(first.examples, again.examples)
    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    assert not report.ReportCache(other, tmp_path).cache_labels(made_up_runs.MissingProbeSet()).files


def test_a_damaged_label_file_is_replaced(tmp_path):
    result, probe_set = made_up_runs.make_run((6,), 8, pictures=12)
    first = report.ReportCache(result, tmp_path).cache_labels(probe_set)
    victim = next(iter(first.files.values()))
    victim.write_text(victim.read_text()[:40])
    np.testing.assert_array_equal(report.ReportCache(result, tmp_path).cache_labels(probe_set).labeled, first.labeled)
