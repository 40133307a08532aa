"""Entries of the registry: fetched, verified, recorded, unpacked, found again by name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.probe_sets import originals
from tests.unit.probe_sets.download.server import Server

from netdissect.errors import DataFileError, DataNotFoundError, DownloadError, ModelNotFoundError, SettingsError
from netdissect.io import locks
from netdissect.probe_sets.download import entries as getting
from netdissect.probe_sets.download.download_record import RECORD_FILE
from netdissect.probe_sets.download.entries import download_entry, is_downloaded
from netdissect.probe_sets.download.partial import WORK_FOLDER, make_work_folder
from netdissect.probe_sets.download.paths import get_data_folder, get_zoo_folder, resolve_network, resolve_probe_set
from netdissect.probe_sets.download.registry import find_entry, load_registry, parse_registry


@pytest.fixture
def server():
    with Server() as running:
        yield running


def archive(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return out.getvalue()


SET = archive({"mini/index.csv": "image,split\n", "mini/images/a.jpg": "image"})


def registry(server, *, checksum="", body=SET):
    server.serve("mini.zip", body)
    server.serve("weights.bin", b"weights" * 100)
    return parse_registry(
        f"""
        [hosts]
        here = ["{server.url("")}"]
        [mini]
        kind = "probe set"
        about = "a small set"
        licence = "free"
        citation = "nobody"
        folder = "mini"
        marker = "index.csv"
        files = [{{ name = "mini.zip", host = "here" {checksum} }}]
        [net]
        kind = "network"
        about = "a network"
        licence = "free"
        citation = "nobody"
        files = [{{ name = "weights.bin", host = "here" }}]
        [both]
        kind = "source"
        about = "both"
        licence = "free"
        citation = "nobody"
        members = ["mini", "net"]
        """,
        "here",
    )


def test_an_entry_is_fetched_verified_and_unpacked(server, tmp_path):
    md5 = hashlib.md5(SET).hexdigest()
    said = []
    entries = registry(server, checksum=f', md5 = "{md5}"')
    assert not is_downloaded(entries["mini"], entries, tmp_path)
    assert download_entry("mini", entries, tmp_path, say=said.append) == [tmp_path / "mini"]
    assert (tmp_path / "mini" / "images" / "a.jpg").read_text() == "image"
    assert not (tmp_path / "mini.zip").exists()
    assert is_downloaded(entries["mini"], entries, tmp_path)
    assert "md5 as published" in said[0]
    download_entry("mini", entries, tmp_path, say=said.append)
    assert "is there already" in said[-1]
    assert len(server.requests) == 1


def test_an_archive_can_be_kept(server, tmp_path):
    download_entry("mini", registry(server), tmp_path, keep=True)
    assert (tmp_path / "mini.zip").read_bytes() == SET


def test_where_no_checksum_is_known_the_first_downloads_hash_is_recorded_and_said(server, tmp_path):
    said = []
    download_entry("mini", registry(server), tmp_path, say=said.append)
    sha256 = hashlib.sha256(SET).hexdigest()
    assert sha256 in said[0]
    assert "no checksum of it is published" in said[0]
    record = json.loads((tmp_path / RECORD_FILE).read_text())["mini.zip"]
    assert (record["sha256"], record["size"]) == (sha256, len(SET))
    assert record["url"].endswith("/mini.zip")


def test_a_later_download_is_compared_with_the_first(server, tmp_path):
    entries = registry(server)
    download_entry("mini", entries, tmp_path)
    (tmp_path / "mini" / "index.csv").unlink()
    (tmp_path / "mini" / "images" / "a.jpg").unlink()
    (tmp_path / "mini" / "images").rmdir()
    said = []
    download_entry("mini", entries, tmp_path, say=said.append)
    assert "the same as the first time" in said[0]
    (tmp_path / "mini" / "index.csv").unlink()
    server.serve("mini.zip", archive({"mini/index.csv": "another"}))
    with pytest.raises(DownloadError, match=r"its sha256 is .* at the first download it was .* downloads\.json"):
        download_entry("mini", entries, tmp_path)


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_the_hash_of_an_archive_that_turned_out_damaged_is_not_held_against_the_right_one(server, tmp_path):
    whole = tarred({"mini/index.csv": b"image,split\n" * 500})
    entries = parse_registry(
        f"""
        [mini]
        kind = "probe set"
        about = "a small set"
        licence = "free"
        citation = "nobody"
        folder = "mini"
        marker = "index.csv"
        files = [{{ name = "mini.tar.gz", mirrors = ["{server.serve("mini.tar.gz", whole[:-40])}"] }}]
        """,
        "here",
    )
    with pytest.raises(DownloadError, match=r"mini\.tar\.gz is damaged .* delete it"):
        download_entry("mini", entries, tmp_path)
    (tmp_path / "mini.tar.gz").unlink()
    server.serve("mini.tar.gz", whole)
    assert download_entry("mini", entries, tmp_path) == [tmp_path / "mini"]
    record = json.loads((tmp_path / RECORD_FILE).read_text())["mini.tar.gz"]
    assert record["sha256"] == hashlib.sha256(whole).hexdigest()
    assert "proven" not in record


def test_one_entry_is_downloaded_by_one_process_at_a_time(server, tmp_path):
    entries = registry(server)
    with locks.lock_file(make_work_folder(tmp_path) / "mini.lock", ValueError):
        with pytest.raises(DownloadError, match=r"mini is being downloaded to .* by another process \(process \d+ on "):
            download_entry("mini", entries, tmp_path)
        download_entry("net", entries, tmp_path)
    download_entry("mini", entries, tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_many_that_download_into_one_folder_at_once_lose_no_record(server, tmp_path):
    names = [f"f{number}" for number in range(6)]
    entries = parse_registry(
        "".join(
            f"""
            [{name}]
            kind = "table"
            about = "x"
            licence = "x"
            citation = "x"
            files = [{{ name = "{name}.bin", mirrors = ["{server.serve(name, name.encode() * 200)}"] }}]
            """
            for name in names
        ),
        "here",
    )
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: download_entry(name, entries, tmp_path), names))
    assert sorted(json.loads((tmp_path / RECORD_FILE).read_text())) == sorted(f"{name}.bin" for name in names)
    assert not (tmp_path / WORK_FOLDER).exists()


def test_a_file_that_is_there_already_is_verified_too(server, tmp_path):
    entries = registry(server, checksum=', md5 = "be13c292eaef3300da03f8d0e48eab1c"')
    (tmp_path / "mini.zip").write_bytes(SET)
    with pytest.raises(DownloadError, match=r"is there already, and its md5 is .* delete it"):
        download_entry("mini", entries, tmp_path)


def test_a_file_brought_by_hand_is_taken(server, tmp_path):
    entries = registry(server)
    (tmp_path / "mini.zip").write_bytes(SET)
    download_entry("mini", entries, tmp_path)
    assert server.requests == []
    assert (tmp_path / "mini" / "index.csv").is_file()


def test_members_come_with_their_entry(server, tmp_path):
    entries = registry(server)
    assert download_entry("both", entries, tmp_path) == [tmp_path / "mini", tmp_path / "weights.bin"]
    assert is_downloaded(entries["both"], entries, tmp_path)


def test_opensurfaces_photos_are_fetched_one_by_one_and_gone_on_with(server, tmp_path, monkeypatch):
    release = originals.write_opensurfaces(tmp_path / "release", processed=False)
    photo = (release / "photos" / "1.jpg").read_bytes()
    body = archive({path.name: path.read_bytes() for path in release.glob("*.json")})
    server.serve("os.zip", body)
    for number in (1, 2):
        server.serve(f"photos/{number}.jpg", photo)
    entries = parse_registry(
        f"""
        [opensurfaces]
        kind = "source"
        about = "photos"
        licence = "free"
        citation = "nobody"
        folder = "opensurfaces"
        marker = "shapes.materialshape.json"
        photos = ["{server.url("")}"]
        files = [{{ name = "os.zip", mirrors = ["{server.url("os.zip")}"] }}]
        """,
        "here",
    )
    with pytest.raises(DownloadError, match=r"1 of 3 photos could not be fetched.*--skip-missing"):
        download_entry("opensurfaces", entries, tmp_path)
    server.serve("photos/3.jpg", photo)
    before = len(server.requests)
    download_entry("opensurfaces", entries, tmp_path)
    assert [path for path, _ in server.requests[before:]] == ["/photos/3.jpg"]
    assert sorted(path.name for path in (tmp_path / "opensurfaces" / "photos").iterdir()) == ["1.jpg", "2.jpg", "3.jpg"]


# ── What is not ours ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_archive_brought_by_hand_is_not_removed_and_one_that_was_fetched_is(server, tmp_path):
    entries = registry(server)
    (tmp_path / "mini.zip").write_bytes(SET)
    download_entry("mini", entries, tmp_path)
    assert (tmp_path / "mini.zip").read_bytes() == SET
    download_entry("mini", entries, tmp_path / "other")
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == [RECORD_FILE, "mini"]


@pytest.mark.parametrize(
    "text", ['["mine"]', '{"a": 1}', '{"mini.zip": {"sha256": 7, "url": "x"}}', "{", "[" * 10_000, '{"a": NaN}']
)
def test_a_file_of_yours_that_is_called_like_the_record_is_left_alone(server, tmp_path, text):
    (tmp_path / RECORD_FILE).write_text(text)
    with pytest.raises(DownloadError, match=r"downloads\.json(,.*| is not the record of downloads| cannot be read|: )"):
        download_entry("mini", registry(server), tmp_path)
    assert (tmp_path / RECORD_FILE).read_text() == text
    assert server.requests == []


def test_a_download_into_a_file_is_reported_and_one_that_brings_nothing_leaves_no_folder(server, tmp_path):
    entries = registry(server)
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="file is no folder: choose one with --into"):
        download_entry("mini", entries, tmp_path / "file")
    server.answers.clear()
    with pytest.raises(DownloadError, match="HTTP 404"):
        download_entry("mini", entries, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_pipe_in_the_place_of_the_record_is_not_waited_for(server, tmp_path):
    os.mkfifo(tmp_path / RECORD_FILE)
    with pytest.raises(DownloadError, match=r"downloads\.json cannot be read .*got a named pipe"):
        download_entry("mini", registry(server), tmp_path)


def test_a_folder_that_a_link_leads_out_of_the_chosen_place_is_not_written_to(server, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    into = tmp_path / "dataset"
    into.mkdir()
    (into / "mini").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DownloadError, match=r"mini leads to .*elsewhere, outside .*dataset: nothing is written there"):
        download_entry("mini", registry(server), into)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    linked = tmp_path / "linked"
    linked.symlink_to("elsewhere")
    assert download_entry("mini", registry(server), linked) == [linked / "mini"]  # the place itself is anybody's choice


# ── The registry ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_built_in_registry_is_sound_and_says_who_made_what():
    entries = load_registry()
    assert {"broden1_224", "broden1_227", "broden1_384", "ade20k", "dtd", "opensurfaces", "pascal"} <= set(entries)
    assert sum(entry.kind == "network" for entry in entries.values()) == 15
    for entry in entries.values():
        assert entry.license
        assert entry.citation
        assert set(entry.members) <= set(entries)
        assert all(file.mirrors for file in entry.files)
    assert entries["broden1_224"].files[0].digest == ("md5", "be13c292eaef3300da03f8d0e48eab1c")
    evidence = {
        name: entries[name].files[0].mirrors[1].evidence for name in ("broden1_224", "broden1_227", "broden1_384")
    }
    assert evidence == {"broden1_224": "guess", "broden1_227": "named", "broden1_384": "guess"}
    assert entries["pascal-part"].files[0].digest == ("md5", "2fa0a19ee9b5e43b2bee520166111120")
    assert entries["voc2010"].files[0].mirrors[0].url.startswith("https://thor.robots.ox.ac.uk/pascal/VOC/voc2010/")
    assert "1aurent/ADE20K" in entries["ade20k"].note
    for mirror in (mirror for entry in entries.values() for file in entry.files for mirror in file.mirrors):
        assert mirror.evidence == "published" or mirror.why


@pytest.mark.shared
def test_the_checksum_of_the_color_table_is_that_of_the_genuine_one(shared):
    file = load_registry()["color-names"].files[0]
    data = (shared / "reference" / "broden" / "w2color.npy").read_bytes()
    assert (file.size, file.digest) == (len(data), ("sha256", hashlib.sha256(data).hexdigest()))


def test_an_unknown_name_is_answered_with_the_nearest():
    entries = load_registry()
    with pytest.raises(SettingsError, match="did you mean broden1_227"):
        find_entry(entries, "broden_227", networks=False)
    with pytest.raises(SettingsError, match="netdissect zoo download vgg16_places365"):
        find_entry(entries, "vgg16_places365", networks=False)
    with pytest.raises(SettingsError, match="netdissect data download dtd"):
        find_entry(entries, "dtd", networks=True)


def test_your_own_registry_goes_on_top(server, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        '[dtd]\nkind = "source"\nabout = "mine"\nlicence = "x"\ncitation = "x"\n'
        'files = [{ name = "a.zip", mirrors = ["https://example.org/a.zip"] }]\n'
    )
    entries = load_registry(own)
    assert entries["dtd"].about == "mine"
    assert "broden1_227" in entries
    with pytest.raises(DataNotFoundError, match=r"a registry is missing: expected .*gone\.toml"):
        load_registry(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('kind = "table"', 'kind = "thing"'), "kind must be one of"),
        (('about = "x"', ""), "'about' is missing"),
        (("https:", "ftp:"), "expected an http or https address"),
        (('name = "a"', 'name = "../a"'), "is not a plain file name"),
        (('name = "a"', 'name = "a", md5 = "12"'), "is not a md5 checksum of 32 hex digits"),
        (('licence = "x"', 'licence = "x"\nfolder = "/etc"\nmarker = "a"'), "folder and marker go together"),
        (('licence = "x"', 'licence = "x"\nfolder = "a"'), "folder and marker go together"),
        (("[one]", "[one"), "not a TOML file"),
        (("https://x/a", "https://[x/a"), "expected an http or https address"),
        (("https://x/a", "https:///a"), "expected an http or https address"),
        (("https://x/a", "https://x/a b"), "expected an http or https address"),
        (("https://x/a", r"https://x/\u001b"), "expected an http or https address"),
        (
            ('["https://x/a"]', '[{ url = "https://x/a", evidence = "hearsay" }]'),
            "evidence must be one of published, named",
        ),
        (
            ('["https://x/a"]', '[{ url = "https://x/a", evidence = "guess" }]'),
            "has the evidence 'guess', but does not say why",
        ),
        (('["https://x/a"]', '[{ url = "https://x/a", sha1 = "1" }]'), "is not a sha1 checksum of 40 hex digits"),
        (('name = "a"', 'name = "a", size = "big"'), "'big' is not a size in bytes of a"),
        (('name = "a"', 'name = "a", size = -1'), "-1 is not a size in bytes of a"),
        (('name = "a"', 'name = "downloads.json"'), "the record of downloads has that name"),
        (('name = "a"', 'name = "a/b"'), "is not a plain file name"),
        (('name = "a"', 'name = "CON"'), "is not a plain file name"),
        (("[one]", '["../one"]'), "an entry cannot have that name: it holds '/'"),
        (('licence = "x"', 'licence = "x"\nfolder = "a/../../b"\nmarker = "a"'), "folder and marker go together"),
        (('licence = "x"', 'licence = "x"\nmembers = [1]'), "expected texts"),
        (('about = "x"', "about = 1"), "expected texts"),
        (('licence = "x"', 'licence = "x"\nphotos = ["file:///etc/"]'), "expected an http or https address"),
        (('licence = "x"', 'licence = "x"\nphotos = ["http://x"]'), "must end with a slash"),
        (("files = [", 'files = [{ name = "A", mirrors = ["https://x/A"] }, '), "two of its files have the same name"),
        (("[one]", "x = " + "[" * 5000 + "\n[one]"), "not a TOML file"),
        (("[one]", "hosts = 3\n[one]"), None),
        (('files = [{ name = "a", mirrors = ["https://x/a"] }]', ""), "neither files nor members"),
    ],
)
def test_a_registry_that_says_something_impossible_is_reported(change, message):
    text = (
        '[one]\nkind = "table"\nabout = "x"\nlicence = "x"\ncitation = "x"\n'
        'files = [{ name = "a", mirrors = ["https://x/a"] }]\n'
    )
    assert parse_registry(text, "here")
    assert change[0] in text
    if message is None:
        assert parse_registry(text.replace(*change), "here")
        return
    with pytest.raises(DataFileError, match=message):
        parse_registry(text.replace(*change), "here")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ('[a]\nmembers = ["a"]', "'a' cannot be a member of 'a'"),
        ('[a]\nmembers = ["b"]\n[b]\nmembers = ["a"]', "'a' cannot be a member of"),
        ('[a]\nmembers = ["nobody"]', "'nobody' cannot be a member of 'a'"),
        ('[a]\nfiles = [{ name = "DTD-R1.0.1.tar.gz", mirrors = ["https://x/a"] }]', "differ only in case"),
    ],
)
def test_a_registry_whose_entries_cannot_stand_together_is_reported(tmp_path, entries, message):
    own = tmp_path / "own.toml"
    fields = 'kind = "source"\nabout = "x"\nlicence = "x"\ncitation = "x"\n'
    own.write_text(re.sub(r"^(\[\w\])$", rf"\1\n{fields}", entries, flags=re.MULTILINE))
    with pytest.raises(DataFileError, match=message):
        load_registry(own)


def test_a_pipe_or_a_giant_is_no_registry(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(DataFileError, match="cannot be read as a registry: expected a regular file, got a named pipe"):
        load_registry(tmp_path / "pipe.toml")
    with (tmp_path / "giant.toml").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(DataFileError, match="at most 1,048,576 are read"):
        load_registry(tmp_path / "giant.toml")


def test_no_name_is_ever_fetched_by_looking_it_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(getting, "fetch_file", lambda *_, **__: pytest.fail("it was fetched"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(DataNotFoundError, match="netdissect data download broden1_227"):
        resolve_probe_set("broden1_227")
    with pytest.raises(ModelNotFoundError, match="netdissect zoo download vgg16_places365"):
        resolve_network("vgg16_places365")
    assert resolve_network("unknown") is None
    assert list(tmp_path.iterdir()) == []


# ── Names become folders ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_probe_set_is_found_by_path_then_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETDISSECT_DATA", raising=False)
    elsewhere = tmp_path / "elsewhere" / "broden1_227"
    elsewhere.mkdir(parents=True)
    assert resolve_probe_set(elsewhere) == elsewhere
    with pytest.raises(DataNotFoundError, match="netdissect data download broden1_227 fetches it"):
        resolve_probe_set("broden1_227")
    with pytest.raises(DataNotFoundError, match="did you mean broden1_227"):
        resolve_probe_set("broden227")
    monkeypatch.setenv("NETDISSECT_DATA", str(tmp_path / "elsewhere"))
    assert resolve_probe_set("broden1_227") == elsewhere
    near = tmp_path / "dataset" / "broden1_227"
    near.mkdir(parents=True)
    assert resolve_probe_set("broden1_227").resolve() == near
    (tmp_path / "broden1_227").mkdir()
    assert resolve_probe_set("broden1_227").resolve() == tmp_path / "broden1_227"


def test_a_network_is_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETDISSECT_ZOO", raising=False)
    with pytest.raises(ModelNotFoundError, match="netdissect zoo download vgg16_places365"):
        resolve_network("vgg16_places365")
    assert resolve_network("vgg16_places") is None
    (tmp_path / "zoo").mkdir()
    for name in ("vgg16_places365.prototxt", "vgg16_places365.caffemodel", "resnet18_places365.pth.tar"):
        (tmp_path / "zoo" / name).touch()
    assert str(resolve_network("vgg16_places365")) == "zoo/vgg16_places365"
    assert str(resolve_network("resnet18_places365")) == "zoo/resnet18_places365.pth.tar"
    (tmp_path / "zoo" / "mine.prototxt").touch()
    assert str(resolve_network("mine")) == "zoo/mine"


def test_places_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.delenv("NETDISSECT_DATA", raising=False)
    monkeypatch.delenv("NETDISSECT_ZOO", raising=False)
    assert (str(get_data_folder()), str(get_zoo_folder())) == ("dataset", "zoo")
    monkeypatch.setenv("NETDISSECT_DATA", "/data")
    monkeypatch.setenv("NETDISSECT_ZOO", "/zoo")
    assert (str(get_data_folder()), str(get_zoo_folder())) == ("/data", "/zoo")
    assert get_data_folder(tmp_path) == get_zoo_folder(tmp_path) == tmp_path


def test_ctrl_c_among_photos_says_how_to_go_on(server, tmp_path, monkeypatch):
    originals.write_opensurfaces(tmp_path, processed=False)
    for path in (tmp_path / "opensurfaces" / "photos").iterdir():
        path.unlink()

    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(getting, "fetch_file", pressed)
    entries = load_registry()
    with pytest.raises(KeyboardInterrupt, match="run the same command again to fetch the photos that are missing"):
        download_entry("opensurfaces", entries, tmp_path)
