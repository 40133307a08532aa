"""Make this Linux process lack and refuse what Windows lacks and refuses, as far as netdissect could notice.

``python -m pytest -p tests.pretended_windows tests/unit/io`` runs tests so; tests that themselves need POSIX fail then. What is
pretended: modules and functions that are missing (fcntl, `os.sysconf`, signals), files that cannot be removed, replaced or
renamed while they are open or mapped, folders that cannot be opened, descriptors for reading that cannot be synced, file
names that are not allowed, and locks of `msvcrt`.
"""

# ruff: noqa: PTH100, PTH112, PTH115, PTH208
from __future__ import annotations

import builtins
import errno
import fcntl
import functools
import importlib
import io
import os
import pkgutil
import shutil
import signal
import sys
import types
from pathlib import Path

MISSING_MODULES = ("fcntl", "resource", "pwd", "grp", "termios")
MISSING_NAMES = {
    os: ("sysconf", "pread", "pwrite", "statvfs", "fstatvfs", "geteuid", "getuid", "getpgid", "killpg", "fork", "fchmod",
         "sched_getaffinity", "uname", "nice", "mkfifo", "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY"),
    signal: ("SIGHUP", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGUSR1", "SIGALRM", "alarm", "pthread_sigmask"),
}  # fmt: skip
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}


class _Partial(types.ModuleType):
    """A module without some of its names."""

    def __init__(self, module: types.ModuleType, missing: tuple[str, ...]) -> None:
        super().__init__(module.__name__)
        self.__dict__["_module"], self.__dict__["_missing"] = module, missing

    def __getattr__(self, name: str):
        if name in self.__dict__["_missing"]:
            raise AttributeError(f"Windows has no {self.__name__}.{name}")
        return getattr(self.__dict__["_module"], name)

    def __setattr__(self, name: str, value) -> None:  # tests patch functions of `module.os`
        setattr(self.__dict__["_module"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__dict__["_module"], name)


class _WindowsLocks(types.ModuleType):
    """The part of msvcrt that locks; a lock ends when its file is closed."""

    LK_NBLCK = 2

    @staticmethod
    def locking(descriptor: int, mode: int, count: int) -> None:
        assert mode == _WindowsLocks.LK_NBLCK
        assert count == 1
        assert os.lseek(descriptor, 0, os.SEEK_CUR) > os.fstat(descriptor).st_size, "locked bytes cannot be read"
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error


def pretend() -> None:
    """Change this process for the rest of its life."""
    import netdissect

    names = [found.name for found in pkgutil.walk_packages(netdissect.__path__, "netdissect.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    partial = {module: _Partial(module, missing) for module, missing in MISSING_NAMES.items()}
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, types.ModuleType) and value in partial:
                setattr(module, name, partial[value])
            elif isinstance(value, types.ModuleType) and value.__name__ in MISSING_MODULES:
                setattr(module, name, None)
    sys.modules["netdissect.io.locks"].msvcrt = _WindowsLocks("msvcrt")
    _refuse_open_files()
    _refuse_names()


def _refuse_open_files() -> None:
    """Let functions that remove or replace files refuse those that this process has open."""
    shutil.rmtree.__globals__["_use_fd_functions"] = False
    rename, replace, rmdir = os.rename, os.replace, os.rmdir

    def check(path) -> None:
        full = os.path.abspath(os.fsdecode(path))
        if any(one == full or one.startswith(f"{full}/") for one in _list_open_files()):
            raise PermissionError(errno.EACCES, "The process cannot access the file because it is being used", full)

    def move(source, target, *, over: bool) -> None:
        check(source)
        if os.path.lexists(target):
            check(target)
            if not over or os.path.isdir(target):
                raise FileExistsError(errno.EEXIST, "the target exists", os.fspath(target))
        (replace if over else rename)(source, target)

    def remove(original, path, **options) -> None:
        check(path)
        original(path, **options)

    os.unlink = functools.partial(remove, os.unlink)
    os.remove = functools.partial(remove, os.remove)
    os.rmdir = functools.partial(remove, rmdir)
    os.replace = functools.partial(move, over=True)
    os.rename = functools.partial(move, over=False)


def _list_open_files() -> set[str]:
    """Return the paths of files that this process has open or mapped."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:  # the descriptor of this listing
            continue
    found |= {line[73:] for line in Path("/proc/self/maps").read_text().splitlines() if len(line) > 73}
    return found


def _refuse_names() -> None:
    """Let functions that open or make files refuse names, folders and syncs as Windows does."""
    open_file, open_descriptor, mkdir, sync = io.open, os.open, os.mkdir, os.fsync

    def check_name(path) -> None:
        if isinstance(path, int):
            return
        text = os.fsdecode(path)
        if text.startswith(("/proc", "/dev", "/sys")):
            return
        for part in text.split("/"):
            bad = (
                set(part) & set('<>:"|?*\\')
                or any(ord(c) < 32 for c in part)
                or part.partition(".")[0].upper() in RESERVED
            )
            if part not in ("", ".", "..") and (bad or part.endswith((".", " "))):
                raise OSError(errno.EINVAL, "The filename, directory name, or volume label syntax is incorrect", text)

    def open_checked(file, mode="r", *arguments, **options):
        if set(mode) & set("wax+"):
            check_name(file)
        return open_file(file, mode, *arguments, **options)

    def open_descriptor_checked(path, flags, *arguments, **options):
        if flags & os.O_CREAT:
            check_name(path)
        unnamed = flags & os.O_TMPFILE == os.O_TMPFILE  # a temporary file, which Linux opens through its folder
        if os.path.isdir(path) and not unnamed:
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return open_descriptor(path, flags, *arguments, **options)

    def mkdir_checked(path, *arguments, **options):
        check_name(path)
        return mkdir(path, *arguments, **options)

    def sync_checked(descriptor):
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        sync(descriptor)

    builtins.open = io.open = open_checked
    os.open, os.mkdir, os.fsync = open_descriptor_checked, mkdir_checked, sync_checked


def pytest_configure() -> None:
    """Pretend in a pytest process that loads this file as a plugin."""
    pretend()
