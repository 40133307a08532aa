import numpy as np

from netdissect.concepts import Labels
from netdissect.report.html import script_data
from netdissect.report.label_maps import decode_label_script, encode_label_script


def test_a_label_map_is_read_back_unchanged():
    random = np.random.default_rng(0)
    for planes in (random.integers(0, 900, (3, 11, 17)), random.integers(0, 4, (1, 5, 6)), np.zeros((0, 4, 3), int)):
        labels = Labels(planes.astype(np.uint16), np.array([5, 70], np.int64))
        read = decode_label_script(encode_label_script(7, labels), 900)
        np.testing.assert_array_equal(read.planes, labels.planes)
        np.testing.assert_array_equal(read.whole, labels.whole)
        assert read.shape == labels.shape


def test_label_maps_of_earlier_versions_are_read():
    planes = np.random.default_rng(0).integers(0, 4, (2, 5, 6)).astype(np.uint16)
    codes, positions = np.unique(planes, return_inverse=True)
    stored = positions.reshape(planes.shape).astype(np.uint8)
    stored[:, 1:] ^= stored[:, :-1].copy()  # every row as its XOR with the row above
    arrays = {"planes": stored, "codes": codes.astype(np.uint16), "whole": np.zeros(0, np.uint16)}
    text = script_data.format_script(script_data.pack_arrays("labels/000007", {"size": [5, 6]}, arrays))
    np.testing.assert_array_equal(decode_label_script(text, 9).planes, planes)
