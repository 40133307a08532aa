import re

import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect import api
from netdissect.errors import SettingsError
from netdissect.report import card


class ByIndex:
    """A probe set by position, as `dissect` takes it."""

    def __init__(self, probe_set):
        self._probe_set = probe_set

    def __len__(self):
        return 60

    def row(self, index):
        return index

    def read_image_file(self, index):
        return self._probe_set.read_image_file(index)

    def read_labels(self, index):
        return self._probe_set.read_labels(index)


@pytest.fixture
def result():
    run, probe_set = made_up_runs.make_run((24, 40), name="net <b>_1_")
    return api._add_presenter(run, lambda: ByIndex(probe_set))


def test_a_notebook_shows_a_run_as_a_table_and_the_bar_graph(result):
    html = result._repr_html_()
    assert "net &lt;b&gt;_1_" in html
    assert "unique, by label" in html
    assert "data:image/svg+xml" in html
    assert not re.search(r"https?://|<script", html)


def test_a_notebook_shows_a_layer_and_a_unit(result):
    layer = result["block2/conv"]
    assert layer is result.layers["block2/conv"] is result[1]
    assert "units detect" in layer._repr_html_()
    best = layer.units[0]
    unit = layer.unit(best.unit)
    assert unit.channel == best.channel
    assert unit.profile[0][1:] == (best.label, best.score)
    html = unit._repr_html_()
    assert f"unit {best.unit} (channel {best.channel} counted from 0)" in html
    assert "data:image/jpeg" in html
    assert repr(unit).startswith(f"unit {best.unit} of block2/conv: ")


@pytest.mark.parametrize("number", [0, 41, -1])
def test_an_unknown_unit_is_refused(result, number):
    with pytest.raises(SettingsError, match="units 1 to 40"):
        result["block2/conv"].unit(number)


def test_without_its_probe_set_a_unit_shows_no_images(result, tmp_path):
    result.save(tmp_path)
    html = nd.load(tmp_path)["block1/conv"].unit(3)._repr_html_()
    assert "data:image/jpeg" not in html


def test_a_model_card_has_both_definitions_and_a_figure(result, tmp_path):
    path = result.write_model_card(tmp_path)
    text = path.read_text()
    for name, layer in result.layers.items():
        found, other = layer.detectors(0.04), layer.detectors(0.04, "category")
        assert f"| {name} | {found.total} | {found.units} | {found.unique} | {other.unique} |" in text
    assert (tmp_path / card.CARD_FIGURE).read_bytes().startswith(b"\x89PNG")
    assert card.CARD_FIGURE in text
    assert "net \\<b\\>\\_1\\_" in text
