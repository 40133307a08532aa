import json
import re

import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.cli.app import main
from netdissect.protocols import NullProgress
from netdissect.results import files
from netdissect.results.detectors import format_deviation, format_times


@pytest.fixture
def run(tmp_path):
    result, probe_set = made_up_runs.make_run((12, 16), 9, pictures=20)
    files.save_run(result, tmp_path / "run")
    report.write_report(result, tmp_path / "run", probe_set, NullProgress())
    return tmp_path / "run"


def call(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


def test_report_takes_a_threshold_and_writes_a_single_file_and_a_card(run, capsys):
    index = run / "html" / "index.html"
    index.unlink()
    assert call("report", run, "--threshold", "0.1", "--single-file", "--lite", "--classic", "--card") == 0
    out = capsys.readouterr().out
    assert "IoU ≥ 0.1" in out
    assert index.exists()
    assert "with IoU ≥ 0.1" in (run / "html" / "block1-conv.html").read_text()
    assert (run / "report.html").stat().st_size > 100_000
    for name in ("report.html", "report-lite.html"):
        assert f"single file: {run / name} ({(run / name).stat().st_size / 1e6:.1f} MB)" in out
    assert "at least 0.1" in (run / "model-card.md").read_text()
    assert json.loads((run / "run.json").read_text())["settings"]["threshold"] == 0.04  # the run is as it was


def test_compare_writes_figures_and_prints_their_numbers(run, tmp_path, capsys):
    other, _ = made_up_runs.make_run((12, 16), 9, pictures=20, seed=5, name="other")
    files.save_run(other, tmp_path / "other")
    assert (
        call("compare", run, tmp_path / "other", "--out", tmp_path / "f" / "two.svg", "--definition", "category") == 0
    )
    out = capsys.readouterr().out
    assert "Unique detectors by category, of all units" in out
    assert f"report: {tmp_path / 'f' / 'two' / 'index.html'}" in out
    for name in ("two.svg", "two.pdf", "two.png", "two.csv", "two-width.svg", "two/index.html"):
        assert (tmp_path / "f" / name).exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare"], "nothing to compare"),
        (["compare", "nowhere"], "does not exist"),
        (["report", "nowhere"], "does not exist"),
    ],
)
def test_errors_exit_with_2_and_one_sentence(words, says, capsys):
    assert call(*words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


def test_compare_prints_errors_and_times_chance_of_runs_with_trust_tables(tmp_path, capsys):
    expected = []
    for seed, trusted in ((3, True), (4, False)):
        made, _ = made_up_runs.make_run((30,), 9, pictures=20, seed=seed, name=f"net{seed}", trusted=trusted)
        files.save_run(made, tmp_path / f"net{seed}")
        layer = made.layers["block1/conv"]
        found, counts, summary = layer.detectors(), layer.count_spread(), layer.summarize_trust()
        errors = [f" ± {format_deviation(sd)}" for sd in (counts.unique_sd, counts.units_sd)] if counts else ["", ""]
        chance = [str(summary.beyond), format_times(summary.times)] if summary else []
        expected.append([f"net{seed}", f"{found.unique}{errors[0]}", f"{found.units}{errors[1]} of 30", *chance])
    assert call("compare", tmp_path / "net3", tmp_path / "net4", "--out", tmp_path / "two.svg") == 0
    out = capsys.readouterr().out
    lines = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    assert ["unique", "detectors", "beyond chance", "times chance"] in lines
    for line in expected:
        assert line in lines  # no number of random units: both have the same width
