"""Progress bars: what is counted, time left or taken, in 80 columns and without red."""

import io
import logging
import re

import pytest
from rich.console import Console

from netdissect import consoles, progress, progress_bars, progress_lines, progress_tasks
from netdissect.errors import SettingsError


@pytest.fixture
def shown(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(
        consoles, "stderr", Console(file=out, width=80, force_terminal=True, legacy_windows=False, markup=False)
    )
    return out


def read_lines(out):
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    return [line for line in plain.replace("\r", "\n").split("\n") if line.strip()]


def test_bars_fit_into_80_columns_and_say_what_they_count(shown):
    with progress_bars.ProgressBars() as bars:
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
    with progress_bars.ProgressBars() as bars:
        for task in ("scan", "download"):
            bars.start(task, 100)
            bars.advance(50)
            bars.advance(50)
    codes = {code for codes in re.findall(r"\x1b\[([\d;]*)m", shown.getvalue()) for code in codes.split(";")}
    assert not codes & {"31", "91"}
    assert "38" not in codes  # no color by number


@pytest.fixture
def clock(monkeypatch):
    """A clock that only `clock.now += seconds` moves; lines are logged as for users."""
    monkeypatch.setattr(progress_lines, "EVERY", 10.0)

    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress_tasks.time, "monotonic", lambda: Clock.now)
    return Clock


def work(clock, seconds, *, steps=120, progress_=True):
    with progress.show_progress(progress_) as shown:
        shown.start("tally", 63_305)
        for _ in range(seconds):
            clock.now += 1
            shown.advance(steps)


def test_without_a_terminal_a_line_is_printed_every_ten_seconds(clock, capsys):
    work(clock, 25)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "netdissect: compare: 1,200/63,305 images, 120/s, 8:38 left",
        "netdissect: compare: 2,400/63,305 images, 120/s, 8:28 left",
        "netdissect: compare: 3,000/63,305 images in 0:25",
    ]


def test_shorter_work_and_progress_false_print_nothing(clock, capsys):
    work(clock, 9)
    work(clock, 25, progress_=False)
    work(clock, 25, progress_=None)
    assert capsys.readouterr() == ("", "")


def test_a_level_of_the_librarys_logger_silences_the_lines_and_a_handler_gets_them(clock, capsys, caplog):
    library = logging.getLogger("netdissect")
    try:
        library.setLevel(logging.WARNING)
        work(clock, 25)
        assert (capsys.readouterr().err, caplog.records) == ("", [])
        library.setLevel(logging.INFO)
        work(clock, 25)
    finally:
        library.setLevel(logging.NOTSET)
    assert capsys.readouterr().err == ""  # a handler takes them: pytest's
    assert [record.name for record in caplog.records] == ["netdissect.progress"] * 3


def test_work_that_was_done_before_does_not_count_as_fast(clock):
    lines = progress_lines.ProgressLines()
    lines.start("scan", 1000)
    lines.advance(900)
    clock.now += 5
    lines.advance(5)
    assert lines._count.describe_speed() == ["1.0/s", "1:35 left"]


def test_a_progress_of_ones_own_is_told_and_anything_else_is_refused():
    told = []

    class Own:
        def start(self, task, total):
            told.append((task, total))

        def advance(self, steps):
            told.append(steps)

    with progress.show_progress(Own()) as shown:
        shown.start("scan", 2)
        shown.advance(2)
    assert told == [("scan", 2), 2]
    for wrong in (3, "yes", Own):
        with pytest.raises(SettingsError, match="progress= takes True or False"):
            progress.require_progress(wrong)


def test_a_notebook_shows_the_last_stages_in_one_output(monkeypatch, clock):
    drawn = []

    class Handle:
        def update(self, drawing, *, raw):
            assert raw
            drawn.append(drawing)

    def display(drawing, *, raw, display_id):
        assert raw and display_id
        drawn.append(drawing)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    with progress_bars.NotebookBars() as bars:
        for number in range(20):
            bars.start(f"<b>{number}</b>: scan", 10)
            for _ in range(10):
                clock.now += 0.1
                bars.advance(1)
    assert len(drawn) <= 42
    assert drawn[-1]["text/html"].count("<tr>") == 13 and "&lt;b&gt;19" in drawn[-1]["text/html"]
    assert drawn[-1]["text/plain"].splitlines()[0] == "8 earlier stages"
    assert "10/10 images  10/s  took 0:01" in drawn[-1]["text/plain"].splitlines()[-1].replace("10.0/s", "10/s")
