"""The numbers of the figures, pinned; after an intended change, rewrite them with the last lines."""

from pathlib import Path

import pytest
from tests import made_up_runs

from netdissect.experiments.compare_runs import compare
from netdissect.report import figures
from netdissect.results import files

PINNED = Path(__file__).parent / "figures"


def draw(folder: Path) -> None:
    runs = []
    for seed in (0, 1):
        run, _ = made_up_runs.make_run((24, 40), 30, seed=seed, name=f"net{seed}")
        files.save_run(run, folder / f"epoch_{seed}")
        runs.append(folder / f"epoch_{seed}")
        layer = run.layers["block2/conv"]
        figures.draw_bar_graph(layer.detectors(0.02), folder / f"bargraph{seed}.svg")
    figures.draw_layer_graph(run.detectors(0.02), folder / "layer-graph.svg")
    for definition in ("label", "category"):
        compare(runs, definition=definition, threshold=0.02).write_figures(folder / f"{definition}.svg")


def test_the_numbers_of_figures_are_what_they_were(tmp_path):
    draw(tmp_path)
    pinned = {path.name for path in PINNED.glob("*.csv")}
    assert {path.name for path in tmp_path.glob("*.csv")} == pinned
    for name in sorted(pinned):
        assert (tmp_path / name).read_text() == (PINNED / name).read_text(), name


@pytest.mark.parametrize("definition", ["label", "category"])
def test_the_pinned_figures_add_up(definition):
    """Widths of 24 units keep all their concepts; no number depends on a seed."""
    lines = (PINNED / f"{definition}-width.csv").read_text().splitlines()[1:]
    for line in lines:
        _, units, _, _, drawn, _, spread = line.split(",")
        assert drawn == "24"
        assert (float(spread) == 0) == (units == "24")


if __name__ == "__main__":  # python -m tests.golden.test_figure_numbers
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        draw(Path(made))
        for table in Path(made).glob("*.csv"):
            shutil.copy(table, PINNED)
