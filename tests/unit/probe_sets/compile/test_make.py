"""Compiling a probe set gives the same bytes with any number of workers and after any interruption."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zipfile

import numpy as np
import pytest
from tests.unit.probe_sets import originals

from netdissect.errors import DataError, DataFileError, DataNotFoundError, SettingsError
from netdissect.io import images as image_files
from netdissect.io import label_images
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.compile import build_cache, image_batches, make
from netdissect.probe_sets.compile.build_broden import build_broden, make_broden_options
from netdissect.probe_sets.compile.build_cache import BuildCache, CacheMiss
from netdissect.probe_sets.compile.build_options import BuildOptions
from netdissect.probe_sets.compile.image_batches import hash_to_unit_interval, make_index_rows
from netdissect.probe_sets.source import SourceImage, make_image_name, make_unique_names


class Watch:
    """A Progress that records its calls and can raise KeyboardInterrupt."""

    def __init__(self, stop=None):
        self.tasks, self.done, self.stop = [], {}, stop

    def start(self, task, total):
        self.tasks.append((task, total))
        self.done[task] = 0

    def advance(self, steps):
        task = self.tasks[-1][0]
        self.done[task] += steps
        if self.stop == (task, self.done[task]):
            raise KeyboardInterrupt


@pytest.fixture
def sources(tmp_path):
    return originals.write_all_sources(tmp_path / "sources")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(image_batches, "BATCH_SIZE", 2)


def build(sources, out, **options):
    return build_broden(sources, out, **{"size": 32, "min_frequency": 1, "min_coverage": 0, **options})


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "build.json"
    }


def names_in(folder, image, category):
    source = Broden(folder)
    row = next(row for row in source.rows if row.image == image)
    labels = source.read_labels(source.rows.index(row))
    names = ["", *source.vocabulary.names]
    planes = [{names[int(code)] for code in np.unique(plane)} for plane in labels.planes]
    return [found for found, file in zip(planes, row.planes, strict=True) if f"_{category}" in file]


def test_all_sources_make_a_sound_set_with_the_right_names(sources, tmp_path):
    made = build(sources, tmp_path / "out")
    assert made.images == 12
    assert check_probe_set(tmp_path / "out").problems == ()
    assert names_in(tmp_path / "out", "ade20k/ADE_train_00000000.jpg", "object") == [{"sky", "door"}]
    assert names_in(tmp_path / "out", "ade20k/ADE_train_00000000.jpg", "part") == [{"", "door"}, {"arm", ""}]
    assert names_in(tmp_path / "out", "pascal/2008_000001.jpg", "object") == [{"airplane", "sky"}]
    assert names_in(tmp_path / "out", "pascal/2008_000001.jpg", "part") == [{"", "body", "wing", "engine"}]
    assert names_in(tmp_path / "out", "opensurfaces/2.jpg", "material") == [{"fabric", "plastic-clear"}]
    dtd = next(row for row in Broden(tmp_path / "out").rows if row.image == "dtd/banded_2.jpg")
    assert len(dtd.whole) == 2


def test_every_image_has_a_color_plane_unless_none_is_wanted(sources, tmp_path):
    build(sources, tmp_path / "with")
    assert all(any("_color.png" in plane for plane in row.planes) for row in Broden(tmp_path / "with").rows)
    build(sources, tmp_path / "without", colors=False)
    assert "color" not in Broden(tmp_path / "without").vocabulary.categories


def test_any_number_of_workers_gives_the_same_bytes(sources, tmp_path, small):
    build(sources, tmp_path / "one", workers=1)
    build(sources, tmp_path / "two", workers=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


@pytest.mark.parametrize("stop", [("statistics", 5), ("names", 17), ("images", 6), ("images", 12)])
def test_a_call_that_was_interrupted_goes_on_to_the_same_bytes(sources, tmp_path, small, stop):
    build(sources, tmp_path / "whole", colors=False)
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        build(sources, tmp_path / "out", colors=False, progress=Watch(stop))
    assert not (tmp_path / "out" / "index.csv").exists()
    watch, said = Watch(), []
    build(sources, tmp_path / "out", colors=False, progress=watch, say=said.append)
    assert "continuing an unfinished build" in said[0]
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
    assert not (tmp_path / "out" / ".build").exists()


def test_finished_batches_are_not_made_again(sources, tmp_path, small, monkeypatch):
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        build(sources, tmp_path / "out", progress=Watch(("images", 6)))
    again = []
    made = image_batches.write_batch_label_maps
    monkeypatch.setattr(make, "write_batch_label_maps", lambda bench, job: again.append(job) or made(bench, job))
    monkeypatch.setattr(make, "count_batch_labels", lambda *_: pytest.fail("statistics were all there"))
    build(sources, tmp_path / "out")
    assert sum(len(job.batch.images) for job in again) < 12


def test_an_interruption_while_the_set_is_put_into_place_can_be_gone_on_from(sources, tmp_path, monkeypatch):
    build(sources, tmp_path / "whole", colors=False)
    wrote = make.write_index

    def pressed(*_):
        raise KeyboardInterrupt("while the index was written")

    monkeypatch.setattr(make, "write_index", pressed)
    with pytest.raises(KeyboardInterrupt, match="while the index was written"):
        build(sources, tmp_path / "out", colors=False)
    assert not (tmp_path / "out" / "index.csv").exists()
    monkeypatch.setattr(make, "write_index", wrote)
    build(sources, tmp_path / "out", colors=False)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_a_second_call_finds_the_finished_set(sources, tmp_path):
    first = build(sources, tmp_path / "out")
    said = []
    second = build(sources, tmp_path / "out", say=said.append)
    assert (second.is_new, second.images, second.concepts) == (False, first.images, first.concepts)
    assert "this probe set is already complete there" in said[0]


def test_another_setting_starts_over_and_says_which(sources, tmp_path):
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        build(sources, tmp_path / "out", progress=Watch(("images", 12)))
    said = []
    build(sources, tmp_path / "out", size=48, say=said.append)
    assert "size 32 → 48" in said[0]
    assert "starting over" in said[0]
    build(sources, tmp_path / "fresh", size=48)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "fresh")


def test_a_finished_set_stays_whole_until_the_new_one_is(sources, tmp_path):
    build(sources, tmp_path / "out")
    before = bytes_of(tmp_path / "out")
    said = []
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        build(sources, tmp_path / "out", size=48, progress=Watch(("images", 12)), say=said.append)
    assert "it stays until the new one is complete" in said[0]
    assert {name: now for name, now in bytes_of(tmp_path / "out").items() if not name.startswith(".build")} == before
    build(sources, tmp_path / "out", size=48)
    assert Broden(tmp_path / "out").image_size == (48, 48)


def test_a_source_file_that_changed_is_read_again(sources, tmp_path):
    build(sources, tmp_path / "out")
    path = next((sources / "ade20k").rglob("*00000001_seg.png"))
    originals.write_label_map(path, originals.encode_ade_classes(np.full((24, 32), 10)))
    said = []
    assert build(sources, tmp_path / "out", say=said.append).is_new
    assert "a file of its sources changed" in said[0]
    assert names_in(tmp_path / "out", "ade20k/ADE_train_00000001.jpg", "object") == [{"arm"}]


def test_a_folder_that_holds_something_else_is_left_alone(sources, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(DataError, match="and is not the folder of a probe set that was made here"):
        build(sources, tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["mine.jpg"]
    with pytest.raises(DataError, match="is a file"):
        build(sources, tmp_path / "photos" / "mine.jpg")


def test_a_limit_takes_the_first_images_of_every_source(sources, tmp_path):
    made = build(sources, tmp_path / "out", limit=1)
    assert made.images == 4
    assert "A trial: only the first 1 images" in (tmp_path / "out" / "README.txt").read_text()


def test_the_published_thresholds_are_the_default_and_too_few_images_leave_nothing(sources, tmp_path):
    assert (make_broden_options().min_frequency, make_broden_options().min_coverage) == (10, 0.5)
    with pytest.raises(DataError, match="none is frequent and large enough"):
        build_broden(sources, tmp_path / "out", size=32, colors=False)


def test_rare_labels_become_nothing_and_are_reported(sources, tmp_path):
    made = build(sources, tmp_path / "out", min_frequency=2, colors=False)
    assert "bush" in made.unused
    assert names_in(tmp_path / "out", "ade20k/ADE_train_00000001.jpg", "object") == [{"sky", ""}]
    # Every scene is dropped too, and with them the category.
    assert set(Broden(tmp_path / "out").vocabulary.categories) == {"object", "material", "part", "texture"}


def test_your_own_synonym_table_decides_the_names(sources, tmp_path):
    (tmp_path / "mine.txt").write_text("heaven <- sky\n")
    build(sources, tmp_path / "out", synonyms=tmp_path / "mine.txt")
    names = Broden(tmp_path / "out").vocabulary.names
    assert "heaven" in names
    assert "airplane" not in names


def test_the_table_of_assignments_has_every_label(sources, tmp_path):
    build(sources, tmp_path / "out", min_frequency=2, colors=False)
    lines = (tmp_path / "out" / "label_assignment.csv").read_text().splitlines()
    assert lines[0] == "dataset,category,raw_label,raw_name,frequency,coverage,broden_label,broden_name"
    assert "ade20k,object,2,tree;shrub,1,0.5,0,-" in lines
    assert any(line.startswith("pascal,object,1,aeroplane,3,1.5,") and line.endswith(",airplane") for line in lines)


def test_phases_report_their_progress(sources, tmp_path):
    watch = Watch()
    build(sources, tmp_path / "out", progress=watch)
    assert [task for task, _ in watch.tasks] == ["statistics", "names", "numbers", "tables", "images"]
    assert all(watch.done[task] == total for task, total in watch.tasks)


def test_a_mask_of_another_image_is_reported(sources, tmp_path):
    path = next((sources / "ade20k").rglob("*00000001_seg.png"))
    originals.write_label_map(path, originals.encode_ade_classes(np.ones((40, 20), np.int64)))
    with pytest.raises(DataFileError, match=r"00000001.jpg: the object map is 20 x 40 pixels and the image 32 x 24"):
        build(sources, tmp_path / "out")


def test_label_images_that_were_drawn_apart_may_have_another_shape(sources, tmp_path):
    path = sources / "opensurfaces" / "photos-labels" / "2.png"
    originals.write_label_map(path, np.stack([originals.make_halves((64, 70), 1, 2)] * 3, axis=-1))
    assert build(sources, tmp_path / "out").images == 12


def test_a_failure_in_a_worker_is_the_same_sentence(sources, tmp_path):
    next((sources / "dtd").rglob("banded_2.jpg")).write_bytes(b"\xff\xd8 not an image")
    with pytest.raises(DataFileError, match=r"banded_2\.jpg does not decode"):
        build(sources, tmp_path / "out", workers=2)


def test_files_of_one_name_get_numbers():
    files = ["a/x.jpg", "b/x.jpg", "c/X.png", "d/y;z.jpg", "x2.jpg"]
    assert make_unique_names(SourceImage(file, None) for file in files) == [
        "x.jpg",
        "x2.jpg",
        "X3.jpg",
        "y_z.jpg",
        "x22.jpg",
    ]
    assert make_image_name("a.b.jpeg") == "a.b.jpg"


def test_order_and_split_go_by_the_hash_of_the_name():
    names = [f"s/{number}.jpg" for number in range(400)]
    rows = make_index_rows(BuildOptions(train=0.25), [{"image": name, "split": "", "fields": {}} for name in names])
    shares = [hash_to_unit_interval(row.image) for row in rows]
    assert shares == sorted(shares)
    assert [row.split for row in rows] == ["train" if share <= 0.25 else "val" for share in shares]
    assert 70 < sum(row.split == "train" for row in rows) < 130


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 1}, "--size .* 2, not 1"),
        ({"train": 1.5}, "--train .* 0 and 1, .* not 1.5"),
        ({"limit": 0}, "--limit .* 1, not 0"),
        ({"min_frequency": -1}, "--min-frequency .* 0, not -1"),
        ({"workers": 0}, "--workers .* 1, not 0"),
        ({"color": True}, "a build has no option 'color': did you mean colors"),
    ],
)
def test_an_option_out_of_its_range_is_reported(sources, tmp_path, wrong, message):
    with pytest.raises(SettingsError, match=message):
        build(sources, tmp_path / "out", **wrong)


def test_a_damaged_piece_is_made_again(sources, tmp_path, small):
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        build(sources, tmp_path / "out", progress=Watch(("images", 12)))
    for piece in (tmp_path / "out" / ".build" / "pieces").iterdir():
        piece.write_bytes(piece.read_bytes()[:5])
    build(sources, tmp_path / "out")
    build(sources, tmp_path / "fresh")
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "fresh")
    assert json.loads((tmp_path / "out" / "build.json").read_text())["state"]["size"] == "32"


def test_a_piece_that_unpacks_to_more_than_any_image_has_is_made_again(sources, tmp_path, small, monkeypatch):
    """Or one that is a pipe."""
    monkeypatch.setattr(build_cache, "_LARGEST_ARRAY", 1 << 20)
    finder = BuildCache(tmp_path)
    (tmp_path / ".build" / "pieces").mkdir(parents=True)
    finder.write_arrays("key", [("0/object", np.ones((3, 4), np.uint16))])
    ((name, array),) = finder.read_arrays("key")
    assert (name, array.tolist()) == ("0/object", [[1] * 4] * 3)
    with pytest.raises(
        DataError, match=r"the label maps of one image \(0/part\) are \(2, 1024, 1024\) pixels.*smaller --size"
    ):
        finder.write_arrays("large", [("0/part", np.zeros((2, 1024, 1024), np.uint16))])
    assert not finder.has_arrays("large")
    with zipfile.ZipFile(tmp_path / ".build" / "pieces" / "labels-bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0/object", bytes(2 << 20))
    os.mkfifo(tmp_path / ".build" / "pieces" / "labels-pipe.zip")
    for key in ("bomb", "pipe"):
        with pytest.raises(CacheMiss):
            list(finder.read_arrays(key))


def test_labels_that_were_damaged_between_the_phases_are_read_again(sources, tmp_path, small):
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        build(sources, tmp_path / "out", progress=Watch(("names", 17)), colors=False)
    for piece in (tmp_path / "out" / ".build" / "pieces").glob("*.zip"):
        piece.write_bytes(piece.read_bytes()[:-5])
    build(sources, tmp_path / "out", colors=False)
    build(sources, tmp_path / "fresh", colors=False)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "fresh")


def test_every_file_of_a_source_is_opened_once(sources, tmp_path, monkeypatch):
    opened = []
    for owner, name in (
        (image_files, "load_image"),
        (image_files, "load_image_in_frame"),
        (label_images, "read_label_numbers"),
    ):
        real = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda path, *more, real=real, **how: opened.append(path) or real(path, *more, **how)
        )
    build(sources, tmp_path / "out")
    assert len(opened) == len(set(opened)) == 12 + 3 + 2 + 3  # images, object maps, part maps, materials


def test_missing_files_are_counted_before_any_work_is_done_and_can_be_left_out(sources, tmp_path):
    for gone in ("*00000001_seg.png", "*00000002.jpg"):
        next((sources / "ade20k").rglob(gone)).unlink()
    message = r"ade20k: 2 of 3 images lack a file, the first of them .*00000001_seg\.png: .*--skip-missing"
    with pytest.raises(DataNotFoundError, match=message):
        build(sources, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert build(sources, tmp_path / "out", skip_missing=True).images == 10


def test_a_disk_that_fills_up_is_reported_by_the_folder_and_the_build_goes_on_later(
    sources, tmp_path, small, monkeypatch
):
    build(sources, tmp_path / "whole", colors=False)
    real, written = image_batches.rescale.encode_scaled_jpeg, []

    def full(*arguments):
        written.append(arguments)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(image_batches.rescale, "encode_scaled_jpeg", full)
        with pytest.raises(OSError, match="No space left on device") as raised:
            build(sources, tmp_path / "out", colors=False)
    assert raised.value.filename.startswith(str(tmp_path / "out"))
    build(sources, tmp_path / "out", colors=False)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_two_builds_of_one_set_at_once_are_refused(sources, tmp_path):
    build(sources, tmp_path / "whole", colors=False)
    with BuildCache(tmp_path / "out").lock():
        with pytest.raises(DataError, match=r"out is being made by another process \(process \d+ on "):
            build(sources, tmp_path / "out", colors=False)
        assert not (tmp_path / "out" / ".build").exists()
    build(sources, tmp_path / "out", colors=False)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
