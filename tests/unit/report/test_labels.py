import numpy as np
from tests import pretend

from netdissect.concepts import Labels
from netdissect.report import label_cache


def test_labels_are_read_back_as_they_were():
    random = np.random.default_rng(0)
    for planes in (random.integers(0, 900, (3, 11, 17)), random.integers(0, 4, (1, 5, 6)), np.zeros((0, 4, 3), int)):
        given = Labels(planes.astype(np.uint16), np.array([5, 70], np.int64))
        read = label_cache.decode_label_script(label_cache.encode_label_script(7, given))
        np.testing.assert_array_equal(read.planes, given.planes)
        np.testing.assert_array_equal(read.whole, given.whole)
        assert read.shape == given.shape


def test_examples_show_a_concept_with_most_pixels_and_alike_pictures_only_once(tmp_path):
    result, _ = pretend.run((6,), 8, pictures=12, exemplars=12)

    class Film:
        """Rows 0 to 5 are one scene, frame by frame; concept 1 covers most of it."""

        def labels(self, row):
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

    gallery = label_cache.cache_labels(result, tmp_path / "labels", Film())
    np.testing.assert_array_equal(gallery.rows, range(12))
    assert gallery.examples[0, :2].tolist() == [0, 8]  # the best frame of the film, then the best other image
    assert gallery.examples[7].tolist() == [11] + [-1] * (label_cache.EXAMPLES_PER_CONCEPT - 1)
    assert gallery.labeled[0] == 9
    assert gallery.labeled[7] == 1


def test_label_maps_outlive_the_probe_set_and_never_serve_another(tmp_path):
    result, probe_set = pretend.run((6,), 8, pictures=12)
    first = label_cache.cache_labels(result, tmp_path, probe_set)
    again = label_cache.cache_labels(result, tmp_path, pretend.Gone())
    np.testing.assert_array_equal(first.examples, again.examples)
    import dataclasses

    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    assert label_cache.cache_labels(other, tmp_path, pretend.Gone()).rows.size == 0


def test_a_damaged_label_file_is_made_again(tmp_path):
    result, probe_set = pretend.run((6,), 8, pictures=12)
    first = label_cache.cache_labels(result, tmp_path, probe_set)
    victim = tmp_path / f"{first.rows[0]:06d}.js"
    victim.write_text(victim.read_text()[:40])
    np.testing.assert_array_equal(label_cache.cache_labels(result, tmp_path, probe_set).labeled, first.labeled)
