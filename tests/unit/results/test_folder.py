"""The list of a run's files: every name once, never through a link, written again if it was deleted."""

from __future__ import annotations

import pytest

from netdissect.results.run_folder import FILE_LIST, WORK, RunFiles, has_finished_shards, is_run_started


def lines_of(folder):
    return (folder / FILE_LIST).read_text().splitlines()


def test_every_file_is_listed_once_and_found_by_the_next_run(tmp_path):
    files = RunFiles(tmp_path)
    assert not is_run_started(tmp_path)
    files.start("one", {})
    for name in ("a.csv", "html/b.js", "a.csv", f"{WORK}/c", FILE_LIST):
        files.add(name)
    head, run, *names = lines_of(tmp_path)
    assert head.startswith("# Files that netdissect wrote here")
    assert (run, names) == ("# Run: one", ["a.csv", "html/b.js"])
    again = RunFiles(tmp_path)
    assert is_run_started(tmp_path)
    assert again.run == "one"
    assert [name in again for name in ("a.csv", "html/b.js", "c", f"{WORK}/c")] == [True, True, False, False]
    again.start("two", {"batch_size": "16", "other": "x"})
    assert RunFiles(tmp_path).choices == {"batch_size": "16", "other": "x"}
    assert RunFiles(tmp_path).run == "two"
    assert lines_of(tmp_path)[1:] == ["# Run: two batch_size=16 other=x", "a.csv", "html/b.js"]


def test_a_name_is_appended_and_earlier_lines_stay(tmp_path):
    files = RunFiles(tmp_path)
    files.start("one", {})
    with (tmp_path / FILE_LIST).open("a") as file:
        file.write("theirs.csv\n")
    files.add("b.csv")
    assert lines_of(tmp_path)[2:] == ["theirs.csv", "b.csv"]


@pytest.mark.parametrize("now", ["gone", "a link"])
def test_a_deleted_list_is_written_again_and_no_link_is_followed(tmp_path, now):
    folder, other = tmp_path / "run", tmp_path / "mine.txt"
    folder.mkdir()
    other.write_text("mine\n")
    files = RunFiles(folder)
    files.start("one", {})
    files.add("a.csv")
    (folder / FILE_LIST).unlink()
    if now == "a link":
        (folder / FILE_LIST).symlink_to(other)
    files.add("b.csv")
    assert not (folder / FILE_LIST).is_symlink()
    assert lines_of(folder)[1:] == ["# Run: one", "a.csv", "b.csv"]
    assert other.read_text() == "mine\n"


def test_only_listed_files_are_removed(tmp_path):
    files = RunFiles(tmp_path)
    files.start("one", {})
    for name in ("a.csv", "html/b.js", "run.json"):
        files.add(name)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "mine.csv").write_text("mine")
    files.remove()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [FILE_LIST, "mine.csv"]
    assert "a.csv" not in files


def test_finished_shards_are_found_and_a_calibration_is_none(tmp_path):
    assert not has_finished_shards(tmp_path)
    work = tmp_path / WORK / "a run"
    work.mkdir(parents=True)
    (work / "calibration.arrays").touch()
    assert not has_finished_shards(tmp_path)
    (work / "scan-0001.arrays").touch()
    assert has_finished_shards(tmp_path)
