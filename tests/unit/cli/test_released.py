"""Every option of the released code's scripts and what it does here (docs/released-code.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import small_probe_set

from netdissect.cli import main

NET = """
name: "small" input: "data" input_shape { dim: 1 dim: CHANNELS dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 5 stride: 2 pad: 2 } }
layer { name: "part/two" type: "Convolution" bottom: "conv1" top: "part/two"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
"""
DEFAULT_MEAN = "109.5388 118.6897 124.6901"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a folder laid out as the released code's: zoo/small, zoo/grey and dataset/set."""
    from netdissect.networks.sources.caffe.caffe_writer import write_caffe
    from netdissect.networks.sources.caffe.prototxt import parse_prototxt
    from netdissect.networks.sources.caffe.random_weights import make_random_weights

    folder = tmp_path_factory.mktemp("released")
    (folder / "zoo").mkdir()
    for name, channels in (("small", "3"), ("grey", "1")):
        net = parse_prototxt(NET.replace("CHANNELS", channels))
        write_caffe(folder / "zoo" / name, net, make_random_weights(net, seed=0))
    small_probe_set.write_probe_set(folder / "dataset" / "set", images=8)
    return folder


@pytest.fixture
def run_released(capsys, monkeypatch, place, tmp_path):
    """Run a command line of rundissect.sh; return the exit code, run.json and everything printed."""
    monkeypatch.chdir(place)

    def run(*words, model=("--model", "small"), layers=("--layers", "conv1"), folder=None):
        given = ["run", *model, *layers, *([] if "-s" in words else ["--dataset", "dataset/set"])]
        where = [] if {"--workdir", "--directory"} & set(words) else ["--workdir", tmp_path]
        with pytest.raises(SystemExit) as leave:
            main([str(word) for word in [*given, *where, *words]])
        captured = capsys.readouterr()
        written = Path(folder or tmp_path / "small") / "run.json"
        record = json.loads(written.read_text()) if written.is_file() else None
        return leave.value.code, record, captured.out + captured.err

    return run


def test_model_names_the_pair_in_zoo_and_the_folder_below_workdir(run_released, tmp_path):
    code, record, output = run_released("--endafter", "result")
    assert code == 0, output
    assert record["network"]["name"] == "small"
    assert f"results: {tmp_path / 'small'}" in output
    assert (tmp_path / "small" / "conv1-result.csv").is_file()


def test_model_names_only_the_folder_where_proto_and_weights_name_the_network(run_released, tmp_path):
    words = ("--proto", "zoo/small.prototxt", "--weights", "zoo/small.caffemodel", "--endafter", "result")
    code, record, output = run_released(*words, model=("--model", "mine"), folder=tmp_path / "mine")
    assert (code, record["network"]["name"]) == (0, "small"), output
    words = ("-p", "zoo/small.prototxt", "-w", "zoo/small.caffemodel", "--endafter", "result")
    code, record, output = run_released(*words, model=("-d", "shorter"), folder=tmp_path / "shorter")
    assert (code, record["network"]["name"]) == (0, "small"), output


def test_without_workdir_a_run_is_written_to_dissection(run_released, place, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo").symlink_to(place / "zoo")
    with pytest.raises(SystemExit):
        main([
            "run", "--model", "small", "--layers", "conv1", "--dataset", str(place / "dataset/set"), "--endafter", "result",
        ])  # fmt: skip
    assert (tmp_path / "dissection" / "small" / "conv1-result.csv").is_file()


@pytest.mark.parametrize(
    "layers",
    [
        ("--layers", "conv1 part/two"),
        ("-l", "conv1 part/two"),
        ("--layers=conv1 part/two",),
        ("--blobs", "conv1", "part/two"),
    ],
    ids=" ".join,
)
def test_layers_may_be_one_word(run_released, tmp_path, layers):
    code, record, output = run_released("--endafter", "result", layers=layers)
    assert code == 0, output
    assert [layer["name"] for layer in record["layers"]] == ["conv1", "part/two"]
    assert (tmp_path / "small" / "part-two-result.csv").is_file()


@pytest.mark.parametrize(
    ("words", "setting", "value"),
    [
        (("--quantile", "0.25"), "quantile", 0.25),
        (("--quantile=0.25",), "quantile", 0.25),
        (("--threshold", "0.5"), "threshold", 0.5),
        (("-t", "0.5"), "threshold", 0.5),
        (("--probebatch", "4"), "batch_size", 4),
        (("--batch_size", "4"), "batch_size", 4),
        (("--resolution", "64"), "resolution", 64),
        (("--imcount", "3"), "images_per_unit", 3),
        (("--split", "train"), "split", "train"),
        (("--limit", "5"), "limit", 5),
        (("--artefacts", "elsewhere"), "artifacts", "elsewhere"),
        (("--gpu", "none"), "device", "cpu"),
        (("--gpu", "-1"), "device", "cpu"),
    ],
    ids=str,
)
def test_an_option_of_the_scripts_changes_the_same_setting(run_released, words, setting, value):
    code, record, output = run_released(*words, "--endafter", "result")
    assert code == 0, output
    assert record["settings"][setting] == value


def test_gpu_names_a_device_of_cuda(run_released, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for words, device in ((("--gpu", "2"), "cuda:2"), (("--gpu", "1,0"), "cuda:1")):
        code, _, output = run_released(*words)
        assert (code, f"--device {device} was requested" in output) == (2, True), output
    code, _, output = run_released("--gpu", "first")
    assert (code, "--gpu takes the number of a GPU, or none, not 'first'" in output) == (2, True)


def test_dataset_has_a_short_spelling(run_released):
    code, record, output = run_released("-s", "dataset/set", "--endafter", "result")
    assert (code, record["probe_set"]["name"]) == (0, "set"), output


@pytest.mark.parametrize(
    ("words", "mean"),
    [
        ((), DEFAULT_MEAN),
        (("--mean", "109 118 124"), "109 118 124"),
        (("--mean=109 118 124",), "109 118 124"),
        (("--mean", "109", "118", "124"), "109 118 124"),
        (("--colordepth", "3"), DEFAULT_MEAN),
        (("--colordepth", "-3"), "0 0 0"),
        (("--colordepth", "-3", "--mean", "1 2 3"), "1 2 3"),
    ],
    ids=str,
)
def test_the_default_mean_is_the_released_codes(run_released, words, mean):
    code, record, output = run_released(*words, "--endafter", "result")
    assert code == 0, output
    assert f"mean {mean}" in record["network"]["preprocessing"]


def test_colordepth_1_is_grayscale(run_released, tmp_path):
    code, record, output = run_released(
        "--colordepth", "1", "--endafter", "result", model=("-d", "grey"), folder=tmp_path / "grey"
    )
    assert code == 0, output
    assert "grayscale" in record["network"]["preprocessing"]


@pytest.mark.parametrize("phase", ["probe", "quant", "tally", "imgmax", "result"])
def test_endafter_a_phase_before_the_report_writes_none(run_released, tmp_path, phase):
    code, record, output = run_released("--endafter", phase)
    assert code == 0, output
    assert "--endafter: " in output and "the report is not written" in output
    assert not (tmp_path / "small" / "html").exists()
    assert (tmp_path / "small" / "conv1-result.csv").is_file()
    assert record["settings"]["image_maxima"] == (phase == "imgmax")


@pytest.mark.parametrize("phase", ["view", "graph", "none"])
def test_endafter_the_report_writes_it(run_released, tmp_path, phase):
    code, _, output = run_released("--endafter", phase, "--imcount", "2")
    assert code == 0, output
    assert (tmp_path / "small" / "html" / "image" / "layer-graph.svg").is_file()


def test_endafter_another_word_is_refused_before_any_work(run_released, tmp_path):
    code, record, output = run_released("--endafter", "lunch")
    assert (code, record) == (2, None)
    assert (
        "--endafter takes one of probe, quant, tally, imgmax, result, view, report, graph or none, not 'lunch'"
        in output
    )


def test_force_recomputes_or_rewrites_the_report(run_released, tmp_path):
    assert run_released("--imcount", "2")[0] == 0
    folder = tmp_path / "small"
    first = json.loads((folder / "run.json").read_text())["finished"]
    page = folder / "html" / "index.html"
    page.unlink()
    code, record, output = run_released("--imcount", "2", "-f", "report")
    assert (code, page.is_file()) == (0, True), output
    assert "--force: the report is written again" in output
    (folder / "run.json").write_text((folder / "run.json").read_text().replace(first, "1999-01-01"))
    code, record, output = run_released("--imcount", "2", "--force", "probe,tally")
    assert (code, record["finished"] != "1999-01-01") == (0, True), output
    assert "--force: the run starts over, as with --fresh" in output
    code, _, output = run_released("--imcount", "2", "--force", "none")
    assert (code, "--force: it names no phase" in output) == (0, True)


def test_the_options_of_the_rotation_work(run_released):
    words = ("--rotation_seed", "3", "--rotation_power", "0.5", "--rotation_unpermute", "1", "--endafter", "result")
    code, record, output = run_released(*words)
    assert code == 0, output
    assert [layer["name"] for layer in record["layers"]] == ["conv1+rotation-0.5"]
    assert "--rotation_unpermute: the rotation's rows are ordered by nearest axis" in output


def test_directory_is_the_run_folder(run_released, tmp_path):
    words = ("--directory", tmp_path / "exactly", "--endafter", "result")
    code, record, output = run_released(*words, "--definition", "zoo/small.prototxt", "--weights", "zoo/small.caffemodel",
                               model=(), folder=tmp_path / "exactly")  # fmt: skip
    assert (code, record["network"]["name"]) == (0, "small"), output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--tallydepth", "2048"), "--tallydepth: every pixel is counted"),
        (("--tally_depth", "2048"), "--tallydepth: every pixel is counted"),
        (("--tallybatch", "16"), "--tallybatch: there is no separate tally phase"),
        (("--ahead", "4"), "--ahead: images are always read ahead"),
        (("--parallel", "4"), "--parallel: counting uses all processors"),
        (("--num_classes", "365"), "--num_classes: the number of classes is read from the weights"),
        (("--imsize", "72"), "--imsize: "),
        (("--imscale", "72"), "--imscale: "),
        (("--gridwidth", "4"), "--gridwidth: "),
        (("--csvorder", "unit,label"), "--csvorder: "),
        (("--format", "csv,html,quantmat"), "--format: "),
    ],
    ids=str,
)
def test_an_option_without_effect_says_what_replaces_it(run_released, words, expected):
    code, _, output = run_released(*words, "--limit", "2", "--endafter", "result")
    assert (code, expected in output) == (0, True), output


def test_two_names_for_one_thing_are_refused(run_released, tmp_path):
    code, _, output = run_released("--out", tmp_path / "x")
    assert (code, "--out names one run folder, --workdir a folder of many: give one of the two" in output) == (2, True)
    code, _, output = run_released("--gpu", "0", "--device", "cpu")
    assert (code, "--gpu 0 and --device cpu both name a device: give one of them" in output) == (2, True)


def test_the_docs_list_every_option():
    from dataclasses import fields
    from typing import get_type_hints

    from netdissect.cli.released_options import ReleasedOptions

    page = (Path(__file__).resolve().parents[3] / "docs" / "released-code.md").read_text()
    hints = get_type_hints(ReleasedOptions, include_extras=True)
    for field in fields(ReleasedOptions):
        for name in hints[field.name].__metadata__[0].name:
            if name not in ("--rotation-seed", "--rotation-power"):
                assert f"`{name}" in page, name
