"""Phases 2 and 3: which label gets which name and number."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netdissect.probe_sets.compile.statistics import Statistics, count_labels
from netdissect.probe_sets.compile.unify import SourceLabel, assign_numbers, name_labels, sum_usage


def statistics(*entries):
    found = Statistics()
    for label, frequency, coverage in entries:
        found.frequency[label] = frequency
        found.coverage[label] = coverage
    return found


def names(found, words):
    return dict(name_labels(found, lambda label: words[label]).name)


A, B, C, D = (SourceLabel("s", "object", number) for number in range(1, 5))


def test_the_more_frequent_label_claims_a_name_first():
    found = statistics((A, 5, 1.0), (B, 9, 1.0))
    assert names(found, {A: ["bus", "coach"], B: ["bus"]}) == {B: "bus", A: "coach"}


def test_of_equally_frequent_labels_the_smaller_tuple_claims_first():
    part = SourceLabel("s", "part", 1)
    found = statistics((part, 5, 1.0), (B, 5, 1.0))
    assert names(found, {part: ["door"], B: ["door", "gate"]})[B] == "door"
    assert names(found, {part: ["door", "gate"], B: ["door"]})[part] == "gate"


def test_a_label_claims_all_its_words_so_that_a_later_one_merges_with_it():
    found = statistics((A, 9, 1.0), (B, 5, 1.0))
    assert names(found, {A: ["dog", "domestic dog"], B: ["domestic dog"]}) == {A: "dog", B: "dog"}


def test_of_several_owners_the_one_whose_objects_are_of_the_nearest_size_is_merged_with():
    found = statistics((A, 10, 5.0), (B, 10, 1.0), (C, 4, 0.5))  # mean sizes 0.5, 0.1, 0.125
    assert names(found, {A: ["screen"], B: ["display"], C: ["screen", "display"]})[C] == "display"


def test_of_owners_of_the_same_size_the_more_frequent_is_merged_with():
    found = statistics((A, 10, 1.0), (B, 20, 2.0), (C, 4, 0.4))
    assert names(found, {A: ["screen"], B: ["display"], C: ["screen", "display"]})[C] == "display"


def test_a_label_without_a_word_has_no_name_and_no_number():
    found = statistics((A, 9, 1.0), (B, 5, 1.0))
    naming = name_labels(found, lambda label: [] if label == A else ["tree"])
    assert naming.name[A] == ""
    assert assign_numbers(found, naming, {"tree": 1}).tables["s", "object"].tolist() == [0, 0, 1]


def test_numbers_go_by_frequency_then_coverage_and_rare_names_get_none():
    found = statistics((A, 9, 1.0), (B, 20, 0.6), (C, 9, 4.0), (D, 30, 0.4))
    naming = name_labels(found, lambda label: [f"n{label.number}"])
    numbers = sum_usage(found, naming).number_names(min_frequency=9, min_coverage=0.5)
    assert numbers == {"n2": 1, "n3": 2, "n1": 3}


def test_a_name_in_two_categories_adds_up():
    part = SourceLabel("s", "part", 7)
    found = statistics((A, 6, 0.3), (part, 6, 0.3))
    naming = name_labels(found, lambda _: ["door"])
    usage = sum_usage(found, naming)
    assert usage.number_names(min_frequency=10, min_coverage=0.5) == {"door": 1}
    assert (usage.frequency["door", "part"], usage.frequency["door", "object"]) == (6, 6)


def test_other_words_of_a_label_become_its_synonyms():
    found = statistics((A, 9, 1.0))
    naming = name_labels(found, lambda _: ["person", "individual", "someone"])
    assert assign_numbers(found, naming, {"person": 1}).synonyms == {"person": ["individual", "someone"]}


WORDS = st.lists(st.sampled_from("abcdef"), max_size=3, unique=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(WORDS, st.integers(1, 5), st.floats(0, 1)), min_size=1, max_size=12))
def test_every_label_with_a_word_is_called_by_a_word_that_one_label_owns(labels):
    keys = [SourceLabel("s", "object", number) for number in range(1, len(labels) + 1)]
    words = {key: own for key, (own, _, _) in zip(keys, labels, strict=True)}
    found = statistics(*((key, f, f * c) for key, (_, f, c) in zip(keys, labels, strict=True)))
    naming = name_labels(found, words.__getitem__)
    for key in keys:
        assert bool(naming.name[key]) == bool(words[key])
        if words[key]:
            owner = naming.owner[naming.name[key]]
            assert naming.name[owner] == naming.name[key]


def test_an_image_counts_once_per_label_and_coverage_is_a_share_of_one_plane():
    counts = {}
    planes = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 3]]])
    count_labels({"part": planes, "scene": (4,), "texture": (2, 2, 0)}, counts)
    assert counts == {
        "part": {"1": (1, 0.75), "3": (1, 0.25)},
        "scene": {"4": (1, 1.0)},
        "texture": {"2": (1, 1.0)},
    }
