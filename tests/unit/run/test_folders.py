"""A folder holds one run; foreign files are not removed, replaced, followed or opened."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import pytest
from tests import nets
from tests.small_runs import dissect_small, interrupt_run, read_tables

import netdissect as nd
from netdissect.errors import FolderTakenError, RunFileError
from netdissect.report import ReportCache
from netdissect.results import run_match
from netdissect.results.run_folder import FILE_LIST, WORK


def everything(folder):
    """Every file below a folder, as it is; links as what they say."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "run"
    dissect_small(data, folder, pictures=True)
    return folder


@pytest.fixture
def finished(made, tmp_path):
    """A finished run, of which everything may be spoilt."""
    return shutil.copytree(made, tmp_path / "run")


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt", ".draft.part", "deep/er/.thesis.part", f"{WORK}/mine.txt", f"{WORK}/0123456789abcdef/scan-00000.arrays",
        "html/data/mine.js", "html/index.html", "run.json", FILE_LIST, ".lock", "inner/run.json",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_that_is_no_run_folder_is_refused_and_unchanged(data, tmp_path, name, fresh):
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text('{"scripts": {}}')
    (tmp_path / "mine" / "empty").mkdir()
    before = everything(tmp_path / "mine")
    with pytest.raises(
        FolderTakenError, match=r"mine holds .* and is not the folder of a run: choose an empty or a new"
    ):
        dissect_small(data, tmp_path / "mine", fresh=fresh)
    assert everything(tmp_path / "mine") == before
    assert (tmp_path / "mine" / "empty").is_dir()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"layers": ["conv1"]}, "of the layers conv1, conv2"),
        ({"network": nets.make_small_net(seed=1)}, "with other weights, structure or preprocessing"),
        ({"quantile": 0.1}, "with --quantile 0.05"),
        ({"limit": 30}, "with --limit None"),
        ({"seed": 3, "geometry": "grid"}, "with --geometry receptive-field (not grid), with --seed 0 (not 3)"),
    ],
)
def test_a_folder_of_another_run_is_refused_with_what_differs(data, finished, other, said):
    before = everything(finished)
    with pytest.raises(FolderTakenError, match="holds another run, .*: --fresh replaces it, or choose") as caught:
        dissect_small(data, finished, **other)
    assert said in str(caught.value)
    assert everything(finished) == before


def test_fresh_replaces_another_run_and_nothing_else(data, finished, tmp_path):
    (finished / "notes.md").write_text("mine")
    (finished / "html" / "data" / "mine.js").write_text("mine")
    (finished / "inner").mkdir()
    (finished / "inner" / "conv1.npz").write_text("mine")
    dissect_small(data, finished, layers=["conv2"], fresh=True)
    left = set(everything(finished))
    assert {"notes.md", "html/data/mine.js", "inner/conv1.npz"} <= left
    assert left - {"notes.md", "html/data/mine.js", "inner/conv1.npz"} == {
        "run.json", FILE_LIST, "conv2-result.csv", "conv2.parquet", "conv2.npz", "conv2-exemplars.npz",
        "conv2-trust.csv", "conv2-trust.parquet", "conv2-trust.npz",
    }  # fmt: skip
    dissect_small(data, tmp_path / "alone", layers=["conv2"])
    assert read_tables(finished) == read_tables(tmp_path / "alone")


def test_a_file_list_with_paths_outside_removes_nothing_there(data, finished, tmp_path):
    outside = tmp_path / "thesis.txt"
    outside.write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("mine")
    (finished / "link").symlink_to(tmp_path / "elsewhere")
    with (finished / FILE_LIST).open("a") as record:
        record.write(f"../thesis.txt\n{outside}\nlink/a.txt\nhtml\n..\n\n")
    dissect_small(data, finished, fresh=True)
    assert outside.read_text() == "mine"
    assert (tmp_path / "elsewhere" / "a.txt").read_text() == "mine"


def test_the_same_command_on_a_finished_run_computes_nothing_and_says_so(data, finished, caplog):
    before = everything(finished)
    network = nets.make_small_net()
    seen = []
    network.conv2.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    with caplog.at_level("INFO", "netdissect"):
        result = dissect_small(data, finished, network=network, pictures=True)
    assert sum(seen) <= 8  # the traces of the receptive fields
    assert everything(finished) == before
    assert "already holds this run, finished on 20" in caplog.text
    assert result.detectors() == nd.load(finished).detectors()
    assert result.read_image_file(next(iter(result.image_names))) is not None


@pytest.mark.parametrize("how", [{"workers": 2}, {"threads": 1}, {"shard_size": 16}, {"memory": 1}])
def test_execution_settings_make_no_other_run(data, finished, how):
    before = everything(finished)
    dissect_small(data, finished, **how)
    assert everything(finished) == before


def test_a_missing_report_is_written(data, tmp_path):
    dissect_small(data, tmp_path)
    before = read_tables(tmp_path)
    dissect_small(data, tmp_path, pictures=True)
    assert (tmp_path / "html/index.html").is_file()
    assert read_tables(tmp_path) == before


def test_another_threshold_is_not_the_same_command(data, finished):
    with pytest.raises(FolderTakenError, match=r"with --threshold 0.04: netdissect report .* --threshold 0.1 draws it"):
        dissect_small(data, finished, threshold=0.1)


@pytest.mark.parametrize("name", ["conv1.parquet", "conv2.npz", "conv1-result.csv", "run.json"])
def test_a_finished_run_with_a_lost_table_is_computed_again(data, expected, finished, name):
    (finished / name).unlink()
    dissect_small(data, finished)
    assert read_tables(finished) == expected
    nd.load(finished)


def test_a_damaged_run_is_computed_again_and_another_damaged_run_refused(data, expected, finished):
    (finished / "conv1.npz").write_bytes(b"damaged")
    with pytest.raises(FolderTakenError, match="holds another run, which is damaged: --fresh replaces it"):
        dissect_small(data, finished, layers=["conv1"])
    dissect_small(data, finished)
    assert read_tables(finished) == expected


def test_a_resumed_run_says_what_it_uses_again(data, tmp_path, caplog):
    interrupt_run(data, tmp_path, 3)
    with caplog.at_level("INFO", "netdissect"):
        result = dissect_small(data, tmp_path)
    assert "resuming: an earlier run finished 3 of 5 shards" in caplog.text
    assert "3 of 5 shards were finished by an earlier call and were used again" in result.journal["notes"]


def test_partial_files_of_a_run_inside_a_run_folder_are_left_alone(data, tmp_path):
    """A run into DIR swept away the temporary files of one that writes into DIR/inner."""
    dissect_small(data, tmp_path / "dir")
    inner = tmp_path / "dir" / "inner" / ".conv1.npz.abc.part"
    inner.parent.mkdir()
    inner.write_bytes(b"half")
    (tmp_path / "dir" / "run.json").unlink()
    dissect_small(data, tmp_path / "dir")
    assert inner.read_bytes() == b"half"


@pytest.mark.parametrize("place", ["html", "html/data", "html/image", "html/image/probe", "html/data/labels", WORK])
def test_no_link_inside_a_runs_folder_is_followed_on_writing(data, finished, tmp_path, place):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "000000.jpg").write_text("mine")
    path = finished / place
    if path.exists():
        path.rename(tmp_path / "aside")
    path.symlink_to(elsewhere)
    with pytest.raises((OSError, FolderTakenError), match="it is a link, and links inside this folder|is in the way"):
        nd.load(finished).write_report(finished)
    assert everything(elsewhere) == {"000000.jpg": b"mine"}


@pytest.mark.parametrize("name", ["html/index.html", "run.json", "html/data/run.js", "report.html", "model-card.png"])
def test_a_link_in_the_place_of_a_file_is_replaced_and_never_written_through(data, finished, tmp_path, name):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    loaded = nd.load(finished)
    (finished / name).unlink(missing_ok=True)
    (finished / name).symlink_to(mine)
    loaded.save(finished) if name == "run.json" else loaded.write_report(finished, single_file=True)
    loaded.write_model_card(finished)
    assert mine.read_text() == "mine"
    assert not (finished / name).is_symlink()


def test_a_lock_that_is_a_link_is_not_followed(data, finished, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (finished / ".lock").symlink_to(mine)
    with pytest.raises(OSError, match="it is a link, and links are not followed here: delete it"):
        nd.load(finished).write_report(finished)
    assert mine.read_text() == "mine"


def test_the_folder_itself_may_be_a_link(data, expected, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    dissect_small(data, tmp_path / "link", pictures=True)
    assert read_tables(tmp_path / "real") == expected
    assert (tmp_path / "real/html/index.html").is_file()
    nd.load(tmp_path / "link").write_report(tmp_path / "link")


def test_a_loaded_run_opens_its_probe_set_only_when_an_image_is_needed(finished, tmp_path, monkeypatch):
    record = json.loads((finished / "run.json").read_text())
    os.mkfifo(tmp_path / "pipe")
    asked = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *more, **words: asked.append(str(path)) or real(path, *more, **words))
    for path in (str(tmp_path / "pipe"), "/dev/zero", "//host/share", "s3://bucket/set"):
        record["probe_set"]["path"] = path
        (finished / "run.json").write_text(json.dumps(record))
        loaded = nd.load(finished)
        assert path not in asked
        assert loaded.open_probe_set() is None


@pytest.mark.parametrize("name", ["run.json", "conv1.parquet", "conv1.npz"])
def test_a_table_that_is_a_named_pipe_does_not_block(finished, name):
    (finished / name).unlink()
    os.mkfifo(finished / name)
    with pytest.raises(RunFileError, match=f"{name} cannot be read: expected a regular file, got a named pipe"):
        nd.load(finished)


def test_a_cached_image_that_is_a_link_is_not_shown(finished, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    probe = finished / "html/image/probe"
    victim = next(path for path in probe.iterdir() if path.suffix == ".jpg")
    victim.unlink()
    victim.symlink_to(secret)
    assert ReportCache(nd.load(finished), finished).read_image_file(int(victim.stem)) is None


def test_names_that_are_not_text_are_recorded_escaped(made, tmp_path):
    loaded = nd.load(made)
    card = dataclasses.replace(loaded.probe_set, name="caf\udce9", path="/sets/caf\udce9")
    names = {row: f"{name} \udcff" for row, name in loaded.image_names.items()}
    odd = dataclasses.replace(loaded, probe_set=card, image_names=names)
    odd.save(tmp_path)
    again = nd.load(tmp_path)
    assert (again.probe_set.name, again.probe_set.path) == ("caf\\xe9", "/sets/caf\\xe9")
    assert next(iter(again.image_names.values())).endswith(" \\xff")
    assert again.detectors() == loaded.detectors()


def test_reports_and_cards_are_not_written_over_foreign_files(finished, tmp_path):
    loaded, mine = nd.load(finished), tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    for write in (loaded.write_report, loaded.save):
        with pytest.raises(FolderTakenError, match=r"mine holds notes\.txt and is not the folder of a run"):
            write(mine)
    loaded.write_model_card(mine)
    loaded.write_model_card(mine)
    assert sorted(everything(mine)) == ["model-card.md", "model-card.png", "notes.txt"]
    (mine / "model-card.md").write_text("mine")
    with pytest.raises(FolderTakenError, match=r"model-card\.md exists and was not written by netdissect"):
        loaded.write_model_card(mine)


def test_another_run_is_not_saved_over_one(finished, tmp_path):
    loaded = nd.load(finished)
    other = dataclasses.replace(loaded, settings=dataclasses.replace(loaded.settings, seed=5))
    with pytest.raises(FolderTakenError, match="holds another run, with --seed 0"):
        other.save(finished)
    loaded.save(finished)


@pytest.mark.parametrize("side", [16, 999])
def test_a_run_with_another_input_size_is_refused_with_that_size(finished, side):
    found = nd.load(finished)
    own = found.network.input_size
    asked = run_match.collect_facts(
        found.network.fingerprint, list(found.layers), found.probe_set.fingerprint, found.settings, own
    )
    run_match._require_same_run(finished, found, asked, found.settings.threshold)
    with pytest.raises(FolderTakenError, match=f"holds another run, with an input of {own[1]} x {own[0]}: --fresh"):
        run_match._require_same_run(finished, found, asked | {"input": [side, side]}, found.settings.threshold)
