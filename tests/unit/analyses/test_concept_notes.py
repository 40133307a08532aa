import pytest
from tests import nets, small_probe_set, small_runs

import netdissect as nd
from netdissect.analyses.concept_notes import collect_notes
from netdissect.probe_sets.broden.vocabulary_notes import read_vocabulary_notes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small probe set whose table of labels has synonyms, and a run over it."""
    folder = tmp_path_factory.mktemp("notes")
    small_probe_set.write_probe_set(folder / "data", images=8)
    table = folder / "data" / "label.csv"
    head, first, *lines = table.read_text().splitlines()
    number, name, *_ = first.split(",")
    table.write_text("\n".join([head, f"{number},{name},object(3),3,0.1,welkin; the blue", *lines]) + "\n")
    small_runs.dissect_small(folder / "data", folder / "run", network=nets.make_small_net())
    return folder


def test_synonyms_and_numbers_of_images_come_from_the_table_of_labels(folder):
    run = nd.load(folder / "run")
    name = run.probe_set.vocabulary.names[0]
    notes = collect_notes(run)
    assert notes.synonyms[name][:2] == ("welkin", "the blue")
    assert notes.images[name] == 3
    found = run.find("welkins")
    assert (found[0].name, found[0].images) == (name, 3)
    assert found.remarks == (f"'welkins' is understood as a synonym of {name}",)


def test_a_part_of_the_images_has_no_numbers(folder, tmp_path):
    small_runs.dissect_small(folder / "data", tmp_path / "run", limit=4)
    notes = collect_notes(nd.load(tmp_path / "run"))
    assert notes.images == {}
    assert "welkin" in notes.synonyms[nd.load(tmp_path / "run").probe_set.vocabulary.names[0]]


def test_a_label_of_several_categories_has_no_number(tmp_path):
    (tmp_path / "label.csv").write_text(
        "number,name,category,frequency,coverage,syns\n1,sky,object(7),7,1,\n2,red,color(4);part(2),6,1,\n3,wood,,6,1,lumber;\n"
    )
    notes = read_vocabulary_notes(tmp_path)
    assert notes.images == {"sky": 7}
    assert notes.synonyms == {"sky": (), "red": (), "wood": ("lumber",)}


def test_a_run_without_its_probe_set_still_knows_brodens_words(folder, tmp_path):
    run = nd.load(folder / "run")
    (folder / "data").rename(folder / "moved")
    try:
        run = nd.load(folder / "run")
        assert collect_notes(run).images == {}
        assert set(collect_notes(run).synonyms) == set(run.probe_set.vocabulary.names)
    finally:
        (folder / "moved").rename(folder / "data")
