"""``netdissect export`` and ``netdissect run --export-activations``."""

import json

import numpy as np
import pytest
from tests.small_probe_set import write_probe_set

from netdissect.cli.app import main

MODEL = "python:tests.nets:make_small_net"


def type_command(*words):
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words), "--quiet"])
    return stop.value.code or 0


def test_a_run_exports_its_activations_and_export_writes_the_same(tmp_path, capsys):
    data = write_probe_set(tmp_path / "set", images=6)
    run = [
        "run",
        MODEL,
        "--layers",
        "conv1",
        "conv2",
        "--data",
        data,
        "--out",
        tmp_path / "run",
        "--null",
        0,
        "--resamples",
        0,
    ]
    assert type_command(*run, "--no-pictures", "--export-activations", "npy") == 0, capsys.readouterr().err
    own = tmp_path / "run" / "activations"
    assert json.loads((own / "export.json").read_text())["finished"]
    out = tmp_path / "out"
    assert type_command("export", tmp_path / "run", MODEL, "--out", out, "--activations", "npy", "-l", "conv2") == 0
    assert f"export: {out}" in capsys.readouterr().out
    found, again = (np.load(folder / "conv2-activations.npy") for folder in (own, out))
    assert found.shape == (6, 8, 8, 8)
    assert np.array_equal(found, again)


def test_activations_of_latents_are_refused_before_the_run(tmp_path, capsys):
    words = ["run", MODEL, "--layers", "conv1", "--data", tmp_path, "--out", tmp_path / "run"]
    assert type_command(*words, "--projection", "sae.safetensors", "--export-activations", "npy") == 2
    assert "leave --projection out" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_export_without_a_choice_is_refused(tmp_path, capsys):
    assert type_command("export", tmp_path, MODEL, "--out", tmp_path / "out") == 2
    assert "nothing is to be exported" in capsys.readouterr().err
