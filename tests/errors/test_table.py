"""docs/errors.md: every row is a mistake that is made here, and every mistake made here has a row."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from tests import small_probe_set
from tests.errors import (  # noqa: F401 - they fill the list
    of_annotations,
    of_clusters,
    of_downloads,
    of_formulas,
    of_imports,
    of_labeled_images,
    of_networks,
    of_prepared_files,
    of_probe_sets,
    of_runs,
)
from tests.errors.desk import MISTAKES, Desk

from netdissect.cli import main
from netdissect.errors import NetdissectError
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
ROWS = {
    words.strip(): sentence.strip()
    for words, sentence in re.findall(r"^\| (.+?) \| `(.+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
}

TEXT = """
name: "small" input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 5 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
        convolution_param { num_output: 4 kernel_size: 3 } }
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A folder with a probe set, a network and a run; the run's probe set is gone."""
    folder = tmp_path_factory.mktemp("pristine")
    small_probe_set.write_probe_set(folder / "set", images=6)
    net = parse_prototxt(TEXT)
    (folder / "net").mkdir()
    write_caffe(folder / "net/small", net, make_random_weights(net, seed=0))
    gone = small_probe_set.write_probe_set(folder / "gone", images=6)
    words = ["run", folder / "net/small", "--layers", "conv1", "conv2", "--data", gone, "--out", folder / "run"]
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in [*words, "--images-per-unit", "2"]])
    assert left.value.code == 0
    shutil.rmtree(gone)
    return folder


def test_the_table_and_the_mistakes_are_the_same():
    assert list(ROWS) == list(dict.fromkeys(ROWS))
    assert set(ROWS) == set(MISTAKES)


def pattern(sentence):
    return ".+".join(re.escape(part) for part in sentence.split("…"))


def write_row(words, said, desk):
    """Replace a row's sentence in docs/errors.md by what is printed now; temporary folders become "…"."""
    for folder in (desk.folder, desk.pristine):
        said = said.replace(str(folder), "…")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(f"| {words} | `{ROWS[words]}` |", f"| {words} | `{said}` |"), encoding="utf-8")


@pytest.mark.parametrize("words", list(MISTAKES))
def test_a_mistake_is_answered_by_its_sentence(words, pristine, tmp_path, monkeypatch, capsys):
    desk = Desk(tmp_path / "desk ü", pristine, monkeypatch)
    desk.folder.mkdir()
    desk.afterwards = lambda: None
    made = MISTAKES[words](desk)
    said = ""
    try:
        if callable(made):
            with pytest.raises(NetdissectError) as caught:
                made()
            said = str(caught.value)
        else:
            with pytest.raises(SystemExit) as left:
                main([str(word) for word in made])
            captured = capsys.readouterr()
            assert left.value.code == 2, captured
            said = captured.err.strip().removeprefix("netdissect: ")
    finally:
        desk.afterwards()
    assert "\n" not in said
    assert "Traceback" not in said
    assert words in ROWS, said
    if os.environ.get("NETDISSECT_WRITE_ERRORS") and not re.fullmatch(pattern(ROWS[words]), said):
        write_row(words, said, desk)
        return
    assert re.fullmatch(pattern(ROWS[words]), said), said
    assert not list(desk.folder.rglob("*.part"))
    assert not (desk.folder / "it ran").exists()
    assert not (desk.out / "run.json").exists()
