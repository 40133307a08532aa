"""Unpacking archives that nobody vouches for."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from netdissect.data.download import unpack as unpacking
from netdissect.data.download.unpack import unpack
from netdissect.errors import DownloadError
from netdissect.protocols import Silent


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
    unpack(archive, target, marker=marker, progress=Silent())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}


FILES = {"broden1_224/index.csv": b"table", "broden1_224/images/a/b.png": b"picture"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_the_folder_that_holds_the_marker_becomes_the_target(tmp_path, name):
    archive = (zipped if name.endswith("zip") else tarred)(tmp_path / name, FILES)
    assert unpacked(archive, tmp_path / "set" / "x") == {"index.csv": b"table", "images/a/b.png": b"picture"}
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
        with pytest.raises(DownloadError, match=r"would lie outside its folder|damaged"):
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
    with pytest.raises(DownloadError, match="beyond all measure"):
        unpacked(archive, tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_bomb_in_a_tar_is_refused_at_its_header(tmp_path):
    """What follows a member is found only by unpacking it."""
    member = tarfile.TarInfo("index.csv")
    member.size = 1 << 50
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(member.tobuf() + bytes(1 << 20)))
    with pytest.raises(DownloadError, match="would unpack to at least 1125900 GB in 1 files, beyond all measure"):
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
    with pytest.raises(DownloadError, match=r"holds no index.csv: it is not the archive that was meant"):
        unpacked(archive, tmp_path / "set")


def test_two_members_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("index.csv", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("index.csv", "2")
    with pytest.raises(DownloadError, match="is damaged"):
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
    (tmp_path / ".set.unpacking").mkdir()
    (tmp_path / ".set.unpacking" / "half").write_text("half")
    unpacked(zipped(tmp_path / "a.zip", FILES), tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "set"]
