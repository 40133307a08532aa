"""Progress bars: what is counted, time left or taken, in 80 columns and without red."""

import io
import re

import pytest
from rich.console import Console

from netdissect import progress


@pytest.fixture
def shown(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(
        progress, "stderr", Console(file=out, width=80, force_terminal=True, legacy_windows=False, markup=False)
    )
    monkeypatch.setattr(progress, "is_interactive", lambda: True)
    return out


def read_lines(out):
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    return [line for line in plain.replace("\r", "\n").split("\n") if line.strip()]


def test_bars_fit_into_80_columns_and_say_what_they_count(shown):
    with progress.ProgressBars() as bars:
        control = progress.TitledProgress(bars, "random weights")
        for task, total in (("scan", 63_305), ("tally within scenes", 63_305)):
            control.start(task, total)
            control.advance(total)
        bars.start("download", 10**9)
        bars.advance(10**8)
    lines = read_lines(shown)
    assert max(map(len, lines)) <= 80
    scan, scenes, download = lines[-3:]
    assert re.match(r"random weights: scan +━+ 63,305/63,305 images .*took 0:0\d", scan)
    assert re.match(r"random weights: within scenes +━+ 63,305/63,305 images .*took 0:0\d", scenes)
    assert "0.1/1.0 GB" in download and "took" not in download


def test_nothing_that_is_right_is_red(shown):
    with progress.ProgressBars() as bars:
        for task in ("scan", "download"):
            bars.start(task, 100)
            bars.advance(50)
            bars.advance(50)
    codes = {code for codes in re.findall(r"\x1b\[([\d;]*)m", shown.getvalue()) for code in codes.split(";")}
    assert not codes & {"31", "91"}
    assert "38" not in codes  # no color by number
