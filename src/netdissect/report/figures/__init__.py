"""Figures for papers as SVG, PDF and PNG, in one style, true to size; most write their numbers as CSV too."""

from __future__ import annotations

from netdissect.report.figures.ablation_graph import draw_ablation_graph
from netdissect.report.figures.bargraph import draw_bar_graph
from netdissect.report.figures.distributions import draw_concept_ranks, draw_score_distribution
from netdissect.report.figures.label_changes_graph import draw_label_changes
from netdissect.report.figures.layer_graph import draw_layer_graph
from netdissect.report.figures.network_bars import draw_network_bars
from netdissect.report.figures.rotation_graph import draw_rotation_graph
from netdissect.report.figures.training_curve import draw_training_curve
from netdissect.report.figures.width_curve import draw_width_curve

__all__ = [
    "draw_ablation_graph",
    "draw_bar_graph",
    "draw_concept_ranks",
    "draw_label_changes",
    "draw_layer_graph",
    "draw_network_bars",
    "draw_rotation_graph",
    "draw_score_distribution",
    "draw_training_curve",
    "draw_width_curve",
]
