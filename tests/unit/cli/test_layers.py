"""netdissect layers: the list of layers, and the commands it prints."""

from __future__ import annotations

import json
import sys

import pytest
from tests import small_probe_set

from netdissect.cli import main

pytest.importorskip("timm")


@pytest.fixture
def script(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import timm, torch\n"
        "from tests import nets\n"
        "def small():\n    return nets.make_small_net()\n"
        "def vit():\n"
        "    torch.manual_seed(0)\n"
        "    return timm.models.VisionTransformer(img_size=32, patch_size=8, embed_dim=16, depth=4, num_heads=2)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


def run(capsys, *words):
    with pytest.raises(SystemExit) as leave:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return leave.value.code, captured.out, captured.err


def test_every_layer_has_a_line_and_no_name_is_cut_off(capsys, script):
    code, out, err = run(capsys, "layers", "python:mine:vit", "--resolution", "32")
    assert (code, err) == (0, "")
    rows = {line[2:].split()[0]: line for line in out.splitlines() if line[:2] in ("  ", "* ")}
    assert rows["patch_embed"].split() == ["patch_embed", "PatchEmbed", "16", "x", "16", "16", "4", "x", "4", "8", "x", "8", "8", "0"]  # fmt: skip
    assert "17 x 16" in rows["blocks.2"]
    assert rows["blocks.2"].endswith("class token left out")
    assert "outputs of 2 attention heads, 8 units each" in rows["blocks.3.attn.proj:in"]
    assert "everything" in rows["head"]
    assert not any("…" in line for line in out.splitlines())


def test_a_terminal_of_80_columns_gets_lines_that_fit_and_nothing_inside_attention(capsys, script, monkeypatch):
    from netdissect.cli import layers as command

    monkeypatch.setattr(command.stdout, "_force_terminal", True)
    monkeypatch.setattr(command.stdout, "_width", 80)
    code, out, _ = run(capsys, "layers", "python:mine:vit", "--resolution", "32")
    assert code == 0
    table = [line for line in out.splitlines() if line[:2] in ("  ", "* ") and "netdissect run" not in line]
    rows = {line[2:].split()[0]: line for line in table}
    assert max(map(len, table)) <= 80
    assert "blocks.2" in rows and "blocks.2.attn" in rows and "blocks.3.attn.proj:in" not in rows
    said = next(line for line in out.splitlines() if line.startswith("--all shows "))
    assert "layers inside attention" in said and "starts at" in said
    _, out, _ = run(capsys, "layers", "python:mine:vit", "--resolution", "32", "--all")
    assert "blocks.3.attn.proj:in" in out and "starts at" in out.splitlines()[0]


def test_suggested_layers_are_marked_and_the_printed_command_runs(capsys, script):
    _, out, _ = run(capsys, "layers", "python:mine:vit", "--resolution", "32")
    marked = [line.split()[1] for line in out.splitlines() if line.startswith("* ") and "to start" not in line]
    command = next(line for line in out.splitlines() if line.startswith("* to start: ")).partition(": ")[2]
    assert command == f"netdissect run python:mine:vit --layers {' '.join(marked)} --data DATA"
    data = small_probe_set.write_probe_set(script / "set", images=4)
    words = [word if word != "DATA" else data for word in command.split()[1:]]
    code, out, err = run(capsys, *words, "--no-pictures", "--quantile", "0.1")
    assert (code, err) == (0, "")
    assert "python:mine:vit: RGB, 0 to 1, mean 0.485 0.456 0.406" in out
    assert "note: blocks.0, blocks.1, blocks.2, blocks.3.mlp.act, blocks.3: class token left out" in out


def test_the_table_is_printed_as_json(capsys, script):
    code, out, _ = run(capsys, "layers", "python:mine:small", "--json", "--resolution", "32")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["conv2"]["shape"] == [8, 8, 8]
    assert rows["conv2"]["field"] == {"offset": [-4, -4], "size": [9, 9], "step": [4, 4]}
    assert rows["relu2"]["suggested"]
    assert not rows["conv2"]["suggested"]


def test_workers_find_a_function_of_the_current_folder(capsys, script):
    data = small_probe_set.write_probe_set(script / "set", images=6)
    words = ["run", "python:mine:small", "--layers", "conv2", "--data", data, "--no-pictures", "--quantile", "0.1"]
    assert run(capsys, *words, "--out", script / "one")[0] == 0
    assert run(capsys, *words, "--out", script / "two", "--workers", "2", "--shard-size", "3")[0] == 0
    assert (script / "one/conv2-result.csv").read_bytes() == (script / "two/conv2-result.csv").read_bytes()


def test_preprocessing_options_are_recorded_in_the_run(capsys, script):
    data = small_probe_set.write_probe_set(script / "set", images=4)
    words = ["run", "python:mine:small", "--layers", "conv2", "--data", data, "--no-pictures", "--quantile", "0.1"]
    code, out, _ = run(
        capsys, *words, "--mean", "0.5", "--std", "0.5", "0.5", "0.25", "--channels", "bgr", "--out", "r"
    )
    assert code == 0
    recorded = json.loads((script / "r/run.json").read_text())["network"]["preprocessing"]
    assert recorded.startswith("BGR, 0 to 1, mean 0.5 0.5 0.5, std 0.5 0.5 0.25 (--mean, --std, --channels given")
    assert recorded in out


def test_a_network_of_grayscale_images_says_which_option_it_needs(capsys, script):
    (script / "grey.py").write_text("from torch import nn\ndef net(): return nn.Sequential(nn.Conv2d(1, 2, 3))\n")
    code, _, err = run(capsys, "layers", "python:grey:net")
    assert code == 2
    assert "--colordepth 1 for gray images" in err
    assert run(capsys, "layers", "python:grey:net", "--colordepth", "1")[0] == 0


def test_a_network_that_fails_half_way_is_listed_with_a_line_that_says_where(capsys, script):
    (script / "late.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Boxes(nn.Module):\n"
        "    def forward(self, x): raise RuntimeError('no boxes')\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.pyramid, self.boxes = Pyramid(), Boxes()\n"
        "    def forward(self, x): return self.boxes(self.pyramid(x))\n"
        "class Pyramid(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv = nn.Conv2d(3, 4, 3, padding=1)\n"
        "    def forward(self, x): return {'0': self.conv(x), 'a b': self.conv(x)[..., ::2, ::2]}\n"
    )
    code, out, err = run(capsys, "layers", "python:late:Net", "--resolution", "32")
    assert code == 0
    assert err == (
        "netdissect: Net fails on a blank 32 x 32 image, in boxes (no boxes): layers after it are not listed\n"
    )
    assert "no boxes" not in out
    assert "--layers pyramid 'pyramid[1]' --data DATA" in out
    code, out, _ = run(capsys, "layers", "python:late:Net", "--resolution", "32", "--json")
    assert {row["note"] for row in json.loads(out)} == {"the network fails after it, in boxes (no boxes)"}
