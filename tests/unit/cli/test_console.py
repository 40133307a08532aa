"""Names are printed as plain text, and output never fails for an encoding, a width or a closed pipe."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests import small_probe_set

from netdissect.cli import console, main

#: A name that would clear the screen, color it, ring, lead elsewhere, draw a dog, and turn the line round.
EVIL = "cat\x1b[2J\x1b]8;;http://x\x07[bold red]:dog:\u202e\r\nnetdissect: done"
SHOWN = r"cat\x1b[2J\x1b]8;;http://x\x07[bold red]:dog:\u202e\x0d\nnetdissect: done"


def run(capsys, *words):
    with pytest.raises(SystemExit) as leave:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return leave.value.code, captured.out, captured.err


def test_control_characters_in_a_name_are_escaped_in_one_line(capsys):
    console.print_line(EVIL)
    console.print_error(EVIL)
    captured = capsys.readouterr()
    assert captured.out == SHOWN + "\n"
    assert captured.err == f"netdissect: {SHOWN}\n"


def test_a_long_sentence_is_shortened_in_the_middle(capsys):
    console.print_error("a" * 100_000 + " end")
    err = capsys.readouterr().err
    assert len(err) < 5000
    assert err.endswith(" end\n")


def test_a_table_and_a_progress_bar_escape_names(capsys):
    from rich.table import Table

    from netdissect import progress_bars

    table = Table(box=None)
    table.add_column("name", overflow="fold")
    table.add_row(console.format_cell("[red]x[/red]\x1b[2J"))
    console.print_table(table)
    assert r"[red]x[/red]\x1b[2J" in capsys.readouterr().out
    with progress_bars.ProgressBars() as shown:
        shown.start("[red]x\x1b[2J", 2)
        assert shown._progress.tasks[0].description == r"[red]x\x1b[2J"


def test_json_is_ascii_whatever_a_name_contains(capsys):
    console.print_json({"name": "é\x9b\x1b"})
    assert capsys.readouterr().out == '{\n "name": "\\u00e9\\u009b\\u001b"\n}\n'


def test_log_records_are_printed_as_lines(capsys, monkeypatch):
    import logging

    from netdissect.cli import app

    monkeypatch.setattr(app, "app", lambda *_, **__: logging.getLogger("netdissect").warning("worker\x1b[2J is silent"))
    code, _, err = run(capsys, "zoo", "list")
    assert (code, err) == (0, "netdissect: worker\\x1b[2J is silent\n")


def started(*words, **how):
    """Run a command in its own process; return its exit code, stdout and stderr in bytes."""
    environment = {**os.environ, **how.pop("env", {})}
    done = subprocess.run(
        [sys.executable, "-m", "netdissect", *words], capture_output=True, check=False, env=environment, **how
    )
    return done.returncode, done.stdout, done.stderr


def test_output_works_on_an_ascii_terminal(tmp_path):
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code, out, err = started("zoo", "list", env=ascii_only)
    assert (code, err) == (0, b"")
    assert b"dissects it." in out and b"NAME ... dissects" in out
    code, _, err = started("run", "--help", env=ascii_only)
    assert (code, err) == (0, b"")
    folder = tmp_path / "größe α"
    folder.mkdir()
    code, _, err = started("run", "x.onnx", "--layers", "a", "--data", str(folder), env=ascii_only)
    assert code == 2
    assert b"Traceback" not in err and b"set PYTHONUTF8=1, or LC_ALL=C.UTF-8" in err
    code, _, err = started(
        "run", "x.onnx", "--layers", "a", "--data", str(folder), env=ascii_only | {"PYTHONUTF8": "1"}
    )
    assert (code, b"gr\\xf6\\xdfe alpha holds no index.csv" in err) == (2, True), err


@pytest.mark.skipif(sys.platform != "linux", reason="bytes that are no UTF-8 can stand in paths on Linux")
def test_arguments_that_are_not_utf8_are_shown_by_their_bytes():
    code, _, err = started(b"report", b"caf\xe9\x1b[31m")
    assert (code, err) == (
        2,
        b"netdissect: caf\\xe9\\x1b[31m does not exist: expected a folder that netdissect run wrote\n",
    )


def test_a_closed_pipe_ends_no_command():
    script = "import sys; from netdissect.cli import main; main(['zoo', 'list'])"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        command.stdout.close()
        err = command.stderr.read()
        assert (command.wait(), err) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_output_that_cannot_be_written_is_one_sentence():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "netdissect", "zoo", "list"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert b"netdissect: the disk is full" in done.stderr
    assert b"Traceback" not in done.stderr.split(b"Exception ignored")[0]


def test_data_check_escapes_concept_names(capsys, tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4)
    table = data / "label.csv"
    lines = table.read_text().splitlines()
    first = lines[1].split(",")
    table.write_text("\n".join([lines[0], ",".join([first[0], "[red]\x1b[2Jx", *first[2:]]), *lines[2:]]) + "\n")
    _, out, err = run(capsys, "data", "check", data, "--workers", "1")
    assert "\x1b" not in out + err
