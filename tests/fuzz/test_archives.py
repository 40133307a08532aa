"""Whatever bytes an archive holds, nothing is written outside its folder, and a refused archive leaves nothing."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.fuzz.damage import changes_of_bytes, check_one_sentence, damage_file
from tests.limited_process import call_with_limits

from netdissect.errors import DownloadError, NetdissectError
from netdissect.probe_sets.download.unpack import unpack_archive
from netdissect.protocols import NullProgress

FILES = {"set/index.csv": b"image,split\n" * 50, "set/images/a.png": bytes(range(256)) * 4, "set/images/b/c.png": b"x"}


def pack(path, files):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module", params=["a.zip", "a.tar", "a.tgz"])
def archive(request, tmp_path_factory):
    return pack(tmp_path_factory.mktemp("archives") / request.param, FILES)


def list_files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@settings(max_examples=100)
@given(changes=changes_of_bytes)
def test_a_damaged_archive_is_unpacked_or_refused(archive, tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("there")
    with damage_file(archive, changes):
        try:
            unpack_archive(archive, folder / "set", marker="index.csv", progress=NullProgress())
        except NetdissectError as error:
            check_one_sentence(error)
            assert list_files(folder) == []
        else:
            assert {path.split("/")[0] for path in list_files(folder)} == {"set"}


NAMES = st.lists(st.sampled_from(["..", ".", "", "a", "/", "\\", "C:", "~", "a" * 300, "\u2025", "con", " "]), min_size=1, max_size=5)  # fmt: skip


@settings(max_examples=150)
@given(parts=NAMES, ending=st.sampled_from([".zip", ".tar"]))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, parts, ending):
    assume("/".join(parts))
    folder = tmp_path_factory.mktemp("there")
    archive = pack(folder / f"a{ending}", {"index.csv": b"", "/".join(parts): b"evil"})
    (folder / "deep").mkdir()
    try:
        unpack_archive(archive, folder / "deep" / "set", marker="index.csv", progress=NullProgress())
    except NetdissectError as error:
        check_one_sentence(error)
    outside = [path for path in list_files(folder) if not path.startswith("deep/set")]
    assert outside == [archive.name, "deep"]


def try_to_unpack(archive, target):
    unpack_archive(archive, target, marker="index.csv", progress=NullProgress())


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    bombs = [
        pack(tmp_path / "flat.zip", {"index.csv": bytes(120 << 20)}),
        pack(tmp_path / "flat.tgz", {"index.csv": bytes(120 << 20)}),
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as many:
        for number in range(3000):
            many.writestr(f"{number}", b"")
    data = out.getvalue()
    # Entries may point to the same bytes; their sizes are added up all the same.
    (tmp_path / "many.zip").write_bytes(data)
    for bomb in bombs:
        kind, text = call_with_limits(try_to_unpack, bomb, tmp_path / "set")
        assert kind == DownloadError.__name__, text
        assert "too much for an archive" in text
    kind, text = call_with_limits(try_to_unpack, tmp_path / "many.zip", tmp_path / "set")
    assert "holds no index.csv" in text
    assert list_files(tmp_path) == ["flat.tgz", "flat.zip", "many.zip"]
