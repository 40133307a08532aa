import base64
import json
import zlib

import numpy as np
import pytest

from netdissect.report.html import script_data


def test_arrays_of_every_type_are_read_back_unchanged():
    random = np.random.default_rng(0)
    arrays = {
        "u1": random.integers(0, 255, (3, 4)).astype(np.uint8),
        "i1": random.integers(-9, 9, 5).astype(np.int8),
        "u2": random.integers(0, 60_000, 7).astype(np.uint16),
        "i4": random.integers(-(2**30), 2**30, (2, 2, 2)).astype(np.int32),
        "u4": random.integers(0, 2**32, 9).astype(np.uint32),
        "f4": random.normal(size=(4, 1)).astype(np.float32),
        "f8": np.array([np.nan, np.inf, -0.0, 1e300]),
        "none": np.zeros((0, 3), np.float32),
    }
    key, facts, read = script_data.unpack_script(
        script_data.format_script(script_data.pack_arrays("some/key", {"a": [1, "é"]}, arrays))
    )
    assert (key, facts) == ("some/key", {"a": [1, "é"]})
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_a_type_that_javascript_lacks_is_refused():
    with pytest.raises(ValueError, match="int64"):
        script_data.pack_arrays("key", None, {"a": np.zeros(2, np.int64)})


@pytest.mark.parametrize("nasty", ["</script><script>alert(1)</script>", "\u2028\u2029", "<!--", "]]>", "'\"\\"])
def test_nothing_in_packed_facts_can_end_a_script(nasty):
    text = script_data.pack_arrays(nasty, [nasty], {})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(f"[{text}]")[:2] == [nasty, [nasty]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a data file of a report"),
        ("netdissect.put(", "expected a data file of a report"),
        ("alert(1);\n", "expected a data file of a report"),
        ('netdissect.put("k",null,[["a","u1",[3]]],"AAAA");\n', "while decompressing data"),
    ],
)
def test_another_file_is_refused(text, told):
    with pytest.raises(ValueError, match=told):
        script_data.unpack_script(text)


@pytest.mark.parametrize(
    ("layout", "data", "said"),
    [
        ([["a", "u1", [1 << 40]]], b"", "expected at most 67,108,864 bytes of arrays"),
        ([["a", "u1", [100]]], bytes(1 << 26), "expected 100 bytes of arrays, got 101"),
        ([["a", "u1", [-1]]], b"", "expected sizes of arrays, got -1"),
        ([["a", "O", [1]]], bytes(8), "expected arrays of u1"),
        ([["a", "u1", [200]]], bytes(100), "expected 200 bytes of arrays, got 100"),
    ],
)
def test_a_stream_is_unpacked_to_its_stated_size_and_never_beyond_a_limit(layout, data, said):
    """A label map of a few kilobytes in a report that was received unpacked to gigabytes."""
    coded = base64.b64encode(zlib.compress(data, 9)).decode()
    text = f'netdissect.put("k",null,{json.dumps(layout)},"{coded}");\n'
    with pytest.raises(ValueError, match=said):
        script_data.unpack_script(text)
