"""One test cluster of two nodes on this machine, shared by everything in this folder."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

#: A node that is gone is missed after a few seconds instead of half a minute.
QUICK_TO_NOTICE = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 4,
}


@pytest.fixture(scope="session")
def two_nodes():
    """A Ray cluster of two nodes with a processor each; the second is said to have a GPU.

    It keeps its files, and the note by which others would find it, in a folder of its own: test processes beside this
    one never come across it.
    """
    pytest.importorskip("ray")
    place = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # names of sockets must be short
    before = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = place
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": QUICK_TO_NOTICE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, num_gpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()
    if before is None:
        del os.environ["RAY_TMPDIR"]
    else:
        os.environ["RAY_TMPDIR"] = before
    shutil.rmtree(place, ignore_errors=True)
