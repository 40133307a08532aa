"""The record of what a run wrote: every name once, never through a link, whole again if somebody took it away."""

from __future__ import annotations

import pytest

from netdissect.results.run_folder import FILE_LIST, WORK, RunFiles, has_finished_shards


def lines_of(folder):
    return (folder / FILE_LIST).read_text().splitlines()


def test_every_file_is_recorded_once_and_found_by_the_next(tmp_path):
    written = RunFiles(tmp_path)
    assert not written.is_ours
    written.begin("one")
    for name in ("a.csv", "html/b.js", "a.csv", f"{WORK}/c", FILE_LIST):
        written.add(name)
    head, run, *names = lines_of(tmp_path)
    assert head.startswith("# Files that netdissect wrote here")
    assert (run, names) == ("# Run: one", ["a.csv", "html/b.js"])
    again = RunFiles(tmp_path)
    assert again.is_ours
    assert again.run == "one"
    assert [name in again for name in ("a.csv", "html/b.js", "c", f"{WORK}/c")] == [True, True, False, False]
    again.begin("two")
    assert lines_of(tmp_path)[1:] == ["# Run: two", "a.csv", "html/b.js"]


def test_a_name_is_added_at_the_end_and_what_stands_before_it_is_left_as_it_is(tmp_path):
    written = RunFiles(tmp_path)
    written.begin("one")
    with (tmp_path / FILE_LIST).open("a") as file:
        file.write("theirs.csv\n")
    written.add("b.csv")
    assert lines_of(tmp_path)[2:] == ["theirs.csv", "b.csv"]


@pytest.mark.parametrize("now", ["gone", "a link"])
def test_a_record_that_was_taken_away_is_written_anew_and_no_link_is_followed(tmp_path, now):
    folder, other = tmp_path / "run", tmp_path / "mine.txt"
    folder.mkdir()
    other.write_text("mine\n")
    written = RunFiles(folder)
    written.begin("one")
    written.add("a.csv")
    (folder / FILE_LIST).unlink()
    if now == "a link":
        (folder / FILE_LIST).symlink_to(other)
    written.add("b.csv")
    assert not (folder / FILE_LIST).is_symlink()
    assert lines_of(folder)[1:] == ["# Run: one", "a.csv", "b.csv"]
    assert other.read_text() == "mine\n"


def test_only_what_is_recorded_is_removed(tmp_path):
    written = RunFiles(tmp_path)
    written.begin("one")
    for name in ("a.csv", "html/b.js", "run.json"):
        written.add(name)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "mine.csv").write_text("mine")
    written.remove()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [FILE_LIST, "mine.csv"]
    assert "a.csv" not in written


def test_the_work_of_shards_is_reported_from_an_empty_folder_and_from_a_calibration(tmp_path):
    assert not has_finished_shards(tmp_path)
    work = tmp_path / WORK / "a run"
    work.mkdir(parents=True)
    (work / "calibration.arrays").touch()
    assert not has_finished_shards(tmp_path)
    (work / "scan-0001.arrays").touch()
    assert has_finished_shards(tmp_path)
