"""Archives that lead out of their folder or unpack to more than they say; small files that unpack to gigabytes."""

from __future__ import annotations

import io
import json
import lzma
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import attempt, either, gives, refused, says

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.hostile.attempts import Place

KIND = "archives"
BOMBS = "small files, much memory"


def _unpacks(place: Place, archive: Path) -> object:
    def call() -> None:
        from netdissect.probe_sets.download.unpack import unpack_archive
        from netdissect.protocols import NullProgress

        unpack_archive(archive, place.out / "set", marker="index.csv", progress=NullProgress())

    return call


def _tar(path: Path, *members: tarfile.TarInfo, mode: str = "w", **more: Any) -> Path:
    with tarfile.open(path, mode, **more) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
        marker = tarfile.TarInfo("top/index.csv")
        archive.addfile(marker)
    return path


def _member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 1, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size if kind == tarfile.REGTYPE else 0, link
    return member


for _name, _info in (
    ("a member above", _member("../evil")),
    ("an absolute member", _member("/nowhere/evil")),
    ("a member above, further in", _member("top/a/../../../evil")),
    ("a link out", _member("top/x", tarfile.SYMTYPE, link="/etc")),
    ("a hard link out", _member("top/x", tarfile.LNKTYPE, link="/etc/passwd")),
    ("a device", _member("top/x", tarfile.CHRTYPE)),
    ("a named pipe", _member("top/x", tarfile.FIFOTYPE)),
    ("a Windows drive", _member("C:/evil")),
    ("backslashes", _member("..\\evil")),
    ("a name of 100,000 letters", _member("top/" + "x/" * 50_000)),
):

    @attempt(KIND, f"a .tar with {_name}", refused("a.tar|evil|link|device|name|pipe"))
    def _(place: Place, info: tarfile.TarInfo = _info) -> object:
        return _unpacks(place, _tar(place.folder / "a.tar", info))


for _name, _file in (
    ("above", "../evil"),
    ("absolute", "/nowhere/evil"),
    ("of a drive", "C:/evil"),
):

    @attempt(KIND, f"a .zip with a name that is {_name}", refused("a.zip|evil|name"))
    def _(place: Place, file: str = _file) -> object:
        with zipfile.ZipFile(place.folder / "a.zip", "w") as archive:
            archive.writestr("top/index.csv", "")
            archive.writestr(zipfile.ZipInfo(file), "x")
        return _unpacks(place, place.folder / "a.zip")


for _name, _data in (
    ("text", b"hello"), ("nothing", b""), ("half of one", None), ("an HTML page", b"<!doctype html><html></html>"),
):  # fmt: skip
    for _ending in (".zip", ".tar", ".tar.gz", ".tar.xz"):

        @attempt(KIND, f"a {_ending} that is {_name}", refused("a\\."))
        def _(place: Place, data: bytes | None = _data, ending: str = _ending) -> object:
            path = place.folder / f"a{ending}"
            if data is None:
                if ending == ".zip":
                    with zipfile.ZipFile(path, "w") as archive:
                        archive.writestr("top/index.csv", "x" * 9999)
                else:
                    _tar(path, _member("top/a", size=99999), mode={".gz": "w:gz", ".xz": "w:xz"}.get(path.suffix, "w"))
                data = path.read_bytes()[: path.stat().st_size // 2]
            path.write_bytes(data)
            return _unpacks(place, path)


@attempt(
    KIND, "a sound archive", gives(lambda place, _: None if (place.out / "set/index.csv").exists() else "not there")
)
def _(place: Place) -> object:
    return _unpacks(place, _tar(place.folder / "a.tar.gz", _member("top/a"), mode="w:gz"))


def _long_header(kind: bytes, size: int) -> bytes:
    """A tar whose first header announces a name, or attributes, of so many bytes, and holds zeros."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


for _name, _type in (("GNU's long name", tarfile.GNUTYPE_LONGNAME), ("GNU's long link", tarfile.GNUTYPE_LONGLINK),
                     ("pax attributes", tarfile.XHDTYPE), ("global pax attributes", tarfile.XGLTYPE)):  # fmt: skip

    @attempt(BOMBS, f"a .tar.gz whose {_name} has gigabytes", refused("a.tar.gz"))
    def _(place: Place, kind: bytes = _type) -> object:
        import gzip

        path = place.folder / "a.tar.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            size = 6 << 30
            file.write(_long_header(kind, size))
            block = bytes(1 << 24)
            for _ in range(20):  # a third of a gigabyte, the rest is a promise
                file.write(block)
        return _unpacks(place, path)


@attempt(BOMBS, "an .xz with a dictionary of gigabytes", refused("a.tar.xz"))
def _(place: Place) -> object:
    data = bytearray(lzma.compress(b"x" * 4096, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 12}]))
    place.write("a.tar.xz", _with_dictionary(bytes(data)))
    return _unpacks(place, place.folder / "a.tar.xz")


def _with_dictionary(data: bytes) -> bytes:
    """Say in a stream's header that its dictionary has 4 GiB, and put the header's checksum right."""
    import zlib

    changed = bytearray(data)
    size = (changed[12] + 1) * 4
    place = data.index(b"\x21\x01", 12) + 2  # LZMA2's only property
    changed[place] = 40
    changed[12 + size - 4 : 12 + size] = zlib.crc32(changed[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(changed)


@attempt(BOMBS, "a .zip that unpacks to more than it says", refused("a.zip|size|larger|damaged"))
def _(place: Place) -> object:
    path = place.folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/index.csv", "")
        archive.writestr("top/big", bytes(1 << 24))
    data = path.read_bytes().replace((1 << 24).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    path.write_bytes(data)
    return _unpacks(place, path)


@attempt(BOMBS, "a .zip that says it has a petabyte", refused("a.zip|room|larger|disk|bytes"))
def _(place: Place) -> object:
    path = place.folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/index.csv", "")
        for number in range(8):
            archive.writestr(f"top/{number}", bytes(1 << 22))
    data = path.read_bytes().replace((1 << 22).to_bytes(4, "little"), (0xFFFFFFF0).to_bytes(4, "little"))
    path.write_bytes(data)
    return _unpacks(place, path)


@attempt(
    BOMBS, "a report whose kept labels unpack to gigabytes", either("damaged|kept|labels|report|unpack", says("report"))
)
def _(place: Place) -> object:
    import base64
    import re
    import zlib

    shutil.copytree(place.base / "orphan", place.out)
    squeezed = zlib.compressobj(1)
    bomb = b"".join(squeezed.compress(bytes(1 << 26)) for _ in range(24)) + squeezed.flush()
    changed = 0
    for path in sorted((place.out / "html").rglob("*.js")):
        text = path.read_text(encoding="utf-8")
        new = re.sub(r"eJ[A-Za-z0-9+/=]{40,}", base64.b64encode(bomb).decode(), text, count=1)
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed += 1
            break
    if not changed:
        from benchmarks.hostile.attempts import Skipped

        raise Skipped("no kept labels of that form in the report")
    return ["report", place.out]


@attempt(BOMBS, "a Parquet table that says it has a trillion rows", refused("conv1"))
def _(place: Place) -> object:
    import pyarrow as pa
    import pyarrow.parquet as pq

    import netdissect as nd

    path = place.ran / "conv1.parquet"
    table = pq.read_table(path)
    many = pa.concat_tables([table.slice(0, 1)] * 400_000)
    pq.write_table(many.combine_chunks(), path, compression="zstd")
    return lambda: nd.load(str(place.ran)) and None


@attempt(BOMBS, "an .npz that unpacks to gigabytes", refused("conv1"))
def _(place: Place) -> object:
    import netdissect as nd

    path = place.ran / "conv1.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
                if name == "thresholds.npy":
                    for _ in range(12):
                        file.write(bytes(1 << 24))
    return lambda: nd.load(str(place.ran)) and None


@attempt(BOMBS, "COCO's JSON says an image of 60,000 by 60,000", refused("pixels|size|width|image"))
def _(place: Place) -> object:
    from benchmarks.hostile.make import annotation, coco

    words = coco(place, [annotation(1, 1, (0, 0, 60000, 60000))])
    path = place.folder / "instances.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["images"][0].update(width=60000, height=60000)
    path.write_text(json.dumps(found), encoding="utf-8")
    return words
