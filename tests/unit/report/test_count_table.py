"""The counts of two runs with their errors."""

from dataclasses import replace
from math import hypot

import pytest
from tests import made_up_runs

from netdissect.report.compare_page import ComparedRun, write_compare_page
from netdissect.report.count_table import tabulate_counts
from netdissect.results.detectors import format_deviation, format_times

NAME = "block1/conv"


def make_side(*, trusted, seed):
    result, _ = made_up_runs.make_run((40,), trusted=trusted, seed=seed)
    return ComparedRun(f"net{seed}", result.layers[NAME].units, result.layers[NAME])


def test_every_count_has_its_error_and_a_change_has_that_of_both():
    sides = [make_side(trusted=True, seed=seed) for seed in (0, 1)]
    table = tabulate_counts(*sides, 0.04)
    assert table.heads == ("detectors", "unique, by label", "unique, by category", "beyond chance", "times chance")
    for side, cells in zip(sides, (table.before, table.after), strict=True):
        layer = side.layer
        by_label, by_category = layer.count_spread(0.04), layer.count_spread(0.04, "category")
        summary = layer.summarize_trust(0.04)
        assert cells[0] == f"{layer.detectors(0.04).units} ± {format_deviation(by_label.units_sd)} of 40"
        assert cells[1] == f"{layer.detectors(0.04).unique} ± {format_deviation(by_label.unique_sd)}"
        assert cells[2] == f"{layer.detectors(0.04, 'category').unique} ± {format_deviation(by_category.unique_sd)}"
        assert cells[3] == str(summary.beyond)
        assert cells[4].startswith(f"{format_times(summary.times)} ({format_times(summary.times_low)}–")
    units = [side.layer.detectors(0.04).units for side in sides]
    both = hypot(*(side.layer.count_spread(0.04).units_sd for side in sides))
    sign = "" if units[0] == units[1] else "+" if units[1] > units[0] else "−"
    assert table.change[0] == f"{sign}{abs(units[1] - units[0])} ± {format_deviation(both)}"
    assert table.change[3:] == ["", ""]


@pytest.mark.parametrize("bare", [0, 1])
def test_a_run_without_trust_tables_stands_beside_one_with_them(bare):
    sides = [make_side(trusted=seed != bare, seed=seed) for seed in (0, 1)]
    table = tabulate_counts(*sides, 0.04)
    rows = [table.before, table.after]
    assert rows[bare][3:] == ["", ""]
    assert "±" not in "".join(rows[bare])
    assert "±" in rows[1 - bare][0]
    assert "±" not in "".join(table.change)


def test_tables_without_a_run_have_counts_only(tmp_path):
    sides = [replace(make_side(trusted=False, seed=seed), layer=None) for seed in (0, 1)]
    table = tabulate_counts(*sides, 0.04)
    assert len(table.heads) == len(table.before) == len(table.change) == 3
    page = write_compare_page([(NAME, *sides)], tmp_path / "two.html", threshold=0.04).read_text()
    assert "±" not in page


def test_the_page_of_two_runs_shows_intervals_and_what_is_no_better_than_chance(tmp_path):
    sides = [make_side(trusted=True, seed=seed) for seed in (0, 1)]
    page = write_compare_page([(NAME, *sides)], tmp_path / "two.html", threshold=0.04).read_text()
    table = tabulate_counts(*sides, 0.04)
    for cell in (*table.heads, *table.before, *table.after, *table.change):
        assert f">{cell}</t" in page
    shown = [
        (a, b) for a in sides[0].table for b in sides[1].table if a.unit == b.unit and max(a.score, b.score) >= 0.04
    ]
    rows = [row for pair in shown for row in pair]
    unsure = [row for row in rows if row.trust.q >= 0.05 and row.score >= 0.04]
    assert unsure
    assert page.count("no better than chance</span>") == len(unsure)
    for row in rows:
        assert f"({row.trust.low:.3f}–{row.trust.high:.3f})" in page
