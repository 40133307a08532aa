"""A dissection, its report and its export run where POSIX is missing, as far as Linux can pretend it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
import tests.conftest
from tests import nets, pretended_windows, small_probe_set
from tests.small_runs import dissect_small
import netdissect as nd

pretended_windows.pretend()
folder = Path(sys.argv[1])
data = small_probe_set.write_probe_set(folder / "data", images=21)
run = folder / "run"
dissect_small(data, run, memory=1)
dissect_small(data, run, memory=1)  # the finished run is loaded
nd.load(run).write_report(run / "html")
nd.export_activations(run, nets.make_small_net(), out=folder / "export")
nd.export_activations(run, nets.make_small_net(), out=folder / "quantiles", activations=None, quantiles=True)
nd.prepare_probe_set(data, folder / "small.arrow")
dissect_small(folder / "small.arrow", folder / "other")
print(sorted(path.name for path in folder.iterdir()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_run_its_report_its_export_and_a_prepared_probe_set_work_where_posix_is_missing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['data', 'export', 'other', 'quantiles', 'run', 'small.arrow']\n"
