"""Files that torch.export makes of one small network; made once."""

from __future__ import annotations

import pytest
from tests import exports


@pytest.fixture(scope="session")
def module():
    return exports.varied()


@pytest.fixture(scope="session")
def exported(tmp_path_factory, module):
    """The network for any number of images at once."""
    return exports.write_pt2(tmp_path_factory.mktemp("pt2") / "varied.pt2", module)
