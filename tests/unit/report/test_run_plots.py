"""``result.plot`` and ``layer.plot`` return matplotlib's axes, which have the right numbers."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from tests import made_up_runs

from netdissect.errors import RunError, SettingsError
from netdissect.report.figures import style
from netdissect.report.figures.run_plots import LayerPlots, RunPlots
from netdissect.results.controls import ControlLayer, ControlRun

mpl.use("Agg")


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((24, 60), trusted=True, analyzed=True)[0]


@pytest.fixture
def axes():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_a_figure_is_drawn_on_the_axes_that_are_given_and_the_style_stays_the_callers(run, axes):
    before = dict(mpl.rcParams)
    plots = RunPlots(run, 0.04)
    for draw in (plots.layer_graph, plots.detectors, plots.scores, plots.concepts, plots.emergence):
        axes.clear()
        assert draw(axes) is axes
    assert dict(mpl.rcParams) == before


def test_without_axes_a_figure_of_the_width_is_opened(run):
    from matplotlib import pyplot as plt

    for width, inches in (("column", 3.25), ("slide", 10)):
        figure = RunPlots(run, 0.04).layer_graph(width=width).figure
        assert figure.get_size_inches()[0] == inches
        plt.close(figure)


def test_detectors_are_stacked_to_the_number_of_unique_ones_and_controls_are_marked(run, axes):
    name = next(iter(run.layers))
    control = ControlRun("random weights", "untrained", "0" * 16, 0.04, {name: ControlLayer(9, 24, 7, 1.0, 2.0)})
    RunPlots(replace(run, controls=(control,)), 0.04).detectors(axes)
    tops = {}
    for bar in axes.patches:
        at = round(bar.get_x() + bar.get_width() / 2)
        tops[at] = max(tops.get(at, 0), bar.get_y() + bar.get_height())
    assert list(tops.values()) == [found.unique for found in run.detectors(0.04).values()]
    assert [7, 7] in [list(line.get_ydata()) for line in axes.lines]


def test_a_curve_of_scores_has_the_share_of_units_that_reach_each_score(run, axes):
    LayerPlots(run[1], 0.04).scores(axes)
    at, share = axes.lines[0].get_data()
    scores = run[1].label_scores
    for place in (0, 40, 200):
        assert share[place] == pytest.approx((scores >= at[place]).mean())


def test_the_last_layer_of_a_control_is_a_gray_dashed_curve(run, axes):
    name = list(run.layers)[-1]
    scores = tuple(np.linspace(0, 0.1, 60).tolist())
    control = ControlRun("random weights", "untrained", "0" * 16, 0.04, {name: ControlLayer(9, 60, 7, scores=scores)})
    RunPlots(replace(run, controls=(control,)), 0.04).scores(axes)
    curve = axes.lines[len(run.layers)]
    at, share = curve.get_data()
    assert curve.get_linestyle() == "--" and curve.get_color() == style.SOFT
    assert share[100] == pytest.approx((np.array(scores) >= at[100]).mean())


def test_a_bar_graph_has_the_concepts_with_most_units(run, axes):
    LayerPlots(run[1], 0.01).bar_graph(axes)
    found = run[1].detectors(0.01).concepts
    heights = sorted((bar.get_height() for bar in axes.patches), reverse=True)
    assert heights == sorted(found.values(), reverse=True)[: len(heights)]


def test_an_ablation_is_drawn_where_it_was_measured(run, axes):
    ablated = next(layer for layer in run.layers.values() if layer.ablation is not None)
    LayerPlots(ablated, 0.04).ablation(axes)
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert marks == [row.margin for row in ablated.ablation.concepts[: len(marks)]] and marks
    with pytest.raises(SettingsError, match="was not ablated: netdissect ablate measures"):
        LayerPlots(replace(ablated, ablation=None), 0.04).ablation(axes)


def test_a_layer_of_no_run_cannot_be_drawn(run):
    with pytest.raises(RunError, match="belongs to no run, so nothing draws it"):
        _ = replace(run[0], presenter=None).plot
