"""Mistakes with clusters, artifacts elsewhere, and archives."""

from __future__ import annotations

import socket
import sys
import zipfile

import pytest
from tests.errors.desk import cut, mistake


@mistake("`--address` of a cluster that is not running")
def _(desk):
    pytest.importorskip("ray")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return desk.run("--runtime", "ray", "--address", f"127.0.0.1:{port}")


@mistake("`--address` that is not an address")
def _(desk):
    pytest.importorskip("ray")
    return desk.run("--runtime", "ray", "--address", "head")


@mistake("`--runtime ray` without Ray")
def _(desk):
    desk.patch.setitem(sys.modules, "ray", None)
    return desk.run("--runtime", "ray")


@mistake("`--artifacts` that the workers cannot reach")
def _(desk):
    return desk.run("--workers", "2", "--artifacts", "memory://bucket")


@mistake("`--artifacts` at an address whose library is not installed")
def _(desk):
    return desk.run("--artifacts", "s3://bucket/work")


def archive(desk, **members):
    path = desk.folder / "broden1_224.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name.replace("__", "../"), data)
    return path


def unpacking(desk, path):
    from netdissect.probe_sets.download.unpack import unpack_archive
    from netdissect.protocols import NullProgress

    return lambda: unpack_archive(path, desk.folder / "there", marker="index.csv", progress=NullProgress())


@mistake("an archive that is cut short")
def _(desk):
    path = archive(desk, index=b"x" * 5000)
    cut(path)
    return unpacking(desk, path)


@mistake("an archive with a file that would be outside its folder")
def _(desk):
    return unpacking(desk, archive(desk, __evil=b"x"))


@mistake("an archive that would fill the disk (a bomb)")
def _(desk):
    return unpacking(desk, archive(desk, index=bytes(120 << 20)))


@mistake("an archive of something else")
def _(desk):
    return unpacking(desk, archive(desk, readme=b"hello"))
