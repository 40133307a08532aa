"""The demo: what it promises about its networks, and that it can be run twice, anywhere, and interrupted."""

from __future__ import annotations

import errno
import re

import pytest

import netdissect as nd
from netdissect.cli import main
from netdissect.demo import demonstrate, network, world
from netdissect.errors import FolderTakenError

pytestmark = pytest.mark.slow


def run(capsys, *words):
    with pytest.raises(SystemExit) as leave:
        main(["demo", *(str(word) for word in words)])
    captured = capsys.readouterr()
    return leave.value.code, captured.out, captured.err


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The demo over all its images, once, of the layer that it counts."""
    folder = tmp_path_factory.mktemp("whole demo") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "LAYERS", (demonstrate.LAST,))
        return demonstrate.run_demo(folder), folder


@pytest.fixture
def little(monkeypatch):
    """A demo of few images and one layer."""
    monkeypatch.setattr(demonstrate, "IMAGES", 24)
    monkeypatch.setattr(network, "LAYERS", (demonstrate.LAST,))


def test_the_trained_networks_last_layer_has_many_concepts_and_its_controls_few(whole):
    found, _ = whole
    trained, control = (result[demonstrate.LAST].detectors() for result in (found.trained, found.control))
    assert trained.unique >= 30
    assert len(trained.unique_by_category) >= 5
    assert trained.unique >= 3 * control.unique
    assert trained.total == control.total


def test_both_networks_saw_the_same_images(whole):
    found, _ = whole
    assert found.trained.probe_set.fingerprint == found.control.probe_set.fingerprint
    assert found.trained.probe_set.images == found.control.probe_set.images == world.DEMO_IMAGES
    assert found.trained.network.fingerprint != found.control.network.fingerprint


def test_the_trained_run_records_its_control(whole):
    found, folder = whole
    (control,) = nd.load(folder).controls
    assert control == found.trained.controls[0]
    assert (control.name, control.kind) == ("random weights", "untrained")
    assert control.fingerprint == found.control.network.fingerprint
    counted, layer = found.control[demonstrate.LAST].detectors(), control.layers[demonstrate.LAST]
    assert (layer.units, layer.total, layer.unique) == (counted.units, counted.total, counted.unique)
    summary = found.control[demonstrate.LAST].summarize_trust()
    assert layer.times == (None if summary is None else summary.times)


def test_what_the_control_detects_is_said_as_of_the_trained_network(whole):
    found, _ = whole
    lines = found.describe_control()
    counted = found.control[demonstrate.LAST].detectors()
    said = re.match(
        r"conv5 with random weights  (\d+)(?: ± [\d.]+)? of 128 units detect (\d+)(?: ± [\d.]+)? concepts", lines[0]
    )
    assert said.groups() == (str(counted.units), str(counted.unique))
    assert all(len(line) <= 80 for line in lines)


def test_everything_it_found_lies_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(demonstrate, "IMAGES", 24)
    found = demonstrate.run_demo(tmp_path)
    assert found.report == tmp_path / "html" / "index.html"
    for name in ("run.json", "html/index.html", "control/run.json", "control/html/index.html", "comparison.svg",
                 "synthetic/index.csv"):  # fmt: skip
        assert (tmp_path / name).is_file(), name
    assert not (tmp_path / "html" / "conv5.html").exists()  # the released code's pages, only if asked for
    assert sorted(path.stem for path in tmp_path.glob("*.parquet")) == list(network.LAYERS)
    again = nd.load(tmp_path)
    assert again[demonstrate.LAST].detectors() == found.trained[demonstrate.LAST].detectors()


@pytest.mark.browser
def test_its_report_opens_from_disk(whole, browser):
    found, folder = whole
    page, wrong = browser.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for report in (found.report, folder / "control" / "html" / "index.html"):
        page.goto(report.resolve().as_uri())
        page.wait_for_function("() => document.documentElement.classList.contains('running')")
        assert "conv5" in page.content()
    page.close()
    assert not wrong


def test_the_command_says_what_both_networks_detect_and_where_the_report_is(capsys, little, tmp_path):
    out = tmp_path / "a demo"
    code, said, complained = run(capsys, "--out", out)
    assert (code, complained) == (0, "")
    lines = said.splitlines()
    for folder, title in ((out, "conv5"), (out / "control", "conv5 with random weights")):
        counted = nd.load(folder)["conv5"].detectors()
        heads = [line for line in lines if line.startswith(f"{title}  ")]
        assert len(heads) == 1, said
        assert heads[0].startswith(f"{title}  {counted.units} of 128 units detect {counted.unique} concepts"), said
    assert f"on 24 images of {nd.load(out).probe_set.name}, IoU ≥ 0.04" in lines[0]
    assert lines[-1] == f"report: {out / 'html' / 'index.html'}"
    assert (out / "html" / "index.html").is_file()


def test_a_second_demo_draws_nothing_and_says_the_same(capsys, little, tmp_path, monkeypatch):
    first = run(capsys, "--out", tmp_path)
    table = (tmp_path / "conv5-result.csv").read_bytes()
    monkeypatch.setattr(demonstrate, "write_probe_set", None)  # whoever calls it fails
    code, said, told = run(capsys, "--out", tmp_path)
    assert (code, said, "") == first
    assert told.count("already holds this run, finished on ") == 2
    assert (tmp_path / "conv5-result.csv").read_bytes() == table


def test_a_probe_set_of_another_kind_is_drawn_again(little, tmp_path, monkeypatch):
    demonstrate.run_demo(tmp_path)
    monkeypatch.setattr(demonstrate, "IMAGES", 26)
    assert demonstrate.run_demo(tmp_path).trained.probe_set.images == 26


def test_a_drawing_that_was_interrupted_is_begun_again(capsys, little, tmp_path, monkeypatch):
    whole = demonstrate.write_probe_set

    def interrupted(folder, **options):
        whole(folder, **options)
        (folder / "index.csv").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demonstrate, "write_probe_set", interrupted)
        code, said, complained = run(capsys, "--out", tmp_path)
    assert (code, said) == (130, "")
    assert "run the same command again" in complained
    assert run(capsys, "--out", tmp_path)[0] == 0


def test_what_is_not_the_demos_is_left_alone(capsys, little, tmp_path):
    own = tmp_path / demonstrate.PROBE_SET / "thesis.txt"
    own.parent.mkdir()
    own.write_text("mine")
    code, _, complained = run(capsys, "--out", tmp_path)
    assert code == 2
    assert f"{tmp_path} holds {demonstrate.PROBE_SET} and is not the folder of a run" in complained
    assert len(complained.splitlines()) == 1
    assert own.read_text() == "mine"
    with pytest.raises(FolderTakenError, match=f"holds {demonstrate.PROBE_SET} and is not the folder of a run"):
        demonstrate.run_demo(tmp_path)


def test_a_file_in_its_place_and_a_full_disk_are_reported_in_one_sentence(capsys, little, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    code, _, complained = run(capsys, "--out", tmp_path / "file")
    assert (code, len(complained.splitlines())) == (2, 1), complained

    def full(folder, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(demonstrate, "write_probe_set", full)
    code, _, complained = run(capsys, "--out", tmp_path / "new")
    assert (code, len(complained.splitlines())) == (2, 1), complained
    assert "the disk is full" in complained
