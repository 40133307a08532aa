"""Random damage in a table or a mean image: only errors of this project are raised."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from tests import made_up_runs
from tests.fuzz.damage import changes_of_bytes, check_one_sentence, count_changed_bytes, damage_file, keeps_length

from netdissect.errors import NetdissectError
from netdissect.experiments import published
from netdissect.networks.sources.caffe.mean_files import read_mean
from netdissect.results import classic


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a file of every kind and the function that reads it."""
    folder = tmp_path_factory.mktemp("tables")
    result, _ = made_up_runs.make_run((6,), 8)
    layer = next(iter(result.layers.values()))
    classic.write_result_csv(folder / "a-result.csv", layer.units, layer.vocabulary.categories)
    np.save(folder / "mean.npy", np.ones((3, 4, 4), np.float32))
    shape = b"\x3a\x05\x0a\x03\x03\x02\x02"
    (folder / "mean.binaryproto").write_bytes(shape + b"\x2a\x30" + np.ones(12, np.float32).tobytes())
    statistics = {
        "concepts": np.array(["all", "object", "scene"], object),
        "networks_name": np.array(["a", "b"], object),
        "layers_name": np.array(["conv5", "pool5"], object),
        "num_detectors": np.array([[9.0, 4, 5], [7, 7, 0]]),
        "num_uniquedetectors": np.array([[6.0, 3, 3], [5, 5, 0]]),
        "ratio_detectors": np.array([[0.5, 0.2, 0.3], [0.4, 0.4, 0]]),
    }
    for name, compressed in (("plain.mat", False), ("compressed.mat", True)):
        scipy.io.savemat(folder / name, {"stat": statistics}, do_compression=compressed)
    assert [entry.detectors for entry in published.read_published_table(folder / "plain.mat")] == [9, 7]
    return {
        "a-result.csv": (folder, classic.read_result_csv),
        "mean.npy": (folder, read_mean),
        "mean.binaryproto": (folder, read_mean),
        "plain.mat": (folder, published.read_published_table),
        "compressed.mat": (folder, published.read_published_table),
    }


@pytest.mark.parametrize("name", ["a-result.csv", "mean.npy", "mean.binaryproto", "plain.mat", "compressed.mat"])
@settings(max_examples=100)
@given(changes=changes_of_bytes)
def test_a_damaged_table_or_mean_is_read_or_is_an_error(files, name, changes):
    folder, read = files[name]
    true = read(folder / name)
    with damage_file(folder / name, changes):
        try:
            found = read(folder / name)
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    if isinstance(true, np.ndarray):
        if keeps_length(changes):
            assert found.shape != true.shape or (found != true).sum() <= count_changed_bytes(changes)
    elif not any(kind == "cut" for kind, *_ in changes):  # a change alters one row, or two adjacent ones
        same = [row for row in true if any(repr(row) == repr(other) for other in found)]
        assert len(same) >= len(true) - 2 * len(changes)
