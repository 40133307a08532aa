"""Figures with unusual names."""

import warnings

import pytest
from tests import made_up_runs

from netdissect.concepts import Concept, Vocabulary
from netdissect.report import figures
from netdissect.report.figures import style

NAMES = (
    "$x_1$ & $\\foo$",
    "tab\tand\nline",
    "чёрный ящик",
    "猫",
    "a name that goes on and on and on and would leave no room",
)


@pytest.fixture
def found():
    words = Vocabulary(("thing_$",), tuple(Concept(n + 1, name, "thing_$") for n, name in enumerate(NAMES)))
    result, _ = made_up_runs.make_run((60,), len(NAMES), words=words, layer_names=("layer_$1$\t/conv",))
    return result.detectors(0.01)


def test_a_figure_can_have_any_name(found, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.draw_bar_graph(next(iter(found.values())), tmp_path / "bars.svg")
        figures.draw_layer_graph(found, tmp_path / "layers.svg")
    assert (tmp_path / "bars.csv").read_text(encoding="utf-8").count("$") >= 2
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_a_name_is_shortened_to_one_line():
    assert style.shorten_name("tab\tand\nline") == "tab and line"
    assert style.shorten_name("x" * 41) == "x" * 39 + "…"
