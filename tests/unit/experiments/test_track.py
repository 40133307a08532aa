import csv
from dataclasses import replace

import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.cli.app import main
from netdissect.errors import RunNotFoundError, SettingsError
from netdissect.experiments.compare_runs import compare
from netdissect.experiments.track_figures import describe_track
from netdissect.results import files
from netdissect.results.detectors import format_count


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def make(seed, **options):
    return made_up_runs.make_run((24, 40), seed=seed, trusted=True, **options)[0]


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A folder of three checkpoints, whose names sort wrongly as text."""
    folder = tmp_path_factory.mktemp("series")
    for seed, epoch in enumerate((9, 10, 100)):
        files.save_run(make(seed), folder / f"epoch_{epoch}")
    return folder


def test_a_folder_of_runs_is_followed_in_the_order_of_its_steps(series, tmp_path):
    tracked = nd.track(series)
    assert [(point.name, point.step) for point in tracked.checkpoints] == [
        ("epoch_9", 9),
        ("epoch_10", 10),
        ("epoch_100", 100),
    ]
    backwards = nd.track([series / "epoch_100", series / "epoch_9", series / "epoch_10"])
    assert [point.name for point in backwards.checkpoints] == ["epoch_9", "epoch_10", "epoch_100"]
    found = tracked.write_figures(tmp_path / "training.svg")
    assert [path.name for path in found] == ["training.svg", "training-changes.svg", "training-units.csv"]
    assert all((tmp_path / name).read_bytes()[:4] == b"\x89PNG" for name in ("training.png", "training-changes.png"))


def test_the_curve_is_that_of_compare(series, tmp_path):
    nd.track(series).write_figures(tmp_path / "track.svg")
    compare([series]).write_figures(tmp_path / "compare.svg", figures=["curve"])
    ours, theirs = table(tmp_path / "track.csv"), table(tmp_path / "compare-curve.csv")
    assert len(ours) == 6
    assert [row | {"name": ""} for row in ours] == [row | {"name": ""} for row in theirs]
    assert all(float(row["unique-sd"]) >= 0 for row in ours)


def test_changes_are_those_of_units_whose_labels_are_kept_in_both(series, tmp_path):
    tracked = nd.track(series)
    tracked.write_figures(tmp_path / "track.svg")
    counts, units = table(tmp_path / "track-changes.csv"), table(tmp_path / "track-units.csv")
    runs = {name: nd.load(series / name) for name in ("epoch_9", "epoch_10", "epoch_100")}
    assert [(row["layer"], row["from"], row["to"], row["from-step"]) for row in counts] == [
        (layer, *pair) for layer in ("block1/conv", "block2/conv")
        for pair in (("epoch_9", "epoch_10", "9.0"), ("epoch_10", "epoch_100", "10.0"))
    ]  # fmt: skip
    for row in counts:
        before, after = (runs[row[side]][row["layer"]] for side in ("from", "to"))
        kept = [
            unit.unit for unit in before.units
            if all((layer.unit(unit.unit).trust.keep or 0) > 0.95 for layer in (before, after))
        ]  # fmt: skip
        changed = {unit for unit in kept if before.unit(unit).row.label != after.unit(unit).row.label}
        assert (int(row["compared"]), int(row["changed"])) == (len(kept), len(changed))
        listed = [line for line in units if (line["layer"], line["to"]) == (row["layer"], row["to"])]
        assert {int(line["unit"]) for line in listed} == changed != set()
        for line in listed:
            assert line["label-from"] == before.unit(int(line["unit"])).row.label
            assert line["label-to"] == after.unit(int(line["unit"])).row.label
            assert float(line["score-to"]) == pytest.approx(after.unit(int(line["unit"])).row.score, abs=1e-4)
            assert min(float(line["keep-from"]), float(line["keep-to"])) > 0.95


def test_lines_have_counts_with_their_error_and_labels_that_changed(series):
    tracked = nd.track(series, layers=["block2/conv"])
    lines = describe_track(tracked)
    assert len(lines) == 4
    layer = nd.load(series / "epoch_10")["block2/conv"]
    spread = layer.count_spread()
    assert format_count(layer.detectors().unique, spread.unique_sd) in lines[2]
    assert lines[2].endswith(tracked.find_changes()[0].describe())
    assert " of " in lines[2] and " of " not in lines[1]


def test_results_can_be_appended_one_by_one(series):
    tracked = nd.track(threshold=0.05)
    for step in (0, 1, 5):
        tracked.append(make(step), step=step)
    assert [(point.name, point.step) for point in tracked.checkpoints] == [
        ("checkpoint 1", 0),
        ("checkpoint 2", 1),
        ("checkpoint 3", 5),
    ]
    assert tracked.entries[0].table is None
    assert tracked.entries[0].detectors == make(0).detectors(0.05)["block1/conv"].units
    with pytest.raises(
        SettingsError, match="late has the step 2, after checkpoint 3 with 5: append checkpoints in order"
    ):
        tracked.append(make(7), name="late", step=2)
    with pytest.raises(SettingsError, match="two runs have the name checkpoint 1"):
        tracked.append(make(7), name="checkpoint 1", step=6)
    assert len(tracked.checkpoints) == 3


def test_names_without_a_step_keep_their_order_and_are_numbered(tmp_path):
    for seed, name in enumerate(("untrained", "best")):
        files.save_run(make(seed), tmp_path / name)
    tracked = nd.track([tmp_path / "untrained", f"final={tmp_path / 'best'}"])
    assert [(point.name, point.step) for point in tracked.checkpoints] == [("untrained", 0), ("final", 1)]
    assert tracked.axis == "run"
    given = nd.track([tmp_path / "untrained", tmp_path / "best"], steps=[500, 20])
    assert [(point.name, point.step) for point in given.checkpoints] == [("best", 20), ("untrained", 500)]


def test_a_run_without_resamples_has_a_curve_and_no_changes(series, tmp_path):
    plain, _ = made_up_runs.make_run((24, 40), seed=5)
    files.save_run(plain, tmp_path / "epoch_200")
    tracked = nd.track([series / "epoch_100", tmp_path / "epoch_200"])
    assert [path.name for path in tracked.write_figures(tmp_path / "t.svg")] == ["t.svg", "t-units.csv"]
    assert {row["compared"] for row in table(tmp_path / "t-changes.csv")} == {""}
    assert describe_track(tracked)[2].endswith("not measured")


def change(run, **parts):
    return replace(run, **parts)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (lambda: made_up_runs.make_run((24,), trusted=True)[0], "other has the layers block1/conv, and block1/conv, block2/conv are followed: track follows the same"),
        (lambda: made_up_runs.make_run((24, 40, 8), trusted=True)[0], "other has the layers block1/conv, block2/conv, block3/conv, and block1/conv, block2/conv are followed"),
        (lambda: made_up_runs.make_run((24, 30), trusted=True)[0], "layer block2/conv has 40 units in epoch_9 and 30 in other: track takes checkpoints of one network"),
        (lambda: change(make(1), probe_set=replace(make(1).probe_set, images=7)), "other is a dissection over 7 images of made-up"),
        (lambda: change(make(1), settings=replace(make(1).settings, quantile=0.01)), "quantile 0.01"),
        (lambda: change(make(1), probe_set=replace(make(1).probe_set, fingerprint="e" * 64)), "track takes runs over one probe set with the same settings"),
    ],
)  # fmt: skip
def test_runs_that_differ_are_refused_in_a_sentence(series, other, says):
    tracked = nd.track([series / "epoch_9"])
    with pytest.raises(SettingsError) as error:
        tracked.append(other(), name="other", step=10)
    assert says in str(error.value)
    assert len(tracked.checkpoints) == 1


def test_layers_that_are_named_are_followed_in_runs_with_others(series):
    tracked = nd.track([series / "epoch_9"], layers=["block1/conv"])
    tracked.append(make(1), step=10)
    tracked.append(made_up_runs.make_run((24, 8, 8), trusted=True)[0], step=11)
    assert [(entry.layer, entry.step) for entry in tracked.entries] == [
        ("block1/conv", 9),
        ("block1/conv", 10),
        ("block1/conv", 11),
    ]
    with pytest.raises(SettingsError, match="track follows the same layers"):
        nd.track([series / "epoch_9"], layers=["nothing"])


def test_other_mistakes_are_one_sentence(series, tmp_path):
    with pytest.raises(RunNotFoundError):
        nd.track(tmp_path)
    (tmp_path / "a-result.csv").write_text("unit\n")
    with pytest.raises(SettingsError, match="track takes run folders, not .*: netdissect compare takes tables too"):
        nd.track([tmp_path / "a-result.csv"])
    with pytest.raises(SettingsError, match="for each of the 3 runs, not 2"):
        nd.track(series, steps=[1, 2])
    with pytest.raises(SettingsError, match="--steps must be distinct"):
        nd.track(series, steps=[1, 2, 2])
    with pytest.raises(SettingsError, match="at least two runs, checkpoints of one network, not 0"):
        nd.track().write_figures(tmp_path / "f.svg")
    with pytest.raises(SettingsError, match="--out would replace"):
        nd.track(series).write_figures(series / "epoch_9" / "block1-conv-result.csv")


def test_the_command_prints_the_lines_and_exits_with_2_on_a_mistake(series, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["track", str(series), "--out", str(tmp_path / "f" / "t.svg")])
    assert left.value.code == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-7:] == describe_track(nd.track(series))
    assert (tmp_path / "f" / "t-units.csv").exists()
    with pytest.raises(SystemExit) as left:
        main(["track", str(series / "epoch_9"), "--out", str(tmp_path / "g.svg")])
    assert left.value.code == 2
    assert "track takes at least two runs" in capsys.readouterr().err
    assert not list(tmp_path.glob("g*"))
