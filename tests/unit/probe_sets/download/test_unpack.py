"""Unpacking untrusted archives."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from types import SimpleNamespace

import pytest
from tests.limited_process import call_with_limits

from netdissect.errors import DownloadError
from netdissect.probe_sets.download import members, zips
from netdissect.probe_sets.download import unpack as unpacking
from netdissect.probe_sets.download.partial import make_work_folder
from netdissect.probe_sets.download.unpack import unpack_archive
from netdissect.protocols import NullProgress


def zipped(path, files, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path, files, members=()):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    return path


def unpacked(archive, target, marker="index.csv"):
    unpack_archive(archive, target, marker=marker, progress=NullProgress())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}


FILES = {"broden1_224/index.csv": b"table", "broden1_224/images/a/b.png": b"image"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_the_folder_that_holds_the_marker_becomes_the_target(tmp_path, name):
    archive = (zipped if name.endswith("zip") else tarred)(tmp_path / name, FILES)
    assert unpacked(archive, tmp_path / "set" / "x") == {"index.csv": b"table", "images/a/b.png": b"image"}
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["x"]


def test_a_marker_at_the_top_and_one_that_is_a_folder(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"JPEGImages/a.jpg": b"1"})
    assert unpacked(archive, tmp_path / "voc", "JPEGImages") == {"JPEGImages/a.jpg": b"1"}
    deep = tarred(tmp_path / "b.tar", {"VOCdevkit/VOC2010/JPEGImages/a.jpg": b"1", "VOCdevkit/readme": b"2"})
    assert unpacked(deep, tmp_path / "voc2010", "JPEGImages") == {"JPEGImages/a.jpg": b"1"}


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:/evil"])
def test_nothing_is_written_outside(tmp_path, name):
    for archive in (
        zipped(tmp_path / "a.zip", {"index.csv": b"", name: b"evil"}),
        tarred(tmp_path / "a.tar", {"index.csv": b"", name: b"evil"}),
    ):
        with pytest.raises(DownloadError, match=r"would be outside its folder|damaged"):
            unpacked(archive, tmp_path / "deep" / "set")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.tar", "a.zip"]


def test_links_and_devices_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DownloadError, match="'link', a link or device"):
        unpacked(tmp_path / "a.zip", tmp_path / "set")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        member = tarfile.TarInfo("thing")
        member.type, member.linkname = kind, "index.csv"
        archive = tarred(tmp_path / "a.tar", {"index.csv": b""}, [member])
        with pytest.raises(DownloadError, match="'thing', a link or device"):
            unpacked(archive, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_bomb_is_refused_before_anything_is_written(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"index.csv": bytes(100 << 20)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DownloadError, match="too much for an archive"):
        unpacked(archive, tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_bomb_in_a_tar_is_refused_at_its_header(tmp_path):
    """What follows a member is found only by unpacking it."""
    member = tarfile.TarInfo("index.csv")
    member.size = 1 << 50
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(member.tobuf() + bytes(1 << 20)))
    with pytest.raises(DownloadError, match="would unpack to at least 1125900 GB in 1 files, too much for an archive"):
        unpacked(archive, tmp_path / "set")


def test_a_member_larger_than_it_says_is_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"index.csv": bytes(5000)})
    data = bytearray(archive.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (1000).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match=r"larger than it says|damaged"):
        unpacked(archive, tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_archive_is_one_sentence_and_leaves_nothing(tmp_path, name, share):
    archive = (zipped if name.endswith("zip") else tarred)(tmp_path / name, {"index.csv": bytes(range(256)) * 500})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DownloadError, match="is damaged and cannot be unpacked"):
        unpacked(archive, tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_another_archive_is_recognised_by_its_missing_marker(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"readme": b"hello"})
    with pytest.raises(DownloadError, match=r"holds no index.csv: it is not the right archive"):
        unpacked(archive, tmp_path / "set")


def test_two_members_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("index.csv", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("index.csv", "2")
    with pytest.raises(DownloadError, match="holds 'index.csv' and another member of that name"):
        unpacked(tmp_path / "a.zip", tmp_path / "set")


def test_what_lies_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").write_text("mine")
    with pytest.raises(DownloadError, match="is in the way"):
        unpacked(zipped(tmp_path / "a.zip", FILES), tmp_path / "set")
    assert (tmp_path / "set" / "mine").read_text() == "mine"


def test_room_is_asked_before_unpacking(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", FILES)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DownloadError, match="make room and run again"):
        unpacked(archive, tmp_path / "set")


def test_what_an_interrupted_unpacking_left_is_swept_away(tmp_path):
    left = make_work_folder(tmp_path) / "set.unpacking"
    left.mkdir()
    (left / "half").write_text("half")
    unpacked(zipped(tmp_path / "a.zip", FILES), tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "set"]


# ── Small archives that would take the machine ────────────────────────────────────────────────────────────────────────


def header(name, kind, size=0):
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(data):
    return data + bytes(-len(data) % 512)


def end_of(*parts):
    return b"".join(parts) + bytes(1024)


def long_name(size):
    """A header that announces a name of so many bytes (GNU), and the name."""
    return header("././@LongLink", tarfile.GNUTYPE_LONGNAME, size) + padded(b"a" * size)


def gzipped_quickly(data):
    """Compress long runs of one byte, a megabyte at a time, each only once."""
    seen = functools.cache(lambda part: gzip.compress(part, 1))
    return b"".join(seen(data[start : start + (1 << 20)]) for start in range(0, len(data), 1 << 20))


def pax(size, kind=tarfile.XHDTYPE):
    record = b"comment=" + b"a" * size + b"\n"
    length = len(record) + 1
    while len(str(length)) + 1 + len(record) != length:
        length = len(str(length)) + 1 + len(record)
    data = str(length).encode() + b" " + record
    return header("pax", kind, len(data)) + padded(data)


def gnu_sparse(blocks):
    """A sparse file in GNU's own way, whose map goes on for so many blocks."""
    first = bytearray(header("index.csv", tarfile.GNUTYPE_SPARSE))
    first[482] = 1
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    one = b"".join(b"%011o\0%011o\0" % (0, 0) for _ in range(21)) + b"\x01" + bytes(7)
    return bytes(first) + one * blocks


HUGE = {
    "a name of 100 MB": lambda: long_name(100 << 20),
    "a pax header of 100 MB": lambda: pax(100 << 20),
    "a pax header of 100 MB for all files": lambda: pax(100 << 20, tarfile.XGLTYPE),
    "a map of holes of 100 MB": lambda: gnu_sparse(200_000),
    "a name of 100 kB, after a hundred others": lambda: long_name(900) * 100,
}


def try_to_unpack(archive, target):
    return unpack_archive(archive, target, marker="index.csv", progress=NullProgress())


@pytest.mark.parametrize("what", HUGE)
def test_what_stands_before_a_file_in_a_tar_is_bounded(tmp_path, what):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzipped_quickly(end_of(HUGE[what](), header("index.csv", tarfile.REGTYPE))))
    assert archive.stat().st_size < 4 << 20
    kind, words = call_with_limits(try_to_unpack, archive, tmp_path / "set", growth=50 << 20)
    assert kind == "DownloadError"
    assert "bytes before a single file (its name or the like), and at most 65,536 are read" in words
    assert not (tmp_path / "set").exists()


def test_what_is_said_of_all_files_at_once_is_bounded(tmp_path):
    archive = tmp_path / "a.tar"
    archive.write_bytes(end_of(pax(20_000, tarfile.XGLTYPE), header("index.csv", tarfile.REGTYPE)))
    with pytest.raises(DownloadError, match="has a header of more than 16,384 bytes for all its files"):
        unpacked(archive, tmp_path / "set")


def test_long_names_and_pax_headers_of_usual_size_are_read(tmp_path):
    name = "/".join(["a" * 100] * 5) + "/index.csv"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=kind, pax_headers={"comment": "x" * 40}) as archive:
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"table"))
        assert unpacked(tmp_path / "a.tar", tmp_path / str(kind)) == {"index.csv": b"table"}


def test_an_xz_file_that_asks_for_all_memory_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    data = bytearray(
        lzma.compress(end_of(header("index.csv", tarfile.REGTYPE)), format=lzma.FORMAT_XZ, filters=filters)
    )
    data[16] = 40  # the dictionary's size in the block's header: 4 GB
    data[20:24] = zlib.crc32(bytes(data[12:20])).to_bytes(4, "little")
    (tmp_path / "a.tar.xz").write_bytes(data)
    kind, words = call_with_limits(try_to_unpack, tmp_path / "a.tar.xz", tmp_path / "set", growth=200 << 20)
    assert kind == "DownloadError"
    assert words.endswith("needs more than 128 MB of memory to be unpacked: compress it again with xz -9 or less")


@pytest.mark.parametrize(("ending", "packed"), [(".tar.xz", lzma.compress), (".tar.bz2", bz2.compress)])
def test_xz_and_bzip2_are_unpacked_and_a_cut_one_is_damaged(tmp_path, ending, packed):
    plain = tarred(tmp_path / "plain.tar", {**FILES, "broden1_224/big": bytes(range(256)) * 3000}).read_bytes()
    archive = tmp_path / f"a{ending}"
    archive.write_bytes(packed(plain))
    assert len(unpacked(archive, tmp_path / "set")) == 3
    archive.write_bytes(packed(plain)[:-9])
    with pytest.raises(DownloadError, match="is damaged and cannot be unpacked"):
        unpacked(archive, tmp_path / "cut")


def test_a_bomb_between_the_files_of_a_tar_is_refused_too(tmp_path):
    """An entry of a folder may have bytes too."""
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzipped_quickly(end_of(header("folder", tarfile.DIRTYPE)) + bytes(200 << 20)))
    with pytest.raises(DownloadError, match="too much for an archive"):
        unpacked(archive, tmp_path / "set")


def test_many_small_files_count_as_the_disk_counts_them(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "SPARE_BYTES", 1 << 20)
    monkeypatch.setattr(members, "MAX_GROWTH", 1)
    archive = tarred(tmp_path / "a.tar.gz", {f"{number}": b"" for number in range(300)})
    with pytest.raises(DownloadError, match=r"would unpack to at least 1\.1 MB in \d+ files, too much for an archive"):
        unpacked(archive, tmp_path / "set")
    monkeypatch.setattr(zips, "MAX_MEMBERS", 200)
    archive = zipped(tmp_path / "a.zip", {f"{number}": b"" for number in range(300)})
    with pytest.raises(DownloadError, match="has a directory of 300 files, too large"):
        unpacked(archive, tmp_path / "set")


def test_a_zip_directory_is_measured_before_it_is_read(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"index.csv": b""})
    data = bytearray(archive.read_bytes())
    data[-10:-6] = (1 << 31).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="has a directory of 2,147,483,648 bytes"):
        unpacked(archive, tmp_path / "set")


def test_files_of_a_zip_that_share_bytes_are_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"index.csv": b"1" * 100, "other.csv": b"2" * 100})
    data = bytearray(archive.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)  # the place of its bytes is that of the first file's
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match=r"the bytes of '(index|other)\.csv' belong to another file too"):
        unpacked(archive, tmp_path / "set")


def test_a_zip_packed_in_a_way_that_may_ask_for_all_memory_is_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"index.csv": b"1" * 100}, compression=zipfile.ZIP_LZMA)
    with pytest.raises(DownloadError, match=r"'index\.csv' uses compression method 14, which is not supported"):
        unpacked(archive, tmp_path / "set")


# ── Archives that end too early, and are no files ─────────────────────────────────────────────────────────────────────


def test_a_tar_that_ends_between_two_files_or_at_a_spoilt_header_is_not_half_unpacked(tmp_path):
    whole = tarred(tmp_path / "a.tar", {"index.csv": b"1", "images/a": b"2", "images/b": b"3"}).read_bytes()
    spoilt = bytearray(whole)
    spoilt[1024 + 150] ^= 1
    for data in (whole[:1024], whole[:2048], bytes(spoilt)):
        (tmp_path / "a.tar").write_bytes(data)
        with pytest.raises(DownloadError, match="is damaged and cannot be unpacked"):
            unpacked(tmp_path / "a.tar", tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_gzip_checksum_behind_the_last_file_counts(tmp_path):
    archive = tarred(tmp_path / "a.tar.gz", {"index.csv": b"1"})
    data = bytearray(archive.read_bytes())
    data[-8] ^= 1
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match=r"is damaged and cannot be unpacked \(CRC check failed"):
        unpacked(archive, tmp_path / "set")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    for name in ("a.zip", "a.tar"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(DownloadError, match="cannot be unpacked: expected a regular file, got a named pipe"):
            unpacked(tmp_path / name, tmp_path / "set")


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a/b.", "a /b", "x\x7f", "n" * 1001, "/".join("d" * 60), "\x85"])
def test_names_that_some_system_changes_or_shows_as_others_are_refused(tmp_path, name):
    for archive in (
        zipped(tmp_path / "a.zip", {"index.csv": b"", name: b"x"}),
        tarred(tmp_path / "a.tar", {"index.csv": b"", name: b"x"}),
    ):
        with pytest.raises(
            DownloadError, match=r"a name with control characters|holds a name of [\d,]+ characters"
        ) as raised:
            unpacked(archive, tmp_path / "set")
        assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    "pair",
    [("Images/a", "images/A"), ("a", "a/b"), ("a/b", "a"), ("caf\u00e9", "cafe\u0301"), ("A", "a/b"), ("x/./y", "x/y")],
)
def test_names_that_some_disk_takes_for_one_are_refused(tmp_path, pair):
    for archive in (
        zipped(tmp_path / "a.zip", {"index.csv": b"", pair[0]: b"1", pair[1]: b"2"}),
        tarred(tmp_path / "a.tar", {"index.csv": b"", pair[0]: b"1", pair[1]: b"2"}),
    ):
        with pytest.raises(DownloadError, match="and another member of that name, or of one that differs only in case"):
            unpacked(archive, tmp_path / "set")


def test_a_link_in_the_place_of_the_target_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set").symlink_to("elsewhere")
    with pytest.raises(DownloadError, match="set is in the way"):
        unpacked(zipped(tmp_path / "a.zip", FILES), tmp_path / "set")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_yours_that_is_called_like_one_of_ours_is_left_alone(tmp_path):
    (tmp_path / ".set.unpacking").mkdir()
    (tmp_path / ".set.unpacking" / "mine").touch()
    unpacked(zipped(tmp_path / "a.zip", FILES), tmp_path / "set")
    assert (tmp_path / ".set.unpacking" / "mine").exists()
