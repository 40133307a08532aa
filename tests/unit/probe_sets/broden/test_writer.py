"""Numbering names by frequency, and leaving out rare ones."""

from __future__ import annotations

from netdissect.probe_sets.broden.writer import LabelUsage


def used(*entries):
    usage = LabelUsage()
    for name, category, share, images in entries:
        for _ in range(images):
            usage.add(name, category, share)
    return usage


def test_names_are_numbered_by_frequency_then_coverage_then_name():
    usage = used(("b", "object", 0.25, 2), ("a", "object", 0.25, 2), ("c", "part", 0.5, 2), ("d", "part", 0.125, 3))
    assert usage.number_names() == {"d": 1, "c": 2, "a": 3, "b": 4}


def test_a_name_at_exactly_the_least_frequency_or_coverage_stays():
    usage = used(("three", "object", 0.25, 3), ("two", "object", 0.5, 2), ("one", "part", 0.25, 1))
    assert list(usage.number_names(min_frequency=2)) == ["three", "two"]
    assert list(usage.number_names(min_frequency=3)) == ["three"]
    assert list(usage.number_names(min_coverage=0.75)) == ["three", "two"]
    assert list(usage.number_names(min_coverage=0.875)) == ["two"]
    assert list(usage.number_names(min_coverage=1.0)) == ["two"]


def test_a_name_is_judged_by_all_its_categories_together():
    usage = used(("both", "object", 0.25, 1), ("both", "part", 0.25, 1), ("one", "part", 0.25, 1))
    assert list(usage.number_names(min_frequency=2)) == ["both"]
    assert list(usage.number_names(min_coverage=0.5)) == ["both"]


def test_what_two_counted_is_what_one_would_have():
    one, other = (
        used(("a", "object", 0.5, 2), ("b", "part", 0.125, 1)),
        used(("a", "object", 0.25, 1), ("a", "part", 1.0, 1)),
    )
    one.merge(other)
    assert dict(one.frequency) == {("a", "object"): 3, ("b", "part"): 1, ("a", "part"): 1}
    assert dict(one.coverage) == {("a", "object"): 1.25, ("b", "part"): 0.125, ("a", "part"): 1.0}
