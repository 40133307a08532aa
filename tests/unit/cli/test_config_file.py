"""``--config``, ``--save-config``, and paths as they are typed."""

from __future__ import annotations

import tomllib

import pytest
from tests import small_probe_set

import netdissect as nd
from netdissect.cli import main
from netdissect.cli.app import app
from netdissect.errors import SettingsError

NETWORK = """
import torch
from torch import nn
def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 5, 2, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1))
"""


@pytest.fixture
def typed(capsys):
    """Return a function that runs a command and returns its exit code and what it printed to standard error."""

    def run(*words):
        with pytest.raises(SystemExit) as leave:
            main([str(word) for word in words])
        return leave.value.code, capsys.readouterr().err

    return run


@pytest.fixture
def parsed():
    """Return a function that parses a command and returns the values of its parameters by name."""

    def parse(*words):
        _, bound, _ = app.parse_args([str(word) for word in words], exit_on_error=False, print_error=False)
        bound.apply_defaults()
        return bound.arguments

    return parse


def test_a_saved_config_gives_the_same_run_from_any_folder(tmp_path, monkeypatch, typed):
    project = tmp_path / "project"
    (project / "configs").mkdir(parents=True)
    small_probe_set.write_probe_set(project / "a set [1]", images=8)
    (project / "own_network_of_config.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.chdir(project)
    words = (
        "--layers",
        "0",
        "2",
        "--data",
        "a set [1]",
        "--no-pictures",
        "--memory",
        "1GB",
        "--quantiles",
        "0.01",
        "0.02",
    )
    typed(
        "run", "python:own_network_of_config:make", *words, "--out", "runs/first", "--save-config", "configs/run.toml"
    )
    saved = tomllib.loads((project / "configs/run.toml").read_text())
    assert saved == {
        "model": "python:own_network_of_config:make", "layers": ["0", "2"], "data": "../a set [1]", "out": "../runs/first",
        "quantiles": [0.01, 0.02], "pictures": False, "memory": "1GB",
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, said = typed("run", "--config", "proj*/configs/run.toml")
    assert (code, "already holds this run" in said) == (0, True)
    assert typed("run", "--config", "project/configs/run.toml", "--out", "second", "-t", "0.5")[0] == 0
    assert nd.load("second").settings.threshold == 0.5
    assert nd.load("second").settings.quantiles == (0.01, 0.02)


def test_the_command_line_takes_precedence_in_every_spelling(tmp_path, parsed):
    (tmp_path / "run.toml").write_text(
        'model = "torchvision:resnet18"\nthreshold = 0.1\npictures = false\nseed = 3\nnear-axes = true'
    )
    found = parsed("rotate", "torchvision:alexnet", "--config", tmp_path / "run.toml", "-t", "0.2", "--pictures")
    assert (found["model"], found["near_axes"]) == ("torchvision:alexnet", True)
    assert (found["method"].threshold, found["method"].seed, found["execution"].pictures) == (0.2, 3, True)


def test_paths_in_a_config_are_relative_to_it_and_names_stay_names(tmp_path, monkeypatch, parsed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "near").mkdir(parents=True)
    file = tmp_path / "configs" / "run.toml"

    def read(text):
        file.write_text(text)
        return parsed("run", "--config", "configs/run.toml")

    assert read('model = "timm:vit"\ndata = "broden1_227"\nout = "r"')["data"] == "broden1_227"
    found = read('model = "n/a.prototxt,n/a.caffemodel"\ndata = "near"\nout = "r"\nprojection = ["conv1=sae/a.pt"]')
    assert (found["model"], found["data"], str(found["out"])) == (
        "configs/n/a.prototxt,configs/n/a.caffemodel", "configs/near", "configs/r",
    )  # fmt: skip
    assert found["projection"] == ["conv1=configs/sae/a.pt"]
    assert read('model = "hf:near"\ndata = "s3://bucket/set"')["model"] == "hf:configs/near"
    assert read(f'model = "hf:google/vit"\ndata = "{tmp_path}/x"')["data"] == f"{tmp_path}/x"


def test_a_saved_config_is_never_put_over_another_file(tmp_path, typed):
    file = tmp_path / "run.toml"
    file.write_text("# mine")
    code, said = typed("run", "m", "--layers", "l", "--data", "d", "--save-config", file)
    assert (code, "is there already" in said, file.read_text()) == (2, True, "# mine")


def test_a_config_is_not_saved_when_the_command_is_refused(tmp_path, typed):
    assert (
        typed("run", "no-such-network", "--layers", "l", "--data", tmp_path, "--save-config", tmp_path / "x.toml")[0]
        == 2
    )
    assert not (tmp_path / "x.toml").exists()


def test_a_pattern_is_expanded_where_several_paths_are_taken_and_refused_where_one_is(
    tmp_path, monkeypatch, parsed, typed
):
    monkeypatch.chdir(tmp_path)
    for name in ("a1", "a2", "b1"):
        (tmp_path / name).mkdir()
    assert parsed("compare", "a*")["sources"] == ("a1", "a2")
    assert parsed("run", "m", "--data", "b?")["data"] == "b1"
    assert parsed("run", "m", "--layers", "a*")["layers"] == ["a*"]  # names of layers are no paths
    code, said = typed("run", "m", "--layers", "l", "--data", "a*")
    assert (code, "--data a* matches 2 paths (a1, a2), and one is expected" in said) == (2, True)


def test_the_version_has_a_short_option(capsys):
    with pytest.raises(SystemExit):
        main(["-V"])
    assert capsys.readouterr().out.strip() == nd.__version__


@pytest.mark.parametrize(
    ("text", "said"),
    [("resume = true", "has no option 'resume'"), ('model = ["demo"]', "model is one value, not a list of 1")],
)
def test_what_a_config_may_not_say(tmp_path, parsed, text, said):
    config = tmp_path / "run.toml"
    config.write_text(text)
    with pytest.raises(SettingsError, match=said):
        parsed("run", "demo", "--config", config)


def test_a_pattern_in_what_is_written_is_a_name(tmp_path, monkeypatch, parsed):
    (tmp_path / "netv").mkdir()
    monkeypatch.chdir(tmp_path)
    assert str(parsed("run", "demo", "--out", "net[v2]")["out"]) == "net[v2]"
