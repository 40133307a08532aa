import numpy as np
from tests import made_up_runs

from netdissect.results.label_changes import LabelChange, LayerLabels, find_label_changes, record_labels

NAMES = ("sky", "tree", "dog")


def make_labels(run, column, keep, score=0.1):
    size = len(column)
    return LayerLabels(
        run, "conv1", NAMES, np.array(column), np.full(size, score), np.array(keep, float), is_resampled=True
    )


def test_only_units_whose_labels_are_kept_in_both_are_compared():
    before = make_labels("a", [0, 1, 2, 1, -1, 0], [1, 1, 0.95, 0.96, np.nan, 1])
    after = make_labels("b", [0, 2, 1, 0, 1, 2], [1, 0.99, 1, 0.97, 1, 0.5], score=0.2)
    found = find_label_changes(before, after)
    assert (found.layer, found.runs, found.compared) == ("conv1", ("a", "b"), 3)
    assert found.changes == (
        LabelChange(2, ("tree", "dog"), (0.1, 0.2), (1.0, 0.99)),
        LabelChange(4, ("tree", "sky"), (0.1, 0.2), (0.96, 0.97)),
    )
    assert found.describe() == "2 of 3"


def test_a_run_without_resamples_compares_nothing():
    made, _ = made_up_runs.make_run((12,), 9)
    trusted, _ = made_up_runs.make_run((12,), 9, trusted=True)
    parts = [record_labels(name, run["block1/conv"]) for name, run in (("a", made), ("b", trusted))]
    assert [part.is_resampled for part in parts] == [False, True]
    found = find_label_changes(*parts)
    assert (found.compared, found.changes, found.describe()) == (None, (), "not measured")


def test_a_run_compared_with_itself_has_no_changes_and_compares_what_it_keeps():
    run, _ = made_up_runs.make_run((40,), 9, trusted=True)
    layer = run["block1/conv"]
    labels = record_labels("a", layer)
    found = find_label_changes(labels, labels)
    assert found.changes == ()
    assert found.compared == sum(trust.keep is not None and trust.keep > 0.95 for trust in layer.unit_trust) > 0
