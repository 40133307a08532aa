"""Two runs side by side: what units gained or lost which concepts, for checkpoints of the same network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect import api
from netdissect.experiments.run_paths import expand_sources
from netdissect.report import compare_page
from netdissect.results import classic
from netdissect.results.compared import describe_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def write_side_by_side(
    sources: Sequence[str | Path], path: Path, *, threshold: float = 0.04, layers: Sequence[str] = ()
) -> Path | None:
    """Write the page for exactly two runs or tables that have a layer in common.

    Args:
        sources: run folders or ``*-result.csv`` tables; each may be written ``NAME=PATH``.
        path: the page.
        threshold: IoU from which a unit counts as a detector.
        layers: only these.

    Returns:
        the page; None where there is nothing to set side by side.
    """
    pairs_of, _ = expand_sources(sources)
    if len(pairs_of) != 2 or any(source.suffix == ".mat" for _, source in pairs_of):
        return None
    before, after = (_read_side(name, source) for name, source in pairs_of)
    if len(before) == len(after) == 1 and "" in (
        *before,
        *after,
    ):  # a table does not tell its layer: one beside one is meant
        after = dict(zip(before, after.values(), strict=True))
    pairs = [(name, before[name], after[name]) for name in before if name in after and (not layers or name in layers)]
    if not pairs:
        return None
    if pairs[0][1].name == pairs[0][2].name:
        pairs = [
            (name, _rename_side(first, pairs_of[0][1]), _rename_side(second, pairs_of[1][1]))
            for name, first, second in pairs
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    return compare_page.write_compare_page(pairs, path, threshold=threshold)


def _read_side(name: str, path: Path) -> Mapping[str, compare_page.ComparedRun]:
    if path.suffix == ".csv":
        return {
            "": compare_page.ComparedRun(
                name or path.name.removesuffix("-result.csv").removesuffix(".csv"), classic.read_result_csv(path)
            )
        }
    run = api.load(path)
    return {
        layer.name: compare_page.ComparedRun(
            name or run.network.name, layer.units, layer, run.network.input_size, describe_run(run), run.read_image_file
        )
        for layer in run.layers.values()
    }


def _rename_side(side: compare_page.ComparedRun, source: Path) -> compare_page.ComparedRun:
    return replace(side, name=source.name)
