"""A test cluster of two nodes on this machine, shared by the tests in this folder."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

#: A lost node is noticed after a few seconds instead of half a minute, and workers do not wait for the tests
#: that run beside them.
SYSTEM_CONFIG = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 4,
    "worker_niceness": 0,
}


@pytest.fixture(scope="session")
def two_nodes():
    """A Ray cluster of two nodes with one CPU each; the second claims to have a GPU.

    Its files, and the record of its address, are in a folder of their own, so that other test processes do not find it.
    """
    pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # paths of sockets must be short
    before = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = folder
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": SYSTEM_CONFIG}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, num_gpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()
    if before is None:
        del os.environ["RAY_TMPDIR"]
    else:
        os.environ["RAY_TMPDIR"] = before
    shutil.rmtree(folder, ignore_errors=True)
