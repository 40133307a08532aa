"""What commands say at their end: the concepts of every layer with their errors, in 80 columns."""

import re
from dataclasses import replace

import pytest
from tests import made_up_runs

from netdissect.results.closing_lines import describe_closing, describe_layer_closing
from netdissect.results.count_deviations import find_concept_deviations
from netdissect.results.detectors import format_count


@pytest.fixture(scope="module")
def run():
    result, _ = made_up_runs.make_run((60, 40), trusted=True)
    return replace(result, journal={"seconds": 83.2})


def test_a_run_names_its_most_frequent_concepts_with_their_errors(run):
    lines = describe_closing(run)
    assert lines[0] == "made-up on 1,000 images of made-up, IoU ≥ 0.04, 1:23"
    for name, layer in run.layers.items():
        found, spread = layer.detectors(), layer.count_spread()
        units, unique = format_count(found.units, spread.units_sd), format_count(found.unique, spread.unique_sd)
        at = next(place for place, line in enumerate(lines) if line.startswith(f"{name}  "))
        assert lines[at].startswith(f"{name}  {units} of {layer.layer.units} units detect {unique} concepts  ")
        (category, concept), most = min(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))
        said = next(line.strip() for line in lines[at:] if "most often" in line)
        error = find_concept_deviations(layer, 0.04)[category, concept]
        assert said.startswith(f"most often {concept} {format_count(most, error)}")
    assert max(map(len, lines)) <= 80


def test_the_surest_units_are_those_whose_interval_begins_highest(run):
    said = " ".join(line for line in describe_closing(run) if line.startswith(("surest: ", "        ")))
    rows = [(layer.name, row) for layer in run.layers.values() for row in layer.units]
    sure = [(name, row) for name, row in rows if row.score >= 0.04 and row.trust.low is not None and row.trust.q < 0.05]
    best = sorted(sure, key=lambda item: -item[1].trust.low)[:3]
    assert re.findall(r"(block\d/conv) (\d+) ", said) == [(name, str(row.unit)) for name, row in best]


def test_a_warning_is_broken_between_words(run):
    lines = describe_closing(run)
    start = next(at for at, line in enumerate(lines) if line.startswith("warning: "))
    assert lines[start + 1].startswith("  ") and "more images would narrow this" in " ".join(
        line.strip() for line in lines[start:]
    )


def test_a_long_name_has_a_line_of_its_own_and_bars_can_be_left_out():
    result, _ = made_up_runs.make_run((60,), layer_names=("encoder.layers.11.mlp.activation_fn",))
    _, title, counts, *_ = describe_closing(result, bars=False)
    assert title == "encoder.layers.11.mlp.activation_fn"
    assert re.fullmatch(r"  \d+ of 60 units detect \d+ concepts", counts)


def test_a_layer_without_detectors_names_no_concept():
    result, _ = made_up_runs.make_run((60,))
    assert describe_layer_closing(result[0], 1.0) == ["block1/conv  0 of 60 units detect 0 concepts  ░░░░░░░░"]
