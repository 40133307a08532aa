import pytest
from tests import small_probe_set


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "set", images=12)
