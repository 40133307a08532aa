"""``netdissect look``: the words that follow RUN, what is printed, and errors in one sentence."""

import json

import pytest
from PIL import Image
from tests import small_probe_set
from tests.small_runs import dissect_small

from netdissect import load
from netdissect.cli.app import main

MODEL = "python:tests.nets:make_small_net"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a small run, and its probe set."""
    folder = tmp_path_factory.mktemp("look")
    data = small_probe_set.write_probe_set(folder / "small", images=40)
    import netdissect as nd

    dissect_small(data, folder / "run", network=nd.load_network(MODEL))
    return folder / "run", data


def call(*words):
    with pytest.raises(SystemExit) as stopped:
        main(["look", *map(str, words)])
    return stopped.value.code


def test_images_and_folders_are_looked_at_and_a_page_is_written(run, tmp_path, capsys):
    folder, data = run
    (tmp_path / "mine").mkdir()
    for name in ("one.png", "two.webp"):
        Image.open(data / "images/a/image 3.jpg").save(tmp_path / "mine" / name)
    (tmp_path / "mine" / "notes.txt").write_text("no image")
    words = (folder, MODEL, data / "images/a/image 5.jpg", tmp_path / "mine", "--out", tmp_path / "out")
    assert call(*words, "--layers", "conv2", "--threshold", 0, "--quiet") == 0
    out, err = capsys.readouterr()
    labeled = int((load(folder)["conv2"].labels >= 0).sum())
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [
        "image 5.jpg", "one.png", "two.webp", f"page: {tmp_path / 'out' / 'index.html'}"
    ]  # fmt: skip
    assert out.count(f" of {labeled} labeled units fire") == 3
    assert "1 file is left out" in err
    record = json.loads((tmp_path / "out" / "look.json").read_text())
    assert [image["name"] for image in record["images"]] == ["image 5.jpg", "one.png", "two.webp"]
    assert list(record["images"][0]["layers"]) == ["conv2"]


def test_rows_need_no_network(run, tmp_path, capsys):
    folder, _ = run
    assert call(folder, "--rows", 3, "a/image 17.jpg", "--out", tmp_path / "out", "--quiet") == 0
    out = capsys.readouterr().out
    assert "a/image 3.jpg\n" in out
    assert "a/image 17.jpg\n" in out
    assert "only in the 3 images that activate it most" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{run}", MODEL], "name at least one"),
        (["{run}", MODEL, "missing.jpg"], "image missing.jpg does not exist"),
        (["{run}", MODEL, "{data}/label.csv"], "label.csv does not decode"),
        (["{run}", "{data}/images/a/image 1.jpg"], "which network? this run dissected"),
        (["{run}", "--rows", "77"], "there is no row 77 among the 40 images"),
        (["{run}", MODEL, "{data}/images", "--rows", "7"], "--rows takes images of the probe set"),
        (["{run}", MODEL, "{data}/images/a/image 1.jpg", "--layers", "conv3"], "this run has no layer 'conv3'"),
        (["{run}", MODEL, "{data}/images/a/image 1.jpg", "--threshold", "2"], "between 0 and 1"),
        (["{run}", MODEL, "{data}/images/a/image 1.jpg", "--out", "{data}"], "is not the folder of a look"),
        (["{data}", MODEL, "{data}/images/a/image 1.jpg"], "holds no finished run"),
        (["{run}", "demo", "{data}/images/a/image 1.jpg"], "is not the network of this run"),
    ],
)
def test_errors_are_one_sentence(run, tmp_path, capsys, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    folder, data = run
    assert call(*(word.format(run=folder, data=data) for word in words)) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == [], "nothing is half-written"
