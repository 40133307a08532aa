"""A drawing takes an empty folder, or one where another was interrupted; nobody's files are touched."""

from __future__ import annotations

import pytest

from netdissect.demo.world.world_folder import empty_folder
from netdissect.errors import DataError
from netdissect.io import locks


def interrupted(folder):
    """Leave what a drawing leaves that is killed after some images."""
    with empty_folder(folder):
        images = folder / "images"
        images.mkdir()
        for name in ("000012.jpg", "000012_color.png", "1000000_part.png"):
            (images / name).write_bytes(b"half")
        there = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
    for path, data in there.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def test_what_an_interrupted_drawing_left_is_removed(tmp_path):
    folder = tmp_path / "set"
    interrupted(folder)
    with empty_folder(folder):
        assert not (folder / "images").exists()
        (folder / "README.txt").touch()
    assert [path.name for path in folder.iterdir()] == ["README.txt"]


def test_a_file_that_was_put_beside_an_interrupted_drawing_stays(tmp_path):
    interrupted(tmp_path)
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    with empty_folder(tmp_path):
        assert [path.name for path in (tmp_path / "images").iterdir()] == ["holiday.jpg"]


def test_a_drawing_that_never_began_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="no images"), empty_folder(tmp_path / "set"):
        raise ValueError("no images")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("name", ["photo.jpg", "images/holiday.jpg", "images/000012.jpg", "notes/000001.jpg", ".lock"])
def test_files_of_somebody_are_left_alone(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match=f"holds {name.split('/')[0]} and is not the folder of"), empty_folder(tmp_path):
        pytest.fail("it was not refused")
    assert path.read_bytes() == b"mine"


def test_no_image_is_drawn_behind_a_link(tmp_path):
    interrupted(tmp_path / "set")
    for path in (tmp_path / "set/images").iterdir():
        path.unlink()
    (tmp_path / "set/images").rmdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/000012.jpg").write_bytes(b"mine")
    (tmp_path / "set/images").symlink_to(tmp_path / "mine")
    with pytest.raises(DataError, match="images is a link, and links are not followed"), empty_folder(tmp_path / "set"):
        pytest.fail("it was not refused")
    assert (tmp_path / "mine/000012.jpg").read_bytes() == b"mine"


def test_a_finished_set_and_a_file_are_refused(tmp_path):
    (tmp_path / "index.csv").touch()
    with pytest.raises(DataError, match="holds a probe set already"), empty_folder(tmp_path):
        pytest.fail("it was not refused")
    with pytest.raises(DataError, match="is a file"), empty_folder(tmp_path / "index.csv"):
        pytest.fail("it was not refused")


def test_one_process_draws_in_a_folder_at_a_time(tmp_path):
    with (
        locks.lock_file(tmp_path / ".lock", ValueError),
        pytest.raises(DataError, match="is being drawn by another process"),
        empty_folder(tmp_path),
    ):
        pytest.fail("it was not refused")
