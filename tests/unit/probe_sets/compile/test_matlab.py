"""MATLAB files are read in a separate process, so a damaged one cannot end this process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.probe_sets.compile import matlab, matlab_process

VALUES = {
    "text": "cat",
    "none": "",
    "number": 3.5,
    "mask": np.eye(4, dtype=np.uint8),
    "names": np.array(["a", "bb"], object),
    "parts": [{"n": 1, "inside": {"m": np.arange(3.0)}}, {"n": 2, "inside": {"m": np.arange(2.0)}}],
}


@pytest.fixture
def path(tmp_path):
    savemat(tmp_path / "ü x.mat", {"anno": VALUES}, do_compression=True)
    return tmp_path / "ü x.mat"


def test_values_come_back_as_they_were_written(path):
    found = matlab.read_mat_variable(path, "anno")
    assert found["text"] == "cat"
    assert matlab.to_text(found["none"]) == ""
    assert float(found["number"]) == 3.5
    np.testing.assert_array_equal(found["mask"], VALUES["mask"])
    assert matlab.to_list(found["names"]) == ["a", "bb"]
    parts = matlab.to_list(found["parts"])
    assert [int(part["n"]) for part in parts] == [1, 2]
    np.testing.assert_array_equal(parts[0]["inside"]["m"], np.arange(3.0))


def test_what_is_not_there_is_reported(path, tmp_path):
    with pytest.raises(DataFileError, match="expected a variable 'other', which it does not have"):
        matlab.read_mat_variable(path, "other")
    with pytest.raises(DataNotFoundError, match=r"nowhere\.mat does not exist"):
        matlab.read_mat_variable(tmp_path / "nowhere.mat", "anno")


@pytest.mark.processes
def test_a_reader_that_crashes_is_a_sentence_and_the_next_file_is_read_all_the_same(path, monkeypatch):
    matlab.read_mat_variable(path, "anno")
    os.kill(matlab._reader._process.pid, signal.SIGSTOP)  # so that it is sure to die over the question
    real = matlab.json.dumps

    def kill_when_asked(question):
        os.kill(matlab._reader._process.pid, signal.SIGKILL)
        return real(question)

    with monkeypatch.context() as patch:
        patch.setattr(matlab.json, "dumps", kill_when_asked)
        with pytest.raises(DataFileError, match="its reader crashed, or ran out of memory or time"):
            matlab.read_mat_variable(path, "anno")
    assert matlab.read_mat_variable(path, "anno")["text"] == "cat"


def test_a_matrix_that_claims_more_than_there_is_does_not_end_this_process(path, tmp_path):
    savemat(tmp_path / "plain.mat", {"anno": {"mask": np.eye(50)}})
    data = bytearray((tmp_path / "plain.mat").read_bytes())
    place = data.index((50).to_bytes(4, "little") * 2)
    data[place : place + 8] = (2**31 - 1).to_bytes(4, "little") * 2
    (tmp_path / "plain.mat").write_bytes(data)
    with pytest.raises(DataFileError, match=r"plain\.mat"):
        matlab.read_mat_variable(tmp_path / "plain.mat", "anno")


def test_a_pipe_or_a_device_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mat")
    for path in (tmp_path / "pipe.mat", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataFileError, match="cannot be read as a MATLAB file: expected a regular file, got a"):
            matlab.read_mat_variable(path, "x")


def test_cells_that_lie_too_deep_in_one_another_are_a_sentence(tmp_path):
    value = np.array([1.0])
    for _ in range(60):
        value = np.array([value, None], object)
        value[1] = 1.0
    savemat(tmp_path / "deep.mat", {"x": value})
    with pytest.raises(DataFileError, match="damaged .structures are nested more than 50 levels deep"):
        matlab.read_mat_variable(tmp_path / "deep.mat", "x")


def test_an_answer_larger_than_any_of_brodens_files_is_not_handed_over(tmp_path):
    """Zeros compress a thousandfold: 1 MB of a file is 1 GB of numbers."""
    savemat(tmp_path / "big.mat", {"x": [np.zeros(3 << 20, np.uint8)] * 2}, do_compression=True)
    blobs = matlab_process._ArrayBytes()
    assert matlab_process._answer_request(str(tmp_path / "big.mat"), "x", blobs)[0] == "value"
    before, matlab_process.MAX_ANSWER = matlab_process.MAX_ANSWER, 5 << 20
    try:
        assert matlab_process._answer_request(str(tmp_path / "big.mat"), "x", matlab_process._ArrayBytes()) == [
            "large",
            "",
        ]
    finally:
        matlab_process.MAX_ANSWER = before
