import numpy as np

from netdissect.concepts import Labels
from netdissect.report.label_maps import decode_label_script, encode_label_script


def test_a_label_map_is_read_back_unchanged():
    random = np.random.default_rng(0)
    for planes in (random.integers(0, 900, (3, 11, 17)), random.integers(0, 4, (1, 5, 6)), np.zeros((0, 4, 3), int)):
        labels = Labels(planes.astype(np.uint16), np.array([5, 70], np.int64))
        read = decode_label_script(encode_label_script(7, labels), 900)
        np.testing.assert_array_equal(read.planes, labels.planes)
        np.testing.assert_array_equal(read.whole, labels.whole)
        assert read.shape == labels.shape
