"""What decides the trust tables is part of a run's key, and how the run is carried out is not."""

from __future__ import annotations

import pytest
from tests.small_runs import dissect_small, interrupt_run, read_tables


def test_the_tables_that_all_workers_must_agree_on_hold_chance_and_resamples(expected):
    assert {name for name in expected if "trust" in name} == {
        f"{layer}-trust.{ending}" for layer in ("conv1", "conv2") for ending in ("csv", "parquet")
    }  # fmt: skip
    header, first = expected["conv1-trust.csv"].decode().splitlines()[:2]
    found = dict(zip(header.split(","), first.split(","), strict=False))
    assert all(found[name] for name in ("p", "p_own", "q", "low", "high", "keep"))


@pytest.mark.parametrize(
    "other", [{"null": 12}, {"resamples": 30}, {"null": 0}, {"group_by": r"a/image (\d)"}], ids=str
)
def test_a_run_that_is_resumed_with_other_shifts_resamples_or_groups_equals_one_from_the_start(data, tmp_path, other):
    interrupt_run(data, tmp_path / "resumed", 3)
    dissect_small(data, tmp_path / "resumed", fresh=True, **other)
    dissect_small(data, tmp_path / "whole", **other)
    assert read_tables(tmp_path / "resumed") == read_tables(tmp_path / "whole")


def test_shifts_and_resamples_do_not_change_the_other_tables(data, expected, tmp_path):
    dissect_small(data, tmp_path, null=0, resamples=0)
    assert read_tables(tmp_path) == {name: table for name, table in expected.items() if "trust" not in name}
