import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs

from netdissect.concepts import Concept, Vocabulary
from netdissect.errors import SettingsError
from netdissect.results.ablation_findings import describe_concept_ablation
from netdissect.results.concept_words import VocabularyNotes
from netdissect.results.counts import Counts
from netdissect.results.find import find_units
from netdissect.results.trust import UnitTrust

WORDS = Vocabulary(
    ("object", "part", "scene"),
    tuple(Concept(n, name, category) for n, (name, category) in enumerate(
        [("car", "object"), ("person", "object"), ("wheel", "part"), ("street-s", "scene"), ("ant", "object"), ("sky", "object")], 1)),
)  # fmt: skip


@pytest.fixture(scope="module")
def run():
    result, _ = made_up_runs.make_run((24, 40), 30, pictures=20, trusted=True, seed=3)
    return replace(result, settings=replace(result.settings, threshold=0.01))


def set_counts(result, I, A, G):
    """Return a run of one layer with these counts."""
    (name, layer), *_ = result.layers.items()
    units = len(I)
    exemplars = replace(layer.exemplars, images=layer.exemplars.images[:units])
    changed = replace(
        layer,
        layer=replace(layer.layer, units=units),
        vocabulary=WORDS,
        counts=Counts(*(np.array(part, np.int64) for part in (I, A, G))),
        thresholds=layer.thresholds[:units],
        exemplars=exemplars,
        trust=None,
    )
    card, settings = replace(result.probe_set, vocabulary=WORDS), replace(result.settings, threshold=0.04)
    return replace(result, layers={name: changed}, probe_set=card, settings=settings)


@pytest.fixture(scope="module")
def small(run):
    """Two units: the first sees car best and person too; the second sees wheel, below 0.04."""
    I = [[500, 300, 0, 100, 0, 0], [0, 10, 30, 0, 0, 9]]
    A = [[1000, 1000, 1000, 1000, 1000, 1000], [1000, 1000, 1000, 1000, 1000, 1000]]
    return set_counts(run, I, A, [2000, 2000, 2000, 500_000, 0, 2_000])


def test_units_with_the_label_come_first_and_every_figure_is_that_of_the_layer(run):
    for name, layer in run.layers.items():
        for row in layer.units:
            if not row.label:
                continue
            concept = run.find(row.label)[0]
            (unit,) = [unit for unit in concept.units if (unit.layer, unit.unit) == (name, row.unit)]
            column = run.probe_set.vocabulary.names.index(row.label)
            panel = layer.panel.select(row.channel, column)
            assert (unit.relation, unit.score, unit.label) == ("label", row.score, row.label)
            assert (unit.precision, unit.recall) == (panel["precision"], panel["recall"])
            assert unit.trust == row.trust
            assert unit.detects == (row.score >= 0.01 and row.trust.q < 0.05)
            assert unit.images == tuple(layer.exemplars.images[row.channel, :5])
            assert unit.image_names == tuple(run.image_names[at] for at in unit.images)
            relations = [unit.relation for unit in concept.units]
            assert relations == sorted(relations, key=["label", "high", "near"].index)


def test_another_unit_follows_where_its_score_reaches_the_threshold_and_exceeds_its_cut(run):
    seen = 0
    for column, concept in enumerate(run.find(*run.probe_set.vocabulary.names, threshold=0.005)):
        expected = {
            (layer.name, channel + 1)
            for layer in run.layers.values()
            for channel in range(layer.layer.units)
            if layer.labels[channel] != column
            and layer.iou[channel, column] >= 0.005
            and layer.iou[channel, column] > layer.unit_trust[channel].cut
        }
        found = [unit for unit in concept.units if unit.relation == "high"]
        assert {(unit.layer, unit.unit) for unit in found} == expected
        assert [unit.score for unit in found] == sorted((unit.score for unit in found), reverse=True)
        assert all(unit.trust is None and not unit.detects for unit in found)
        seen += len(found)
    assert seen > 10


def test_without_a_word_every_concept_is_there_once_and_counts_are_those_of_the_detectors(run):
    found = run.find()
    assert sorted(concept.name for concept in found) == sorted(run.probe_set.vocabulary.names)
    assert sum(concept.detectors for concept in found) == sum(
        layer.summarize_trust(0.01).beyond for layer in run.layers.values()
    )
    assert sum(unit.relation == "label" for concept in found for unit in concept.units) == sum(
        bool(row.label) for layer in run.layers.values() for row in layer.units
    )
    detected = [concept.reason is None for concept in found]
    assert detected == sorted(detected, reverse=True)
    assert all((concept.detectors > 0) == (concept.reason is None) for concept in found)


def test_a_concept_that_no_unit_detects_says_why(small):
    found = {concept.name: concept for concept in small.find()}
    assert {name: concept.reason for name, concept in found.items()} == {
        "car": None, "person": "other label", "wheel": "below", "street-s": "size", "ant": "absent", "sky": "below",
    }  # fmt: skip
    assert (
        found["person"].why
        == "best IoU 0.111, of a unit that has a higher score with another concept (block1/conv unit 1: car 0.200)"
    )
    assert found["wheel"].why == "the label of 1 unit; best IoU 0.010, below 0.04 (block1/conv unit 2)"
    assert (
        found["street-s"].why == "too many labeled pixels: with 500,000, no unit's mask can reach more than IoU 0.002"
    )
    assert found["ant"].why == "no image of the run has a pixel of it"
    assert found["sky"].why == "best IoU 0.003, below 0.04 (block1/conv unit 2: wheel 0.010)"
    assert [unit.relation for unit in found["sky"].units] == ["near"]
    assert found["ant"].units == ()


def test_few_labeled_pixels_are_told_from_many(run):
    one = set_counts(run, [[9, 0, 0, 0, 0, 0]], [[10_000] * 6], [10, 20_000, 0, 0, 0, 0])
    assert one.find("car")[0].why == "too few labeled pixels: with 10, no unit's mask can reach more than IoU 0.001"


def test_a_label_at_a_score_above_the_threshold_that_is_no_better_than_chance_says_so(run):
    chance = [concept for concept in run.find() if "none beyond chance" in (concept.why or "")]
    assert chance
    for concept in chance:
        best = concept.units[0]
        assert best.trust.q >= 0.05 and best.score >= 0.01
        assert "none beyond chance (q < 0.05): best IoU" in concept.why
        assert f"{best.layer} unit {best.unit}, q " in concept.why


def test_a_run_without_trust_tables_is_searched_by_the_threshold_alone(small):
    car = small.find("car")[0]
    assert car.detectors == 1
    assert car.units[0].as_dict() == {
        "layer": "block1/conv", "unit": 1, "channel": 0, "relation": "label", "detects": True, "score": 0.2, "low": None, "high": None,
        "q": None, "keep": None, "cut": None, "precision": 0.5, "recall": 0.25, "label": "car", "label_score": 0.2, "formula": None,
        "image_rows": list(car.units[0].images), "image_names": list(car.units[0].image_names),
    }  # fmt: skip
    assert "q" not in str(small.find("car")).splitlines()[2].split()


def test_the_threshold_can_be_another(small):
    assert [small.find("person", threshold=limit)[0].reason for limit in (0.1, 0.3)] == ["other label", "below"]
    assert small.find("wheel", threshold=0.01)[0].detectors == 1
    assert small.settings.threshold == 0.04


def test_words_are_understood_and_unknown_ones_name_the_nearest(small):
    found = small.find("Cars", "street", "people")
    assert [concept.name for concept in found] == ["car", "street-s", "person"]
    assert found.remarks == ("'Cars' is understood as car", "'people' is understood as person")
    assert str(found).startswith("'Cars' is understood as car\n'people' is understood as person\ncar (object;")
    with pytest.raises(SettingsError, match=r"the probe set made-up labels no 'whel': did you mean wheel\?"):
        small.find("whel")
    with pytest.raises(SettingsError, match="it has 6 concepts, which netdissect units RUN lists"):
        small.find("xylophone")


def test_two_words_for_one_concept_give_it_once(small):
    assert [concept.name for concept in small.find("car", "cars", "car")] == ["car"]


def test_notes_add_synonyms_and_numbers_of_images(small):
    found = find_units(small, ["automobile"], notes=VocabularyNotes({"car": ("automobile",)}, {"car": 12}))
    assert found.remarks == ("'automobile' is a synonym of car",)
    assert found[0].images == 12
    assert ", 12 images): 1 unit detects it" in str(found)


def test_tables_have_one_row_for_each_concept_and_unit(run):
    found = run.find()
    rows = found.list_rows()
    assert len(rows) == sum(max(len(concept.units), 1) for concept in found)
    arrow = found.to_arrow()
    assert arrow.num_rows == len(rows)
    assert arrow.to_pylist() == rows
    read = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [(row["concept"], row["unit"]) for row in read] == [(row["concept"], str(row["unit"] or "")) for row in rows]
    first = next(row for row in rows if row["relation"] == "label")
    line = read[rows.index(first)]
    assert float(line["score"]) == first["score"] and float(line["q"]) == first["q"]
    assert line["image_rows"] == ";".join(map(str, first["image_rows"]))
    frame = found.to_pandas()
    assert list(frame.columns) == list(rows[0])
    assert frame["score"].notna().sum() == sum(row["score"] is not None for row in rows)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert [concept["concept"] for concept in json.loads(text)["concepts"]] == [concept.name for concept in found]


def test_a_slice_is_a_table_and_text_and_html_show_its_lines(run):
    found = run.find()
    assert [concept.name for concept in found[:2]] == [concept.name for concept in list(found)[:2]]
    assert str(found).splitlines() == found.describe()
    assert "more" in str(found) and len(found.describe(None)) > len(found.describe(3))
    shown = found._repr_html_()
    assert shown.count("<tr>") == 21 and f"… {len(found.list_rows()) - 20:,} rows more" in shown
    assert all(f">{name}</th>" in shown for name in ("concept", "unit", "channel", "score"))


def test_a_concept_and_a_unit_are_one_line_that_says_where_the_rest_is(run):
    concept = next(concept for concept in run.find() if concept.units)
    unit = concept.units[0]
    assert repr(concept).startswith(f"{concept.name} ({concept.category}): ") and ".units" in repr(concept)
    assert repr(unit).startswith(f"unit {unit.unit} (channel {unit.channel}) of {unit.layer}: score {unit.score:.4f}, ")
    assert "\n" not in repr(concept) + repr(unit)
    assert repr(UnitTrust(q=0.25, labels=("sky",))) == "UnitTrust(q=0.25, labels=('sky',))"
    assert repr(UnitTrust()) == "UnitTrust() without any figure: chance and resamples were not measured"


def test_a_run_scored_by_something_else_says_nothing_of_attainable_iou(run):
    from netdissect.results.scores import ScoreTable

    layers = {
        name: replace(layer, trust=None, score_table=ScoreTable("F1", layer.panel.f1)) for name, layer in run.layers.items()
    }  # fmt: skip
    found = replace(run, layers=layers).find()
    assert found.score_title == "F1"
    assert {concept.attainable for concept in found} == {None}
    assert "size" not in {concept.reason for concept in found}


@pytest.mark.parametrize(
    ("words", "options", "says"),
    [
        ((["car", "sky"],), {}, "find takes names of concepts, such as 'sky', not list"),
        ((7,), {}, "find takes names of concepts, such as 'sky', not 7"),
        (("car",), {"threshold": 1.5}, "--threshold must lie between 0 and 1, an IoU, not 1.5"),
        (("car",), {"images": -1}, "--images must be at least 0, not -1"),
    ],
)
def test_wrong_arguments_are_one_sentence(small, words, options, says):
    with pytest.raises(SettingsError) as error:
        small.find(*words, **options)
    assert str(error.value) == says


def test_formulas_that_gain_more_than_chance_stand_beside_units_and_find_units_that_name_the_concept():
    run, _ = made_up_runs.make_run((24, 40), 30, pictures=20, trusted=True, analyzed=True, seed=3)
    names, seen = run.probe_set.vocabulary.names, 0
    for column, concept in enumerate(run.find(*names)):
        expected = set()
        for layer in run.layers.values():
            for channel, found in enumerate(layer.formulas.units):
                if found is None or not found.is_beyond_chance:
                    continue
                place = found.formula.columns.index(column) if column in found.formula.columns else None
                if place is not None and (place == 0 or found.formula.operators[place - 1] != "and not"):
                    expected.add((layer.name, channel + 1))
        by_formula = {(unit.layer, unit.unit) for unit in concept.units if unit.relation == "formula"}
        others = {(unit.layer, unit.unit) for unit in concept.units if unit.relation in ("label", "high")}
        assert by_formula == expected - others
        for unit in concept.units:
            found = run[unit.layer].formulas.units[unit.unit - 1]
            shown = found is not None and found.is_beyond_chance
            assert unit.formula == (f"{found.formula.describe(names)} {found.iou:.2f}" if shown else None)
        seen += len(by_formula)
    assert seen > 10
    assert "units with another label whose formula names it:" in str(run.find(*names))


def test_a_concept_has_what_class_outputs_lose_without_its_units():
    run, _ = made_up_runs.make_run((24, 40), 30, pictures=20, trusted=True, analyzed=True, seed=3)
    seen = 0
    for concept in run.find():
        expected = {
            name: found for name, layer in run.layers.items() for found in layer.ablation.concepts if found.concept == concept.name
        }  # fmt: skip
        assert concept.ablations == expected
        for layer, found in expected.items():
            assert f"  {layer}: {describe_concept_ablation(found)}" in str(run.find(concept.name)).splitlines()
        assert [(item["layer"], item["margin"], item["units"]) for item in concept.as_dict()["ablations"]] == [
            (layer, found.margin, list(found.units)) for layer, found in expected.items()
        ]
        seen += len(expected)
    assert seen > 3
