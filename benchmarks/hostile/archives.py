"""Archives with members outside their folder, damaged archives, and small files that unpack to gigabytes."""

from __future__ import annotations

import io
import json
import lzma
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import add_attempt, check_printed, expect_either, expect_error, expect_success

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.hostile.attempts import AttemptFolder

KIND = "archives"
BOMBS = "decompression bombs"


def _make_unpack_call(folder: AttemptFolder, archive: Path) -> object:
    def call() -> None:
        from netdissect.probe_sets.download.unpack import unpack_archive
        from netdissect.protocols import NullProgress

        unpack_archive(archive, folder.out / "set", marker="index.csv", progress=NullProgress())

    return call


def _write_tar(path: Path, *members: tarfile.TarInfo, mode: str = "w", **more: Any) -> Path:
    with tarfile.open(path, mode, **more) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
        marker = tarfile.TarInfo("top/index.csv")
        archive.addfile(marker)
    return path


def _make_member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 1, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size if kind == tarfile.REGTYPE else 0, link
    return member


for _name, _info in (
    ("a member above its folder", _make_member("../evil")),
    ("an absolute member", _make_member("/nowhere/evil")),
    ("a member above its folder, further in", _make_member("top/a/../../../evil")),
    ("a link out", _make_member("top/x", tarfile.SYMTYPE, link="/etc")),
    ("a hard link out", _make_member("top/x", tarfile.LNKTYPE, link="/etc/passwd")),
    ("a device", _make_member("top/x", tarfile.CHRTYPE)),
    ("a named pipe", _make_member("top/x", tarfile.FIFOTYPE)),
    ("a Windows drive", _make_member("C:/evil")),
    ("backslashes", _make_member("..\\evil")),
    ("a name of 100,000 letters", _make_member("top/" + "x/" * 50_000)),
):

    @add_attempt(KIND, f"a .tar with {_name}", expect_error("a.tar|evil|link|device|name|pipe"))
    def _(folder: AttemptFolder, info: tarfile.TarInfo = _info) -> object:
        return _make_unpack_call(folder, _write_tar(folder.path / "a.tar", info))


for _name, _file in (
    ("above", "../evil"),
    ("absolute", "/nowhere/evil"),
    ("of a drive", "C:/evil"),
):

    @add_attempt(KIND, f"a .zip with a name that is {_name}", expect_error("a.zip|evil|name"))
    def _(folder: AttemptFolder, file: str = _file) -> object:
        with zipfile.ZipFile(folder.path / "a.zip", "w") as archive:
            archive.writestr("top/index.csv", "")
            archive.writestr(zipfile.ZipInfo(file), "x")
        return _make_unpack_call(folder, folder.path / "a.zip")


for _name, _data in (
    ("text", b"hello"), ("nothing", b""), ("cut in half", None), ("an HTML page", b"<!doctype html><html></html>"),
):  # fmt: skip
    for _ending in (".zip", ".tar", ".tar.gz", ".tar.xz"):

        @add_attempt(KIND, f"a {_ending} that is {_name}", expect_error("a\\."))
        def _(folder: AttemptFolder, data: bytes | None = _data, ending: str = _ending) -> object:
            path = folder.path / f"a{ending}"
            if data is None:
                if ending == ".zip":
                    with zipfile.ZipFile(path, "w") as archive:
                        archive.writestr("top/index.csv", "x" * 9999)
                else:
                    _write_tar(
                        path,
                        _make_member("top/a", size=99999),
                        mode={".gz": "w:gz", ".xz": "w:xz"}.get(path.suffix, "w"),
                    )
                data = path.read_bytes()[: path.stat().st_size // 2]
            path.write_bytes(data)
            return _make_unpack_call(folder, path)


@add_attempt(
    KIND,
    "a valid archive",
    expect_success(lambda folder, _: None if (folder.out / "set/index.csv").exists() else "it was not unpacked"),
)
def _(folder: AttemptFolder) -> object:
    return _make_unpack_call(folder, _write_tar(folder.path / "a.tar.gz", _make_member("top/a"), mode="w:gz"))


def _make_long_header(kind: bytes, size: int) -> bytes:
    """Return a tar header that announces a name, or attributes, of `size` bytes."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


for _name, _type in (("GNU's long name", tarfile.GNUTYPE_LONGNAME), ("GNU's long link", tarfile.GNUTYPE_LONGLINK),
                     ("pax attributes", tarfile.XHDTYPE), ("global pax attributes", tarfile.XGLTYPE)):  # fmt: skip

    @add_attempt(BOMBS, f"a .tar.gz with {_name} of gigabytes", expect_error("a.tar.gz"))
    def _(folder: AttemptFolder, kind: bytes = _type) -> object:
        import gzip

        path = folder.path / "a.tar.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            size = 6 << 30
            file.write(_make_long_header(kind, size))
            block = bytes(1 << 24)
            for _ in range(20):  # a third of a gigabyte of the announced six
                file.write(block)
        return _make_unpack_call(folder, path)


@add_attempt(BOMBS, "an .xz that claims a dictionary of 4 GiB", expect_error("a.tar.xz"))
def _(folder: AttemptFolder) -> object:
    data = bytearray(lzma.compress(b"x" * 4096, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 12}]))
    folder.write("a.tar.xz", _claim_large_dictionary(bytes(data)))
    return _make_unpack_call(folder, folder.path / "a.tar.xz")


def _claim_large_dictionary(data: bytes) -> bytes:
    """Change an .xz header to claim a dictionary of 4 GiB, and correct its checksum."""
    import zlib

    changed = bytearray(data)
    size = (changed[12] + 1) * 4
    at = data.index(b"\x21\x01", 12) + 2  # LZMA2's only property
    changed[at] = 40
    changed[12 + size - 4 : 12 + size] = zlib.crc32(changed[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(changed)


@add_attempt(BOMBS, "a .zip that unpacks to more than it claims", expect_error("a.zip|size|larger|damaged"))
def _(folder: AttemptFolder) -> object:
    path = folder.path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/index.csv", "")
        archive.writestr("top/big", bytes(1 << 24))
    data = path.read_bytes().replace((1 << 24).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    path.write_bytes(data)
    return _make_unpack_call(folder, path)


@add_attempt(BOMBS, "a .zip that claims a petabyte", expect_error("a.zip|room|larger|disk|bytes"))
def _(folder: AttemptFolder) -> object:
    path = folder.path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/index.csv", "")
        for number in range(8):
            archive.writestr(f"top/{number}", bytes(1 << 22))
    data = path.read_bytes().replace((1 << 22).to_bytes(4, "little"), (0xFFFFFFF0).to_bytes(4, "little"))
    path.write_bytes(data)
    return _make_unpack_call(folder, path)


@add_attempt(
    BOMBS,
    "a report whose cached labels unpack to gigabytes",
    expect_either("damaged|kept|labels|report|unpack", check_printed("report")),
)
def _(folder: AttemptFolder) -> object:
    import base64
    import re
    import zlib

    shutil.copytree(folder.base / "orphan", folder.out)
    squeezed = zlib.compressobj(1)
    bomb = b"".join(squeezed.compress(bytes(1 << 26)) for _ in range(24)) + squeezed.flush()
    changed = 0
    for path in sorted((folder.out / "html").rglob("*.js")):
        text = path.read_text(encoding="utf-8")
        new = re.sub(r"eJ[A-Za-z0-9+/=]{40,}", base64.b64encode(bomb).decode(), text, count=1)
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed += 1
            break
    if not changed:
        from benchmarks.hostile.attempts import SkipAttempt

        raise SkipAttempt("the report has no cached labels of that form")
    return ["report", folder.out]


@add_attempt(BOMBS, "a Parquet table of 400,000 equal rows", expect_error("conv1"))
def _(folder: AttemptFolder) -> object:
    import pyarrow as pa
    import pyarrow.parquet as pq

    import netdissect as nd

    path = folder.finished_run / "conv1.parquet"
    table = pq.read_table(path)
    many = pa.concat_tables([table.slice(0, 1)] * 400_000)
    pq.write_table(many.combine_chunks(), path, compression="zstd")
    return lambda: nd.load(str(folder.finished_run)) and None


@add_attempt(BOMBS, "an .npz that unpacks to gigabytes", expect_error("conv1"))
def _(folder: AttemptFolder) -> object:
    import netdissect as nd

    path = folder.finished_run / "conv1.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
                if name == "thresholds.npy":
                    for _ in range(12):
                        file.write(bytes(1 << 24))
    return lambda: nd.load(str(folder.finished_run)) and None


@add_attempt(BOMBS, "COCO's JSON claims an image of 60,000 x 60,000", expect_error("pixels|size|width|image"))
def _(folder: AttemptFolder) -> object:
    from benchmarks.hostile.sample_files import make_annotation, prepare_from_coco

    words = prepare_from_coco(folder, [make_annotation(1, 1, (0, 0, 60000, 60000))])
    path = folder.path / "instances.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["images"][0].update(width=60000, height=60000)
    path.write_text(json.dumps(found), encoding="utf-8")
    return words
