"""Figures that papers print, as SVG and PNG, in one style; the numbers of every figure go beside it as CSV."""

from __future__ import annotations

from netdissect.report.figures.bargraph import bar_graph
from netdissect.report.figures.curve import training_curve
from netdissect.report.figures.distributions import concept_histogram, iou_distribution
from netdissect.report.figures.layers import layer_graph
from netdissect.report.figures.networks import network_graph
from netdissect.report.figures.rotation import rotation_graph
from netdissect.report.figures.width import width_graph

__all__ = [
    "bar_graph",
    "concept_histogram",
    "iou_distribution",
    "layer_graph",
    "network_graph",
    "rotation_graph",
    "training_curve",
    "width_graph",
]
