"""Mistakes in what is downloaded and unpacked, and in the files that Broden is built from."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile

from tests.errors.desk import mistake
from tests.unit.probe_sets import originals
from tests.unit.probe_sets.download.server import Server

BODY = bytes(range(256)) * 1000


def fetching(desk, name="weights.bin", **how):
    """Fetch a file from a server that answers in some way."""
    from netdissect.probe_sets.download.fetch import fetch_file
    from netdissect.probe_sets.download.registry import Mirror, RemoteFile
    from netdissect.protocols import NullProgress

    how = {"body": BODY, **how}

    def call():
        with Server() as server:
            file = RemoteFile(name, (Mirror(server.serve("f", **how)),))
            fetch_file(file, desk.folder / "zoo", progress=NullProgress(), say=lambda _: None, wait=lambda _: None)

    desk.afterwards = lambda: shutil.rmtree(desk.folder / "zoo", ignore_errors=True)
    return call


def unpacking(desk, path):
    from netdissect.probe_sets.download.unpack import unpack_archive
    from netdissect.protocols import NullProgress

    return lambda: unpack_archive(path, desk.folder / "there", marker="index.csv", progress=NullProgress())


def tar(desk, *names):
    path = desk.folder / "set.tar"
    with tarfile.open(path, "w") as opened:
        for name in names:
            opened.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@mistake("a download in an encoding that was not requested")
def _(desk):
    return fetching(desk, body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"})


@mistake("a download that is shorter than its server announces")
def _(desk):
    return fetching(desk, length=len(BODY) + 7)


@mistake("a download without a length and without a known checksum")
def _(desk):
    return fetching(desk, length=-1)


@mistake("a download that is too slow")
def _(desk):
    from netdissect.probe_sets.download import connection

    desk.patch.setattr(connection, "SPEED_SECONDS", 0.3)
    return fetching(desk, drip=0.05)


@mistake("a download that is a web page by its first bytes")
def _(desk):
    return fetching(desk, "net.prototxt", body=b"<html><title>Sign in</title></html>")


@mistake("a folder has the name of a file to download")
def _(desk):
    (desk.folder / "zoo" / "weights.bin").mkdir(parents=True)
    return fetching(desk)


@mistake("`--into` a folder with another program's `downloads.json`")
def _(desk):
    (desk.folder / "mine").mkdir()
    (desk.folder / "mine" / "downloads.json").write_text('["mine"]')
    return ["data", "download", "color-names", "--into", desk.folder / "mine"]


@mistake("`--into` a folder with a link to another folder")
def _(desk):
    (desk.folder / "mine").mkdir()
    (desk.folder / "mine" / "broden1_227").symlink_to(desk.folder)
    return ["data", "download", "broden1_227", "--into", desk.folder / "mine"]


@mistake("a `--registry` whose mirror is a guess without a reason")
def _(desk):
    path = desk.folder / "own.toml"
    path.write_text(
        '[mine]\nkind = "table"\nabout = "x"\nlicence = "x"\ncitation = "x"\n'
        'files = [{ name = "a.csv", mirrors = [{ url = "https://example.org/a.csv", evidence = "guess" }] }]\n'
    )
    return ["data", "list", "--registry", path]


@mistake("a `--registry` that is a named pipe")
def _(desk):
    os.mkfifo(desk.folder / "own.toml")
    return ["data", "list", "--registry", desk.folder / "own.toml"]


@mistake("an archive with a header of gigabytes")
def _(desk):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2 << 30
    path = desk.folder / "set.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))
    return unpacking(desk, path)


@mistake("an archive with names that differ only in case")
def _(desk):
    return unpacking(desk, tar(desk, "index.csv", "images/a.jpg", "images/A.jpg"))


@mistake("an archive with control characters in a name")
def _(desk):
    return unpacking(desk, tar(desk, "index.csv", "a\x1b[2Jb"))


@mistake("an archive that is a named pipe")
def _(desk):
    os.mkfifo(desk.folder / "set.tar")
    return unpacking(desk, desk.folder / "set.tar")


@mistake("an archive with an unsupported compression method")
def _(desk):
    path = desk.folder / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("index.csv", "x")
    return unpacking(desk, path)


@mistake("a MATLAB file that is a named pipe")
def _(desk):
    (desk.folder / "ade20k").mkdir()
    os.mkfifo(desk.folder / "ade20k" / "index_ade20k.mat")
    return ["data", "build", "--sources", desk.folder, "--out", desk.out]


@mistake("a color table of another kind")
def _(desk):
    originals.write_dtd(desk.folder)
    (desk.folder / "colors.npy").write_bytes(b"\x93NUMPY\x01\x00")
    return ["data", "build", "--sources", desk.folder, "--color-table", desk.folder / "colors.npy", "--out", desk.out]


@mistake("a table of OpenSurfaces with a field longer than a CSV reader takes")
def _(desk):
    root = originals.write_opensurfaces(desk.folder)
    (root / "photos.csv").write_text("photo_id\n" + "9" * 200_000 + "\n")
    return ["data", "build", "--sources", desk.folder, "--out", desk.out]
