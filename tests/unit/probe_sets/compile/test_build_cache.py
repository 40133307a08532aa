"""The folder of a build: foreign files are kept, and a new probe set removes only the tables of the old one."""

from __future__ import annotations

import pytest

from netdissect.errors import DataError
from netdissect.probe_sets.compile.build_cache import BuildCache


def made(out, category):
    """Make a probe set of one table as a build does, without sources."""
    work = BuildCache(out)
    with work.lock():
        work.begin({"of": category}, "inputs", lambda _: None)
        (work.set_folder / "category.csv").write_text(f"name,first,last,count,frequency\n{category},1,2,2,2\n")
        (work.set_folder / f"c_{category}.csv").write_text("code,number,name,frequency,coverage\n")
        work.move_into_place({"of": category}, "inputs", lambda folder: (folder / "index.csv").write_text("image\n"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_set_removes_the_tables_of_the_one_before_and_no_others(tmp_path):
    made(tmp_path, "object")
    (tmp_path / "c_mine.csv").write_text("mine")
    made(tmp_path, "part")
    assert names(tmp_path) == ["build.json", "c_mine.csv", "c_part.csv", "category.csv", "index.csv"]


def test_images_of_ones_own_among_a_sets_stay_when_it_is_made_anew(tmp_path):
    def with_image(category, image):
        work = BuildCache(tmp_path)
        with work.lock():
            work.begin({"of": category}, "inputs", lambda _: None)
            (work.set_folder / "images/a").mkdir(parents=True)
            (work.set_folder / "images/a" / image).write_text("ours")
            (work.set_folder / "images/a/map_1.png").write_text("ours")
            table = f"image,split,object\na/{image},train,a/map_1.png;3\n"
            work.move_into_place({"of": category}, "inputs", lambda folder: (folder / "index.csv").write_text(table))

    with_image("object", "1.jpg")
    (tmp_path / "images/a/holiday.jpg").write_text("mine")
    with_image("part", "2.jpg")
    assert names(tmp_path / "images/a") == ["2.jpg", "holiday.jpg", "map_1.png"]
    (tmp_path / "images/a/3.jpg").write_text("mine")
    with pytest.raises(
        DataError, match=r"3\.jpg does not belong to the probe set there, and the new one has a file of that name"
    ):
        with_image("scene", "3.jpg")
    assert (tmp_path / "images/a/3.jpg").read_text() == "mine"
    assert (tmp_path / "index.csv").is_file()


@pytest.mark.parametrize("name", [".build/checkouts/a.swift", ".build/state.json", "build.json", "notes.txt"])
def test_what_other_tools_call_alike_is_no_build_of_ours(tmp_path, name):
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text('{"dependencies": []}')
    with pytest.raises(
        DataError, match="and is not the folder of a probe set that was made here: choose an empty or a new"
    ):
        made(tmp_path, "object")
    assert mine.read_text() == '{"dependencies": []}'
    assert names(tmp_path) == [name.split("/")[0]]


@pytest.mark.parametrize("name", ["images", "category.csv"])
def test_a_link_in_a_sets_folder_is_replaced_and_not_followed(tmp_path, name):
    made(tmp_path / "set", "object")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("mine")
    (tmp_path / "set" / name).unlink(missing_ok=True)
    (tmp_path / "set" / name).symlink_to(elsewhere)
    made(tmp_path / "set", "part")
    assert names(elsewhere) == ["mine.txt"]
