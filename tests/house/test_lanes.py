"""Both lanes of the suite run, a failure in either fails the suite, CI uses the same examples every time; what uv is told."""

from __future__ import annotations

import os
import sys

import dev
import pytest
from hypothesis import settings

PASSED, FAILED = (0, "== 90 passed, 1 skipped in 60.50s (0:01:00) =="), (1, "== 1 failed, 7 passed in 4.25s ==")
NOTHING = (dev.NOTHING_CHOSEN, "== 98 deselected in 1.00s ==")


@pytest.mark.parametrize(
    ("ends", "code", "closing"),
    [
        ([PASSED, PASSED], 0, "==== 180 passed, 2 skipped in 121.00s ===="),
        ([FAILED, PASSED], 1, "==== 1 failed, 97 passed, 1 skipped in 64.75s ===="),
        ([PASSED, FAILED], 1, "==== 1 failed, 97 passed, 1 skipped in 64.75s ===="),
        ([FAILED, FAILED], 1, "==== 2 failed, 14 passed in 8.50s ===="),
        ([PASSED, NOTHING], 0, "==== 90 passed, 1 skipped in 61.50s ===="),
        ([NOTHING, FAILED], 1, "==== 1 failed, 7 passed in 5.25s ===="),
        ([NOTHING, NOTHING], dev.NOTHING_CHOSEN, "==== no tests ran in 2.00s ===="),
        ([(-9, ""), PASSED], -9, "==== 90 passed, 1 skipped in 60.50s ===="),
    ],
)
def test_both_lanes_run_and_a_failure_in_either_fails_the_suite(ends, code, closing, monkeypatch, capsys):
    asked, left = [], list(ends)
    monkeypatch.setattr(dev, "setup", lambda _: None)
    monkeypatch.setattr(dev, "lane", lambda options: (asked.append(options), left.pop(0))[1])
    try:
        dev.test(["-k", "tally"])
        found = 0
    except SystemExit as stop:
        found = stop.code
    assert found == code
    first, second = asked
    assert first == ["-n", "auto", "-m", "not processes", "-k", "tally"]
    assert [*second[:4], *second[-2:]] == ["-n", "2", "-m", "processes", "-k", "tally"]
    assert second[4:-2] == dev.list_second_lane()
    assert capsys.readouterr().out.splitlines()[-1] == closing


def test_a_lane_returns_the_last_line_of_pytest(capsys):
    code, last = dev.lane(["--version"])
    assert (code, last.split()[0]) == (0, "pytest")
    assert capsys.readouterr().out.strip() == last


def test_ci_uses_the_same_examples_every_time():
    in_ci = os.environ.get("CI") == "true"
    assert settings.default.derandomize is in_ci
    assert settings.default.print_blob
    assert settings.get_profile("ci").derandomize and not settings.get_profile("random").derandomize


@pytest.fixture
def own_python(tmp_path, monkeypatch):
    """Return a folder whose Python is this one, as of a virtual environment."""
    (tmp_path / dev.BIN).mkdir()
    (tmp_path / dev.BIN / "python").symlink_to(sys.executable)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def test_pip_installs_where_it_has_a_setting_that_uv_lacks(own_python, monkeypatch, capfd):
    monkeypatch.setenv("PIP_NO_BINARY", "numpy")
    assert not dev.install_with_uv(own_python, dev.ROOT / "constraints.txt", "numpy")
    assert capfd.readouterr().out == "pip installs, because uv does not know its setting no-binary\n"


def test_pip_installs_where_uv_cannot_be_had(own_python, monkeypatch, capfd):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(dev, "OF_PIP_ALONE", (*dev.OF_PIP_ALONE, "no-index"))
    monkeypatch.setattr(dev, "UV", "uv-of-nowhere")
    assert not dev.install_with_uv(own_python, dev.ROOT / "constraints.txt", "numpy")
    assert capfd.readouterr().out == "pip installs, because uv cannot be installed here\n"


def test_what_pip_is_told_in_a_file_and_in_the_environment_is_what_uv_is_told():
    listed = (
        "global.index-url='https://a/simple'\nglobal.trusted-host='a b'\ninstall.find-links='/u'\nlist.format='json'\n"
    )
    settings = dev.translate_pip_settings(f":env:.index-url='https://b/simple'\n:env:.quiet='1'\n{listed}")
    assert settings == {
        "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_DEFAULT_INDEX": "https://b/simple", "UV_INSECURE_HOST": "a b",
        "UV_FIND_LINKS": "/u",
    }  # fmt: skip
