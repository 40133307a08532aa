"""Where machine code is kept: beside the package, in a home, in a private folder, or nowhere; and never from a stranger."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netdissect import compiled as compiling
from netdissect.io import caches

SOURCE = """
from netdissect.compiled import compiled

@compiled()
def twice(x):
    return 2 * x
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A module with a compiled function, in a folder of its own; nothing says where to keep its code."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    compiling._warn_once.cache_clear()
    (tmp_path / "package").mkdir()
    (tmp_path / "package/doubling.py").write_text(SOURCE)
    return tmp_path


def doubled(place):
    """Import the module, call its function, and return the folder in which its code is kept."""
    spec = importlib.util.spec_from_file_location("doubling", place / "package/doubling.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.twice(21) == 42
    return Path(module.twice._cache.cache_path) if module.twice._cache.cache_path else None


def shut(folder):
    """Let nothing be written there, whoever asks: a file stands where the folder would be."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")


def test_code_is_kept_beside_the_package(place):
    assert doubled(place) == place / "package/__pycache__"
    assert list((place / "package/__pycache__").glob("doubling.twice-*.nbi"))


def test_a_folder_that_is_named_comes_first(place, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(place / "named"))
    assert doubled(place).parent == place / "named"


def test_beside_nothing_it_is_kept_in_the_users_folder_for_caches(place):
    shut(place / "package/__pycache__")
    assert doubled(place).parent == place / "home/.cache/netdissect/compiled"


def test_where_nothing_can_be_written_it_is_kept_for_this_process_and_reported_once(place, monkeypatch, caplog):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/nowhere")
    shut(place / "package/__pycache__")
    shut(place / "home")
    with caplog.at_level(logging.WARNING, "netdissect"):
        kept = doubled(place)
        assert doubled(place) == kept  # the second function finds what the first has set
    assert kept.parent.parent == place
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(kept.parent)  # so do workers
    (said,) = caplog.messages
    assert said.startswith("compiled code cannot be kept here")
    assert said.endswith("name a folder that can be written with NUMBA_CACHE_DIR")


def test_where_not_even_a_temporary_folder_can_be_made_it_is_kept_nowhere(place, monkeypatch, caplog):
    shut(place / "package/__pycache__")
    shut(place / "home")
    monkeypatch.setattr(caches, "make_temporary_cache", lambda: None)
    with caplog.at_level(logging.WARNING, "netdissect"):
        assert doubled(place) is None
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME"])
def test_a_folder_named_relative_to_where_one_stands_is_no_home(monkeypatch, name):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv(name, "." if name == "HOME" else "cache")
    assert caches.find_user_cache() == (None if name == "HOME" else Path("/home/somebody/.cache/netdissect"))


def test_somebody_elses_folder_for_caches_is_not_used(place, monkeypatch):
    shut(place / "package/__pycache__")
    monkeypatch.setattr(caches, "is_owned_by_user", lambda _: False)
    assert doubled(place).parent.parent == place


def test_a_folder_that_everybody_can_write_into_is_not_ours(tmp_path):
    assert caches.is_owned_by_user(tmp_path)
    tmp_path.chmod(0o777)
    assert not caches.is_owned_by_user(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"\x80\x05garbage", b"\x80\x04K\x01."])
def test_damaged_code_is_made_again(place, damage):
    folder = doubled(place)
    for path in folder.glob("doubling.twice-*.nb*"):
        path.write_bytes(damage)
    assert doubled(place) == folder


def test_a_full_disk_does_not_end_the_work(place, monkeypatch):
    from numba.core import caching

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    doubled(place)


NOBODY = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=-all,+dac_read_search",
          "--ambient-caps=-all,+dac_read_search"]  # fmt: skip
MOUNTS = "mount --make-rprivate / && mount -o remount,bind,ro / && mount -t tmpfs t /tmp"
READ_ONLY = ["unshare", "-m", "sh", "-c", f'{MOUNTS} && exec "$@"', "sh"]


@pytest.mark.slow
@pytest.mark.parametrize("around", [NOBODY, READ_ONLY], ids=["another user without a home", "a read-only root"])
def test_everything_can_be_imported_and_compiled_in(around, tmp_path):
    if (
        shutil.which(around[0]) is None
        or subprocess.run([*around, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"{around[0]} does not work here")
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "NUMBA_CACHE_DIR")}
    environment["TMPDIR"] = "/tmp"
    code = "from netdissect.demo.world import raster; from netdissect.engine import batch_scan; print('in order')"
    done = subprocess.run(
        [*around, sys.executable, "-c", code], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "in order"), done.stderr
    told = done.stderr.strip().splitlines()
    assert len(told) == 1, told
    assert told[0].startswith("compiled code cannot be kept here")
