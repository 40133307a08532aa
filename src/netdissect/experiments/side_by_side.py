"""Compare two runs: which units gained, lost or changed their concept, such as between checkpoints of one network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect import api
from netdissect.report.compare_page import ComparedRun, write_compare_page
from netdissect.results import classic
from netdissect.results.compared import describe_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.results.run_result import Result


def write_side_by_side(
    sources: Sequence[tuple[str, Path]], path: Path, *, threshold: float = 0.04, layers: Sequence[str] = (),
    runs: Sequence[Result | None] = (),
) -> Path | None:  # fmt: skip
    """Write the page of exactly two runs or result tables that have a layer in common.

    Args:
        sources: name (or ``""``) and path of run folders or ``*-result.csv`` tables.
        path: the page.
        threshold: score from which a unit counts as a detector.
        layers: only these; empty for all.
        runs: the loaded run of each source, None for a table; empty if they are still to be loaded.

    Returns:
        the page, or None if the sources cannot be compared in this way.
    """
    if len(sources) != 2 or any(source.suffix == ".mat" for _, source in sources):
        return None
    before, after = (
        _read_layers(name, source, run) for (name, source), run in zip(sources, runs or (None, None), strict=True)
    )
    if len(before) == len(after) == 1 and "" in (*before, *after):  # a CSV table has no layer name
        after = dict(zip(before, after.values(), strict=True))
    pairs = [(name, before[name], after[name]) for name in before if name in after and (not layers or name in layers)]
    if not pairs:
        return None
    if pairs[0][1].name == pairs[0][2].name:
        first, second = (source.name for _, source in sources)
        pairs = [(name, replace(old, name=first), replace(new, name=second)) for name, old, new in pairs]
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_compare_page(pairs, path, threshold=threshold)


def _read_layers(name: str, path: Path, run: Result | None) -> Mapping[str, ComparedRun]:
    """Return the layers of a run by name, or a result table under ``""``."""
    if path.suffix == ".csv":
        title = name or path.name.removesuffix("-result.csv").removesuffix(".csv")
        return {"": ComparedRun(title, classic.read_result_csv(path))}
    run = api.load(path) if run is None else run
    return {
        layer.name: ComparedRun(
            name or run.network.name, layer.units, layer, run.network.input_size, describe_run(run), run.read_image_file
        )
        for layer in run.layers.values()
    }
