"""Numbers and words as Arrow arrays: the same as pyarrow's own, without importing pandas."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from netdissect.results.arrow_arrays import make_number_array, make_text_array, unpack_numbers


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_numbers_are_those_of_pyarrow_also_from_a_column_of_a_matrix(kind, count):
    values = np.random.default_rng(0).normal(0, 100, (count, 3)).astype(kind)
    for column in (values[:, 1], values.T[1].copy(), values[::-1, 2]):
        array = make_number_array(column)
        assert array.equals(pa.array(column))
        assert array.null_count == 0


def test_words_are_those_of_pyarrow_in_any_script():
    for words in ([], ["sky"], ["", "étoile", "木", "a" * 300, "\U0001f333"]):
        assert make_text_array(words).equals(pa.array(words, pa.string()))


@pytest.mark.parametrize("pieces", [[], [5], [2, 0, 3], [1, 1, 1, 1, 1]])
def test_a_column_is_read_from_all_its_chunks(pieces):
    values = np.arange(sum(pieces), dtype=np.int64) * 3
    whole, cuts = pa.array(np.concatenate([[7, 7], values, [7]])), np.cumsum([2, *pieces])
    chunks = [whole.slice(start, length) for start, length in zip(cuts[:-1], pieces, strict=True)]  # each has an offset
    found = unpack_numbers(pa.chunked_array(chunks, pa.int64()), pa.int64())
    assert found.tolist() == values.tolist()
    assert found.dtype == np.int64
    assert not found.flags["W"]


def test_a_run_is_saved_and_loaded_without_importing_pandas(tmp_path):
    code = f"""
import sys
from tests import made_up_runs
import netdissect as nd
run, _ = made_up_runs.make_run((6,))
run.save({str(tmp_path / "run")!r})
assert nd.load({str(tmp_path / "run")!r})["block1/conv"].units == run["block1/conv"].units
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
