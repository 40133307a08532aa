"""Machine code is cached in the package, the user's cache folder or a private one, and never read from others."""

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
from netdissect.compiled import cached_njit

@cached_njit()
def twice(x):
    return 2 * x
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A module with a compiled function in its own folder; no variable names a cache folder."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(
            name, ""
        )  # what is set now is removed after the test, even if a test sets it past monkeypatch
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    compiling._warn_once.cache_clear()
    (tmp_path / "package").mkdir()
    (tmp_path / "package/doubling.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def _leave_no_cache_folder():
    """Else all processes of the tests after these would compile everything anew."""
    before = os.environ.get("NUMBA_CACHE_DIR")
    yield
    assert os.environ.get("NUMBA_CACHE_DIR") == before


def call_doubled(place):
    """Import the module, call its function, and return the folder in which its code is cached."""
    spec = importlib.util.spec_from_file_location("doubling", place / "package/doubling.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.twice(21) == 42
    return Path(module.twice._cache.cache_path) if module.twice._cache.cache_path else None


def block(folder):
    """Put a file where the folder would be, so that nobody can write there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")


def test_code_is_cached_in_the_package(place):
    assert call_doubled(place) == place / "package/__pycache__"
    assert list((place / "package/__pycache__").glob("doubling.twice-*.nbi"))


def test_the_folder_in_the_variable_comes_first(place, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(place / "named"))
    assert call_doubled(place).parent == place / "named"


def test_the_users_cache_folder_comes_second(place):
    block(place / "package/__pycache__")
    assert call_doubled(place).parent == place / "home/.cache/netdissect/compiled"


def test_where_nothing_can_be_written_code_is_cached_for_this_process_with_one_warning(place, monkeypatch, caplog):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/nowhere")
    block(place / "package/__pycache__")
    block(place / "home")
    with caplog.at_level(logging.WARNING, "netdissect"):
        private = call_doubled(place)
        assert call_doubled(place) == private  # the second function finds what the first has set
    assert private.parent.parent == place
    assert private.parent.stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(private.parent)  # so do workers
    (message,) = caplog.messages
    assert message.startswith("compiled code cannot be cached")
    assert message.endswith("Set NUMBA_CACHE_DIR to a folder that can be written")


def test_without_any_folder_nothing_is_cached(place, monkeypatch, caplog):
    block(place / "package/__pycache__")
    block(place / "home")
    monkeypatch.setattr(caches, "make_temporary_cache", lambda: None)
    with caplog.at_level(logging.WARNING, "netdissect"):
        assert call_doubled(place) is None
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME"])
def test_a_relative_path_is_no_home(monkeypatch, name):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv(name, "." if name == "HOME" else "cache")
    assert caches.find_user_cache() == (None if name == "HOME" else Path("/home/somebody/.cache/netdissect"))


def test_another_users_cache_folder_is_not_used(place, monkeypatch):
    block(place / "package/__pycache__")
    monkeypatch.setattr(caches, "is_owned_by_user", lambda _: False)
    assert call_doubled(place).parent.parent == place


def test_a_folder_that_everybody_can_write_is_not_trusted(tmp_path):
    assert caches.is_owned_by_user(tmp_path)
    tmp_path.chmod(0o777)
    assert not caches.is_owned_by_user(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"\x80\x05garbage", b"\x80\x04K\x01."])
def test_damaged_code_is_compiled_again(place, damage):
    folder = call_doubled(place)
    for path in folder.glob("doubling.twice-*.nb*"):
        path.write_bytes(damage)
    assert call_doubled(place) == folder


def test_a_full_disk_is_no_error(place, monkeypatch):
    from numba.core import caching

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    call_doubled(place)


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
    warnings = done.stderr.strip().splitlines()
    assert len(warnings) == 1, warnings
    assert warnings[0].startswith("compiled code cannot be cached")
