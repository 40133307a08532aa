"""What class outputs lose, in words."""

from __future__ import annotations

from dataclasses import replace

from tests import made_up_runs

from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation
from netdissect.results.ablation_findings import describe_ablation


def make_layer(**changes):
    layer = made_up_runs.make_run((12,), 8, pictures=12)[0][0]
    numbers = (-1.94, -2.4, -1.5, -0.2)
    rows = (
        ConceptAblation("cow", "object", (1, 2), "pasture-s", 1.0, 40, *numbers, 0.005, 0.01, -0.1, 0.0),
        ConceptAblation("car", "object", (3,), "street", 1.0, 40, *numbers, 0.2, 0.2, 0.0, 0.0),
        ConceptAblation("sheep", "object", (4,), "pasture-s", 1.0, 40, 0.25, 0.1, 0.4, 0.01, 0.005, 0.01, 0.0, 0.0),
    )
    found = LayerAblation("zero", 1200, 6, 0.91234, rows, (), 200)
    return replace(layer, ablation=replace(found, **changes))


def test_only_losses_beyond_matched_units_are_counted_and_named():
    first, named = describe_ablation(make_layer())
    assert first == (
        "block1/conv: 1 of 3 concepts: without their units the class loses more margin than without matched ones (q < 0.05, up to "
        "200 sets; 1,200 images, accuracy 0.912)"
    )
    assert named == (
        "block1/conv: remove the 2 units of cow: margin of class pasture −1.9 [−2.4, −1.5]; matched random −0.2 (q 0.010)"
    )


def test_curves_left_out_concepts_and_notes_follow():
    curves = (
        ClassCurve("street", 20, (3, 1), 0.98, {1: 0.9, 2: 0.8}, {1: 0.97, 2: 0.95}, 0.6),
        ClassCurve("pasture", 20, (3, 1), 1.0, {1: 0.8, 2: 0.7}, {1: 0.99, 2: 0.97}, 0.5),
    )
    said = describe_ablation(
        make_layer(curves=curves, left_out={"head": "no class has its name"}, notes=("a note",)), 0
    )
    assert said[1:] == [
        (
            "block1/conv: balanced accuracy of one class among all 0.990; without its most important unit 0.850 (a random one "
            "0.980); without its 2 most important units 0.750 (random ones 0.960); with the 2 most important alone 0.550 (mean of "
            "2 classes)"
        ),
        "block1/conv: 1 concept is left out, head: no class has its name",
        "block1/conv: a note",
    ]


def test_a_layer_without_concepts_or_ablations_says_so_or_nothing():
    assert describe_ablation(make_layer(concepts=())) == [
        "block1/conv: no concept has units to remove and a class to measure (1,200 images, accuracy 0.912)"
    ]
    assert describe_ablation(replace(make_layer(), ablation=None)) == []
