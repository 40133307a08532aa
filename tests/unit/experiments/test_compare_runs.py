import csv
import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import savemat
from tests import made_up_runs

import netdissect as nd
from netdissect.errors import RunFileError, RunNotFoundError, SettingsError
from netdissect.experiments import published
from netdissect.experiments.compare_runs import compare
from netdissect.results import files
from netdissect.results.detectors import count_detectors

PUBLISHED = {
    "ResNet-152-Places365": 347, "ResNet-152-ImageNet": 242, "VGG-Places205": 209, "VGG-Places365": 203,
    "VGG-ImageNet": 119, "GoogLeNet-Places365": 191, "GoogLeNet-Places205": 174, "GoogLeNet-ImageNet": 136,
    "AlexNet-Places365": 91, "AlexNet-Places205": 79, "AlexNet-ImageNet": 61, "AlexNet-Places205-BatchNorm": 46,
    "AlexNet-random": 2,
}  # fmt: skip


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def runs(tmp_path):
    paths = []
    for seed, step in enumerate((1, 5, 20)):
        run, _ = made_up_runs.make_run((24, 40), seed=seed)
        files.save_run(run, tmp_path / f"epoch_{step}")
        paths.append(tmp_path / f"epoch_{step}")
    return paths


@pytest.mark.shared
def test_the_papers_figure_is_redrawn_with_the_published_totals(shared, tmp_path):
    comparison = compare([shared / "reference/cvpr17/semantics_cvpr_release.mat"])
    assert comparison.definition == "category"
    totals = {entry.name: entry.total for entry in comparison.entries}
    assert len(totals) == 27
    assert PUBLISHED.items() <= totals.items()
    (figure,) = comparison.write_figures(tmp_path / "paper.svg")
    assert figure.read_text().startswith("<?xml")
    assert figure.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    rows = table(figure.with_suffix(".csv"))
    assert rows[0]["name"] == "ResNet-152-Places365"
    assert (rows[0]["units"], rows[0]["detectors"], rows[0]["unique"], rows[0]["unique-scene"]) == (
        "2048",
        "1452",
        "347",
        "188",
    )
    assert [int(row["unique"]) for row in rows] == sorted((int(row["unique"]) for row in rows), reverse=True)
    for row in rows:
        assert int(row["unique"]) == sum(int(value) for key, value in row.items() if key.startswith("unique-"))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "by_label", "by_category"), [("places365", 72, 91), ("places205", 60, 79), ("imagenet", 50, 61)]
)
def test_the_released_tables_give_the_published_numbers_in_both_definitions(shared, name, by_label, by_category):
    path = shared / f"reference/cvpr17/caffe_reference_{name}.csv"
    assert compare([path], definition="label").entries[0].total == by_label
    assert compare([path], definition="category").entries[0].total == by_category


@pytest.mark.shared
def test_runs_tables_and_the_mat_are_drawn_in_one_figure(shared, runs, tmp_path):
    reference = shared / "reference/cvpr17"
    comparison = compare(
        [reference / "semantics_cvpr_release.mat", f"mine={reference / 'caffe_reference_places365.csv'}", runs[0]]
    )
    assert [entry.total for entry in comparison.entries if entry.name == "mine"] == [91]
    figures = {path.name for path in comparison.write_figures(tmp_path / "all.svg")}
    assert figures == {"all.svg", "all-width.svg", "all-concepts.svg", "all-iou.svg"}
    assert len(table(tmp_path / "all.csv")) == 30
    assert any("left out" in remark for remark in comparison.remarks)


def test_a_comparison_counts_like_the_run_itself(runs, tmp_path):
    for definition in ("label", "category"):
        comparison = compare(runs[:1], definition=definition, threshold=0.1)
        for entry in comparison.entries:
            found = count_detectors(entry.table, threshold=0.1, definition=definition)
            assert (entry.total, entry.detectors, entry.units) == (found.unique, found.units, found.total)
        rows = list(csv.DictReader(comparison.to_csv().splitlines()))
        assert [
            (row["layer"], int(row["unique_detectors"]), int(row["detectors"]), int(row["units"])) for row in rows
        ] == [(entry.layer, entry.total, entry.detectors, entry.units) for entry in comparison.entries]
        assert {row["definition"] for row in rows} == {definition}


def test_runs_over_different_probe_sets_get_a_remark(runs, tmp_path):
    assert not any("differ" in remark for remark in compare(runs).remarks)
    run, _ = made_up_runs.make_run((24, 40))
    files.save_run(dataclasses.replace(run, probe_set=dataclasses.replace(run.probe_set, images=300)), tmp_path / "few")
    remarks = compare([runs[0], tmp_path / "few"]).remarks
    assert any(
        "These runs differ: 1,000 images of made-up ffffffff, quantile 0.005; 300 images" in remark
        for remark in remarks
    )


def test_a_single_source_needs_no_list(runs):
    assert [entry.name for entry in compare(runs[0]).entries] == [entry.name for entry in compare(runs[:1]).entries]
    assert compare(str(runs[0])).sources == (("", runs[0]),)


def test_results_are_compared_where_their_folders_are(runs, tmp_path):
    results = [nd.load(path) for path in runs[:2]]
    of_results, of_folders = compare(results), compare(runs[:2])
    assert of_results.to_csv() == of_folders.to_csv() and of_results.sources == of_folders.sources
    assert compare([results[0], f"b={runs[1]}"]).sources == (("", runs[0]), ("b", runs[1]))
    assert compare(results[0]).sources == (("", runs[0]),)
    made, _ = made_up_runs.make_run((24,), seed=3)
    for nowhere in (made, replace(results[0], analyses=replace(results[0].analyses, folder=tmp_path / "gone"))):
        with pytest.raises(
            SettingsError, match="lies in no folder, and compare reads folders: dissect with out=FOLDER, or save"
        ):
            compare([nowhere])
    with pytest.raises(SettingsError, match="and results, not 5"):
        compare([5])


def test_a_training_curve_takes_its_steps_from_the_names(runs, tmp_path):
    comparison = compare(runs, layers=["block1/conv"])
    assert [entry.step for entry in comparison.entries] == [1, 5, 20]
    assert tmp_path / "f-curve.svg" in comparison.write_figures(tmp_path / "f.svg")
    rows = table(tmp_path / "f-curve.csv")
    assert [float(row["step"]) for row in rows] == [1, 5, 20]
    given = compare(runs, steps=[0, 1000, 100000])
    assert given.write_figures(tmp_path / "g.svg", figures=["curve"]) == [tmp_path / "g-curve.svg"]


def test_networks_of_different_widths_are_compared_at_the_smallest(runs, tmp_path):
    comparison = compare(runs[:1])
    width, matched = comparison.match_widths()
    assert width == 24
    narrow, wide = comparison.entries
    assert matched[narrow.name] == pytest.approx((narrow.total, 0), abs=1e-6)
    mean, spread = matched[wide.name]
    assert mean < wide.total
    assert spread > 0
    comparison.write_figures(tmp_path / "w.svg", figures=["width"])
    rows = table(tmp_path / "w-width.csv")
    assert float(rows[1]["unique-mean"]) == pytest.approx(mean, abs=1e-4)
    assert {row["drawn"] for row in rows} == {"24"}


def test_the_numbers_of_the_other_figures_add_up(runs, tmp_path):
    comparison = compare(runs[:1])
    comparison.write_figures(tmp_path / "n.svg")
    concepts, scores = table(tmp_path / "n-concepts.csv"), table(tmp_path / "n-iou.csv")
    for entry in comparison.entries:
        assert sum(row["name"] == entry.name for row in concepts) == entry.total
        mine = [float(row["score"]) for row in scores if row["name"] == entry.name]
        assert len(mine) == entry.units
        assert sum(score >= 0.04 for score in mine) == entry.detectors


@pytest.mark.parametrize(
    ("sources", "options", "says"),
    [
        ([], {}, "nothing to compare"),
        (["nowhere"], {}, "does not exist"),
        (["nowhere.csv"], {}, "no result table"),
        (["nowhere.mat"], {}, "no table"),
        (["stat.mat"], {"definition": "label"}, "--definition category"),
        (["stat.mat"], {"threshold": 0.1}, "without --threshold"),
        ([], {"definition": "labels"}, "definition"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(tmp_path, sources, options, says):
    with pytest.raises((SettingsError, RunNotFoundError), match=says):
        compare([tmp_path / source for source in sources], **options)


@pytest.mark.parametrize(
    ("detectors", "share"), [(np.nan, 0.5), (1e300, 0.5), (np.inf, 0.5), (7.0, 5e-324)],
    ids=["no number", "beyond all counts", "infinite", "of next to nothing"],
)  # fmt: skip
def test_a_mat_with_damaged_numbers_is_refused(tmp_path, detectors, share):
    def write(found, ratio):
        stat = {
            "concepts": np.array(["all", "object"], dtype=object), "networks_name": np.array(["a", "b"], dtype=object),
            "layers_name": np.array(["x", "y"], dtype=object), "num_detectors": np.array([[4.0, 4.0], [found, 2.0]]),
            "num_uniquedetectors": np.array([[3.0, 3.0], [1.0, 1.0]]), "ratio_detectors": np.array([[0.5, 0.5], [ratio, 0.5]]),
        }  # fmt: skip
        savemat(tmp_path / "t.mat", {"stat": stat})
        return published.read_published_table(tmp_path / "t.mat")

    assert [entry.units for entry in write(2.0, 0.5)] == [8, 4]
    with pytest.raises(RunFileError, match="semantics_cvpr_release"):
        write(detectors, share)


def test_a_mat_of_something_else_is_refused(tmp_path):
    savemat(tmp_path / "other.mat", {"x": np.eye(2)})
    (tmp_path / "no.mat").write_bytes(b"not a matrix at all")
    for name in ("other.mat", "no.mat"):
        with pytest.raises(RunFileError, match="semantics_cvpr_release"):
            compare([tmp_path / name])


def test_a_folder_of_runs_is_compared_run_by_run_named_after_their_folders(runs, tmp_path):
    (tmp_path / "notes").mkdir()
    comparison = compare([tmp_path], layers=["block1/conv"])
    assert [entry.name for entry in comparison.entries] == ["epoch_1", "epoch_5", "epoch_20"]
    assert [entry.step for entry in comparison.entries] == [1, 5, 20]
    named = compare([f"mine={tmp_path}"], layers=["block1/conv"])
    assert [entry.name for entry in named.entries] == ["mine epoch_1", "mine epoch_5", "mine epoch_20"]


def test_in_a_folder_of_runs_a_damaged_one_is_reported_and_an_unfinished_one_left_out(runs, tmp_path):
    (runs[1] / "block1-conv.npz").write_bytes(b"broken")
    with pytest.raises(RunFileError, match=r"epoch_5/block1-conv\.npz is damaged"):
        compare([tmp_path])
    (runs[1] / "run.json").unlink()
    (runs[1] / "files.txt").write_text(
        "# Files that netdissect wrote here, one a line; --fresh removes these and no others.\n# Run: 12\n"
    )
    comparison = compare([tmp_path])
    assert any("epoch_5 holds a run that is not finished and is left out" in remark for remark in comparison.remarks)


def test_a_folder_that_holds_neither_a_run_nor_runs_is_reported(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(RunNotFoundError, match="holds no finished run .*or one that holds such folders"):
        compare([tmp_path])


@pytest.mark.parametrize("out", ["block1-conv-result.csv", "block1-conv-result.svg", "block1-conv-result"])
def test_a_compared_file_is_not_overwritten(runs, out):
    source = runs[0] / "block1-conv-result.csv"
    before = source.read_bytes()
    with pytest.raises(SettingsError, match=r"--out would replace .*block1-conv-result\.csv, which is compared"):
        compare([source]).write_figures(runs[0] / out)
    assert source.read_bytes() == before


@pytest.mark.parametrize("out", ["", ".", "..", "con.svg", "a:b.svg", ".svg"])
def test_a_figure_needs_a_valid_file_name(runs, tmp_path, out):
    with pytest.raises(SettingsError, match="--out names the main figure, such as comparison.svg"):
        compare(runs[:1]).write_figures(tmp_path / out)


def test_a_dot_in_a_name_starts_no_ending(runs, tmp_path):
    (figure,) = compare(runs[:1]).write_figures(tmp_path / "epoch.v2", figures=["networks"])
    assert figure.name == "epoch.v2.svg"


@pytest.mark.parametrize(
    ("name", "value"), [("num_detectors", np.nan), ("num_uniquedetectors", -3), ("ratio_detectors", 1.5)]
)
def test_a_mat_with_invalid_counts_is_refused(tmp_path, name, value):
    table = {
        "concepts": np.array(["total", "object"], object), "networks_name": np.array(["a", "b"], object),
        "layers_name": np.array(["c", "c"], object), "num_detectors": np.array([[8.0, 8], [4, 4]]),
        "num_uniquedetectors": np.array([[2.0, 2], [1, 1]]), "ratio_detectors": np.array([[0.5, 0.5], [0.25, 0.25]]),
    }  # fmt: skip
    savemat(tmp_path / "good.mat", {"stat": table})
    assert [entry.units for entry in published.read_published_table(tmp_path / "good.mat")] == [16, 16]
    table[name][0, 0] = value
    savemat(tmp_path / "bad.mat", {"stat": table})
    with pytest.raises(RunFileError, match=r"expected the paper's semantics_cvpr_release\.mat"):
        published.read_published_table(tmp_path / "bad.mat")
