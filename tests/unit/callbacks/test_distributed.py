"""In a distributed training the first process dissects, the others wait for it, and weights stay alike."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import distributed

PROGRAM = Path(__file__).with_name("train_distributed.py")


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.skipif(not (distributed.is_available() and distributed.is_gloo_available()), reason="torch has no gloo")
def test_only_the_first_of_two_processes_dissects_and_neither_waits_forever(data, tmp_path):
    command = [sys.executable, "-W", "ignore", str(PROGRAM)]
    meeting, out = str(tmp_path / "meeting"), tmp_path / "out"
    paths = os.pathsep.join([str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    started = [
        subprocess.Popen(
            [*command, str(rank), meeting, str(data), str(out)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=240)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0]
    assert said[0] == "rank 0: 2 dissections, weights alike\n"
    assert said[1] == "rank 1: 0 dissections, weights alike\n"
    assert sorted(path.name for path in out.iterdir()) == ["step-0", "step-1", "step-2"]
