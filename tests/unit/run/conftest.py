"""A probe set of 40 images and the tables of a run on it."""

from __future__ import annotations

import pytest
from tests import small_probe_set, small_runs

from netdissect.engine import dissect as engine


@pytest.fixture(scope="module", autouse=True)
def small_calibration():
    """A calibration sample of 8 images, so that 40 images make five shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALIBRATION_IMAGES", 8)
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=40)


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    small_runs.dissect_small(data, folder)
    return small_runs.read_tables(folder)
