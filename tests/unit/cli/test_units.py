import csv
import io
import json

import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.cli.app import main
from netdissect.results import files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    result, _ = made_up_runs.make_run((12, 16), 30, pictures=20, trusted=True)
    folder = tmp_path_factory.mktemp("units") / "run"
    files.save_run(result, folder)
    return folder


def call(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


def test_a_concept_is_printed_as_python_says_it(run, capsys):
    label = nd.load(run)["block1/conv"].units[0].label
    assert call("units", run, label) == 0
    assert capsys.readouterr().out.splitlines() == nd.load(run).find(label).describe()


def test_without_a_concept_all_are_listed_and_long_lists_are_cut(run, capsys):
    assert call("units", run) == 0
    short = capsys.readouterr().out.splitlines()
    assert short[0].endswith("(IoU ≥ 0.04, q < 0.05)")
    assert call("units", run, "--all", "--threshold", "0.5") == 0
    whole = capsys.readouterr().out.splitlines()
    assert whole == nd.load(run).find(threshold=0.5).describe(None)
    assert "--all" not in " ".join(whole)


def test_csv_and_json_are_printed_or_written(run, tmp_path, capsys):
    expected = nd.load(run).find("tree")
    assert call("units", run, "tree", "--csv") == 0
    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == list(
        csv.DictReader(io.StringIO(expected.to_csv()))
    )
    assert call("units", run, "tree", "--json") == 0
    assert json.loads(capsys.readouterr().out) == expected.to_json()
    for words in (
        ["--out", tmp_path / "tree.csv"],
        ["--json", "--out", tmp_path / "tree"],
        ["--out", tmp_path / "tree.txt"],
    ):
        assert call("units", run, "tree", *words) == 0
    assert (tmp_path / "tree.csv").read_text() == expected.to_csv()
    assert json.loads((tmp_path / "tree").read_text()) == expected.to_json()
    assert (tmp_path / "tree.txt").read_text().splitlines() == expected.describe(None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["treez"], "the probe set made-up labels no 'treez': did you mean tree or tree 1?"),
        (["tree", "--csv", "--json"], "--csv and --json are two kinds of output: give one of them"),
        (["tree", "--out", "tree.xls"], "--out takes a file that ends in .csv, .json or .txt"),
        (["tree", "--out", "{run}/run.json"], "a file in a run's folder: choose another name"),
        (["tree", "--threshold", "2"], "--threshold must lie between 0 and 1"),
    ],
)
def test_errors_exit_with_2_and_one_sentence(run, words, says, capsys):
    before = (run / "run.json").read_bytes()
    assert call("units", run, *(word.format(run=run) for word in words)) == 2
    assert says in capsys.readouterr().err
    assert (run / "run.json").read_bytes() == before


def test_a_folder_without_a_run_is_an_error(tmp_path, capsys):
    assert call("units", tmp_path / "nowhere", "tree") == 2
    assert "nowhere" in capsys.readouterr().err
