"""The small single file: as many exemplars and pixels as its budget allows, and a sentence about the rest."""

import base64
import io
import json
import re

import pytest
from PIL import Image
from tests import made_up_runs

from netdissect import report
from netdissect.protocols import NullProgress
from netdissect.report.html import lite_page, script_data

BLOCK = re.compile(r'<script type="([^"]*)" id="([^"]*)">(.*?)</script>', re.DOTALL)


def write(tmp_path, *, grouped=True, exemplars=20):
    result, probe_set = made_up_runs.make_run(
        (24, 40), 40, pictures=60, exemplars=exemplars, input_size=224, grouped=grouped
    )
    report.write_report(result, tmp_path, probe_set, NullProgress(), lite=True)
    text = (tmp_path / "report-lite.html").read_text()
    return result, text, {name: body for _, name, body in BLOCK.findall(text)}


@pytest.mark.parametrize(("grouped", "counts"), [(True, [6, 4, 2, 0, 0]), (False, [12])])
def test_a_small_file_has_the_first_exemplars_of_some_groups_and_all_numbers(tmp_path, grouped, counts):
    result, text, blocks = write(tmp_path, grouped=grouped)
    _, facts, arrays = script_data.unpack_script(script_data.format_script(blocks["data/layer-1"]))
    _, run, _ = script_data.unpack_script(script_data.format_script(blocks["data/run"]))
    assert [group["count"] for group in run["layers"][1]["groups"]] == counts
    assert arrays["images"].shape == (40, sum(counts))
    _, _, counted = script_data.unpack_script(script_data.format_script(blocks["data/layer-1-counts"]))
    assert (counted["I"] == result[1].counts.I).all()
    full = 49 if grouped else 20
    assert f"it has 12 of {full} exemplars of a unit, images of at most 192 pixels" in text
    assert facts is None


def test_the_images_are_smaller_and_the_label_maps_coarser(tmp_path):
    result, _, blocks = write(tmp_path)
    images = {name: body for name, body in blocks.items() if name.startswith("image/probe/")}
    kept = {int(row) for layer in result.layers.values() for row in layer.exemplars.images[:, :6].ravel()}
    assert kept <= {int(name[12:18]) for name in images}
    for body in images.values():
        with Image.open(io.BytesIO(base64.b64decode(body))) as image:
            assert image.format == "WEBP"
            assert image.size == (192, 192)
    labels = json.loads(f"[{blocks[f'data/labels/{min(kept):06d}']}]")
    assert max(labels[1]["size"]) < max(result.probe_set.label_size) <= 2 * max(labels[1]["size"])


def test_a_small_budget_takes_smaller_images_and_then_fewer_exemplars(tmp_path, monkeypatch):
    _, text, _ = write(tmp_path / "all")
    budget = int(0.95 * len(text))
    monkeypatch.setattr(lite_page, "BUDGET", budget)
    _, small, _ = write(tmp_path / "some")
    assert len(small) <= budget
    assert "images of at most 192 pixels" not in small
    monkeypatch.setattr(lite_page, "BUDGET", 1000)
    _, least, blocks = write(tmp_path / "least")
    assert "it has 6 of 49 exemplars of a unit, images of at most 96 pixels" in least
    assert "data/layer-1-counts" in blocks


def test_the_whole_single_file_leaves_nothing_out(tmp_path):
    result, probe_set = made_up_runs.make_run((4,), 9, pictures=12)
    report.write_report(result, tmp_path, probe_set, NullProgress(), single_file=True)
    assert "small edition" not in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "report-lite.html").exists()
