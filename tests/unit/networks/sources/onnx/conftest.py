"""Files that torch's exporters make of one small network; made once."""

from __future__ import annotations

import pytest
from tests import exports


@pytest.fixture(scope="session")
def module():
    return exports.make_varied_network()


@pytest.fixture(scope="session")
def exported(tmp_path_factory, module):
    """The network as today's torch exports it, with any number of images at once."""
    return exports.write_onnx(tmp_path_factory.mktemp("onnx") / "varied.onnx", module)


@pytest.fixture(scope="session")
def legacy(tmp_path_factory, module):
    """The network as torch exported it before, with two images at once."""
    return exports.write_onnx(tmp_path_factory.mktemp("onnx") / "before.onnx", module, legacy=True, fixed=True)
