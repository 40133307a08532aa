"""Commands: what they write, print and refuse."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests import nets, small_probe_set

import netdissect
from netdissect.cli import main
from netdissect.errors import SettingsError


def run(capsys, *words):
    with pytest.raises(SystemExit) as leave:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return leave.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def caffe(tmp_path_factory):
    """Write a small Caffe network; return the stem of its two files."""
    from netdissect.networks.sources.caffe.caffe_writer import write_caffe
    from netdissect.networks.sources.caffe.prototxt import read_prototxt
    from netdissect.networks.sources.caffe.random_weights import make_random_weights

    folder = tmp_path_factory.mktemp("caffe nets")
    (folder / "source.prototxt").write_text(
        """
        name: "small" input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
                convolution_param { num_output: 5 kernel_size: 5 stride: 2 pad: 2 } }
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
        layer { name: "part/two" type: "Convolution" bottom: "conv1" top: "part/two"
                convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
        """
    )
    net = read_prototxt(folder / "source.prototxt")
    write_caffe(folder / "small", net, make_random_weights(net, seed=0))
    return folder / "small"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small set", images=10)


def test_help_does_not_import_heavy_libraries():
    script = (
        "import sys\n"
        "from netdissect.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'numba', 'matplotlib', 'pyarrow', 'scipy', 'google.protobuf'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for words in (
        "['--help']",
        "['run', '--help']",
        "['layers', '--help']",
        "['report', '--help']",
        "['demo', '--help']",
    ):
        subprocess.run([sys.executable, "-c", script.replace("['--help']", words)], check=True, capture_output=True)


def test_version_prints_the_package_version(capsys):
    assert netdissect.__version__ in run(capsys, "--version")[1]


def test_run_writes_every_documented_file(capsys, caffe, data, tmp_path):
    code, out, _ = run(
        capsys, "run", caffe, "--layers", "conv1", "part/two", "--data", data, "--out", tmp_path / "r", "--quantile",
        "0.05", "--images-per-unit", "3", "--classic",
    )  # fmt: skip
    assert code == 0
    assert "conv1 " in out and "of 5 units detect" in out
    assert str(tmp_path / "r" / "html" / "index.html") in out
    for name in (
        "run.json", "conv1-result.csv", "part-two-result.csv", "conv1.parquet", "html/index.html", "html/conv1.html",
        "html/part-two.html", "html/image/conv1-bargraph.svg", "html/image/part-two-0000.jpg",
        "html/image/layer-graph.svg",
    ):  # fmt: skip
        assert (tmp_path / "r" / name).is_file(), name


def test_mean_takes_three_numbers(capsys, caffe, data, tmp_path):
    for words in (["104", "117", "123"], ["-104.5", "117", "-123"]):
        code, _, err = run(
            capsys, "run", caffe, "--layers", "conv1", "--data", data, "--mean", *words, "--out", tmp_path / "r",
            "--no-pictures", "--fresh",
        )  # fmt: skip
        assert (code, err) == (0, "")


def test_report_is_written_again_without_the_probe_set(capsys, caffe, tmp_path):
    import shutil

    data = small_probe_set.write_probe_set(tmp_path / "soon gone", images=6)
    run(capsys, "run", caffe, "--layers", "conv1", "--data", data, "--out", tmp_path / "r", "--images-per-unit", "2")
    shutil.rmtree(data)
    (tmp_path / "r/html/index.html").unlink()
    code, out, err = run(capsys, "report", tmp_path / "r", "--threshold", "0.2")
    assert (code, err) == (0, "")
    assert "IoU ≥ 0.2" in out
    assert (tmp_path / "r/html/index.html").is_file()


def test_layers_lists_what_can_be_dissected(capsys, caffe):
    code, out, _ = run(capsys, "layers", caffe)
    assert code == 0
    assert "conv1" in out and "part/two" in out and "16 x 16" in out and "5 x 5" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run"], "which network?"),
        (["run", "CAFFE"], "which layers?"),
        (["run", "CAFFE", "--layers", "conv1"], "which probe set?"),
        (["run", "CAFFE", "--layers", "con1", "--data", "DATA"], "did you mean conv1"),
        (["run", "CAFFE", "--layers", "conv1", "--data", "nowhere"], "there is no probe set 'nowhere'"),
        (["run", "nothing", "--layers", "conv1", "--data", "DATA"], "there is no model 'nothing'"),
        (
            ["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--quantile", "5"],
            "--quantile must lie between 0 and 1",
        ),
        (
            ["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--batch-size", "0"],
            "--batch-size must be at least 1",
        ),
        (["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--split", "trian"], "did you mean train?"),
        (["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--device", "cuda"], "no CUDA device here"),
        (["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--device", "gpu0"], "--device must be"),
        (["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--geometry", "round"], "geometry"),
        (["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--colour", "3"], "--colour"),
        (["run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--mean", "1", "2"], "--mean takes"),
        (["run", "weights.pth", "--layers", "conv1", "--data", "DATA"], "there is no weights file weights.pth"),
        (["report", "nowhere"], "nowhere does not exist"),
        (["report", "a run", "--card", "card.md"], "nothing takes 'card.md' here"),
        (["layers", "torchvision:resnet19"], "did you mean resnet18"),
        (["disect"], "disect"),
    ],
)
def test_an_error_is_one_sentence_with_exit_code_2(capsys, caffe, data, words, sentence):
    given = [{"CAFFE": caffe, "DATA": data}.get(word, word) for word in words]
    if "resnet19" in " ".join(words):
        pytest.importorskip("torchvision")
    code, _, err = run(capsys, *given)
    assert code == 2, err
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_debug_shows_the_traceback(capsys):
    from netdissect.errors import RunNotFoundError

    with pytest.raises(RunNotFoundError, match="nowhere does not exist"):
        main(["report", "nowhere", "--debug"])


def test_an_interrupt_exits_with_130(capsys, monkeypatch, caffe, data):
    import netdissect.api

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(netdissect.api, "dissect", interrupted)
    code, _, err = run(capsys, "run", caffe, "--layers", "conv1", "--data", data)
    assert code == 130
    assert "interrupted" in err


def test_a_full_disk_is_reported_in_one_sentence(capsys, monkeypatch, caffe, data, tmp_path):
    import errno

    from netdissect.results import files

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "r"))

    monkeypatch.setattr(files, "save_run", full)
    code, _, err = run(capsys, "run", caffe, "--layers", "conv1", "--data", data, "--out", tmp_path / "r")
    assert code == 2
    assert "the disk is full" in err


def test_a_state_dict_runs_with_its_architecture(capsys, data, tmp_path):
    models = pytest.importorskip("torchvision.models")
    import torch

    weights = tmp_path / "resnet18_small.pth.tar"
    state = models.resnet18(num_classes=7).state_dict()
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, weights)
    code, out, err = run(
        capsys, "run", weights, "--arch", "torchvision:resnet18", "--layers", "layer1", "--data", data, "--resolution",
        "64", "--out", tmp_path / "r", "--no-pictures",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert re.search(r"^layer1  +\d+ of 64 units detect \d+ concepts", out, re.MULTILINE), out


def test_shell_and_python_give_the_same_result(capsys, caffe, data, tmp_path):
    import netdissect as nd

    run(capsys, "run", caffe, "--layers", "conv1", "--data", data, "--out", tmp_path / "shell", "--no-pictures")
    nd.dissect(str(caffe), "conv1", data, out=tmp_path / "python", pictures=False)
    assert (tmp_path / "shell/conv1-result.csv").read_bytes() == (tmp_path / "python/conv1-result.csv").read_bytes()


def test_a_users_own_module_is_dissected(data):
    import netdissect as nd

    result = nd.dissect(nets.make_small_net(), ["conv2"], data, quantile=0.1)
    assert len(result["conv2"].units) == 8


def test_rotate_counts_the_detectors_of_every_step(capsys, caffe, data, tmp_path):
    words = ("--layers", "conv1", "--data", data, "--out", tmp_path / "r", "--quantile", 0.05, "--no-pictures")
    code, out, _ = run(capsys, "rotate", caffe, *words, "--alphas", 0, 0.5)
    assert code == 0
    assert "conv1 α = 0: " in out
    assert "conv1 α = 0.5: " in out
    assert (tmp_path / "r" / "rotation.svg").is_file()
    assert (tmp_path / "r" / "conv1+rotation-0.5-result.csv").is_file()
    code, _, err = run(capsys, "rotate", caffe, *words, "--alphas", 0, 0)
    assert (code, "conv1 would be probed twice" in err) == (2, True)


def test_run_accepts_the_released_codes_rotation(capsys, caffe, data, tmp_path):
    words = ("--layers", "conv1", "--data", data, "--out", tmp_path / "r", "--quantile", 0.05, "--no-pictures")
    code, out, _ = run(capsys, "run", caffe, *words, "--rotation_seed", 3, "--rotation_power", 0.5)
    assert code == 0
    assert "conv1+rotation-0.5: " in out


def test_a_network_of_the_zoo_is_found_by_name(capsys, caffe, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETDISSECT_ZOO", str(caffe.parent))
    code, out, _ = run(capsys, "layers", "small")
    assert (code, "conv1" in out) == (0, True)
    code, _, err = run(capsys, "layers", "vgg16_places365")
    assert (code, "netdissect zoo download vgg16_places365 fetches it" in err) == (2, True)


def test_a_fraction_is_refused_for_an_integer(capsys, caffe, data):
    for words in (("--seed", "1.5"), ("--limit", "2.7"), ("--workers=1.2",)):
        code, _, err = run(capsys, "run", caffe, "--layers", "conv1", "--data", data, *words)
        assert (code, "is not a whole number" in err) == (2, True)
    code, _, err = run(capsys, "data", "synthetic", "--images", "3.7")
    assert (code, "3.7 is not a whole number" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["layers", "CAFFE", "--resolution", "-3"], "--resolution must be at least 8, not -3"),
        (["layers", "CAFFE", "--resolution", "0"], "--resolution must be at least 8, not 0"),
        (["layers", "CAFFE", "--resolution", "99999999"], "--resolution must be at most 4,096, not 99,999,999"),
        (["compare", "nowhere", "--threshold", "nan"], "--threshold must lie between 0 and 1, an IoU, not nan"),
        (["compare", "nowhere", "--threshold", "-1"], "--threshold must lie between 0 and 1, an IoU, not -1.0"),
        (["compare", "nowhere", "--steps", "nan"], "--steps must be numbers, a training step for each source, not nan"),
        (
            ["rotate", "nowhere", "--layers", "a", "--data", "b", "--alphas", "nan"],
            "--alphas takes numbers from -10 to 10",
        ),
        (
            ["run", "nowhere", "--layers", "a", "--data", "b", "--rotation_seed", "-1"],
            "--rotation-seed must be at least 0",
        ),
    ],
    ids=str,
)
def test_every_command_refuses_an_impossible_number_before_any_work(capsys, caffe, words, sentence):
    code, _, err = run(capsys, *[{"CAFFE": caffe}.get(word, word) for word in words])
    assert (code, err.startswith(f"netdissect: {sentence}")) == (2, True), err


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--out", ""), "Invalid value for --out: "),
        (("run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--out="), "Invalid value for --out: "),
        (("run", "CAFFE", "--layers", "conv1", "--data", "DATA", "--workdir", ""), "Invalid value for --workdir: "),
        (("run", "", "--layers", "conv1", "--data", "DATA"), ""),
        (("report", ""), ""),
        (("compare", "DATA", ""), ""),
        (("data", "check", ""), ""),
        (("data", "from-coco", "a.json", "--masks", "", "--out", "x"), "Invalid value for --masks: "),
        (("data", "from-voc", "DATA", "--classes=", "--out", "x"), "Invalid value for --classes: "),
    ],
)
def test_an_empty_word_is_not_the_current_folder(capsys, caffe, data, tmp_path, monkeypatch, words, where):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, _, err = run(capsys, *({"CAFFE": caffe, "DATA": data}.get(word, word) for word in words))
    assert code == 2
    assert err.startswith(f"netdissect: {where}an empty word was given; type a value, or a dot for the current folder")
    assert not list((tmp_path / "here").iterdir())


def test_an_empty_out_is_not_the_current_folder(data):
    with pytest.raises(SettingsError, match="out= is empty"):
        netdissect.dissect(nets.make_small_net(), "conv1", data, out="")
