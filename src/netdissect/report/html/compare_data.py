"""Make the two data files that a comparison has besides those of its runs.

- ``runs``: name, page and probe set of every run; each page loads it to switch between runs
- ``compare``: for every layer, label, score and trust of its units in every run, and which units correspond
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name, sort_categories
from netdissect.report.category_colors import assign_color_slots
from netdissect.report.html import trust_data
from netdissect.report.html.script_data import pack_arrays
from netdissect.results.compared import describe_run
from netdissect.results.label_changes import KEPT, record_labels
from netdissect.results.matched_units import make_profiles, match_units
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.matched_units import UnitMatch, UnitProfiles
    from netdissect.results.run_result import Result

#: Every how many steps of the slider the page of a comparison knows the error of counts.
_STRIDE = 5


@dataclass(frozen=True, eq=False)
class ComparedLayer:
    """What is kept of a layer of a run.

    Attributes:
        name: the layer's name.
        units: number of units U.
        arrays: its arrays for the page, by name.
        facts: its facts for the page.
        profiles: the scores with all concepts, to match units of later runs; None where no later run needs them.
        match: how the units correspond to those of the first run that has a layer of this name; None in that run.
    """

    name: str
    units: int
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]
    profiles: UnitProfiles | None
    match: UnitMatch | None = None


@dataclass(eq=False)
class ComparedRuns:
    """The runs of a comparison, of which only labels and scores are kept.

    Attributes:
        described: name, page, probe set and so on of every run.
        layers: the layers of every run, in its order.
        concepts: position of every concept, by category and name, over all runs.
        score_title: what the score is called.
    """

    described: list[dict[str, Any]] = field(default_factory=list)
    layers: list[list[ComparedLayer]] = field(default_factory=list)
    concepts: dict[tuple[str, str], int] = field(default_factory=dict)
    score_title: str = "IoU"

    def add(self, described: dict[str, Any], run: Result) -> None:
        """Add the next run."""
        self.score_title = run.score_title if not self.described else self.score_title
        self.described.append(described)
        for concept in run.probe_set.vocabulary.concepts:
            self.concepts.setdefault((concept.category, concept.name), len(self.concepts))
        self.layers.append(
            [_collect_layer(layer, run, self._find_first(layer.name), self.concepts) for layer in run.layers.values()]
        )

    def _find_first(self, name: str) -> UnitProfiles | None:
        """Return the profiles of the first layer of a name; None if there is none yet."""
        return next((layer.profiles for of_run in self.layers for layer in of_run if layer.name == name), None)


def describe_compared_run(name: str, run: Result, page: str, probe_set: int, step: float | None) -> dict[str, Any]:
    """Return what every page of a comparison knows of a run.

    Args:
        name: the run's name.
        run: the run.
        page: the file of its page.
        probe_set: number of its probe set among those of the comparison, from 1.
        step: its training step, if it is a checkpoint.
    """
    return {
        "name": name,
        "network": run.network.name,
        "page": page,
        "probeSet": probe_set,
        "step": step,
        "basis": describe_run(run),
    }


def pack_comparison(runs: ComparedRuns, threshold: float) -> Iterator[tuple[str, str]]:
    """Yield the key and the packed arguments of both files."""
    categories = sort_categories(category for category, _ in runs.concepts)
    facts: dict[str, Any] = {
        "threshold": threshold,
        "scoreTitle": runs.score_title,
        "kept": KEPT,
        "categories": list(categories),
        "slots": list(assign_color_slots(categories).values()),
        "concepts": [display_name(name) for _, name in runs.concepts],
        "stride": _STRIDE,
        "tracks": [],
    }
    arrays: dict[str, NDArray[Any]] = {
        "category": np.array([categories.index(category) for category, _ in runs.concepts], np.int8)
    }
    for number, places in enumerate(_find_tracks(runs.layers)):
        described, of_track = _collect_track(runs.layers, places)
        facts["tracks"].append(described)
        arrays |= {f"{number}.{name}": array for name, array in of_track.items()}
    names = [" · ".join(dict.fromkeys(filter(None, track["names"]))) for track in facts["tracks"]]
    yield "runs", pack_arrays("runs", {"runs": runs.described, "tracks": names}, {})
    yield "compare", pack_arrays("compare", facts, arrays)


def _find_tracks(layers: list[list[ComparedLayer]]) -> list[list[int]]:
    """Return which layers of the runs are compared: of each run, the position of a layer, or -1.

    Layers of one name are compared; where no name is in two runs, the last layers of all runs are.
    """
    names = dict.fromkeys(layer.name for of_run in layers for layer in of_run)
    positions = [{layer.name: place for place, layer in enumerate(of_run)} for of_run in layers]
    tracks = [[of_run.get(name, -1) for of_run in positions] for name in names]
    several = [track for track in tracks if sum(place >= 0 for place in track) > 1]
    return several or [[len(of_run) - 1 for of_run in layers]] if len(layers) > 1 else []


def _collect_track(
    layers: list[list[ComparedLayer]], places: list[int]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return facts and arrays of a layer in all runs, and of how its units correspond to those of the first."""
    members = {run: layers[run][place] for run, place in enumerate(places) if place >= 0}
    base, first = next(iter(members.items()))
    arrays: dict[str, NDArray[Any]] = {}
    matches: dict[int, UnitMatch] = {}
    for run, member in members.items():
        arrays |= {f"{run}.{name}": array for name, array in member.arrays.items()}
        if run == base:
            continue
        matches[run] = match = member.match or _match(first, member)
        arrays[f"{run}.partner"] = match.partner.astype(np.int32)
        arrays[f"{run}.likeness"] = match.likeness
        if match.same_number is not None:
            arrays[f"{run}.sameNumber"] = match.same_number
    facts = {
        "names": [members[run].name if run in members else None for run in range(len(layers))],
        "layers": places,
        "base": base,
        "facts": [members[run].facts if run in members else None for run in range(len(layers))],
        "matches": [_describe_match(matches.get(run)) for run in range(len(layers))],
        "numbered": bool(matches) and all(match.same_number is not None for match in matches.values()),
        "byNumber": bool(matches) and all(match.is_by_number for match in matches.values()),
    }
    return facts, arrays


def _match(first: ComparedLayer, later: ComparedLayer) -> UnitMatch:
    assert first.profiles is not None
    assert later.profiles is not None
    return match_units(first.profiles, later.profiles)


def _describe_match(match: UnitMatch | None) -> dict[str, float | None] | None:
    """Return the mean likeness of the best match, of units of the same number, and of all pairs."""
    if match is None:
        return None
    best = np.nanmean(match.likeness) if np.isfinite(match.likeness).any() else 0
    same = None if match.same_number is None or not match.same_number.size else float(match.same_number.mean())
    return {"best": float(best), "same": same, "usual": match.usual}


def _collect_layer(
    layer: LayerResult, run: Result, first: UnitProfiles | None, concepts: Mapping[tuple[str, str], int]
) -> ComparedLayer:
    labels = record_labels("", layer)
    joint = np.array([concepts[concept.category, concept.name] for concept in layer.vocabulary.concepts], np.int32)
    arrays: dict[str, NDArray[Any]] = {
        "label": _rename(labels.column, joint),
        "score": labels.score.astype(np.float64),
        "firsts": _list_firsts(layer),
    }
    trust = trust_data.collect_run_arrays(layer)
    if labels.is_resampled:
        arrays["sure"] = (labels.keep > KEPT).astype(np.uint8)
        for name in ("low", "high"):
            arrays[name] = np.array(
                [np.nan if (end := getattr(unit, name)) is None else end for unit in layer.unit_trust], np.float32
            )
    if "q" in trust:
        arrays["beyond"] = (trust["q"] < LEVEL).astype(np.uint8)
        arrays["chance"] = (trust["q"] >= LEVEL).astype(np.uint8)
    if "deviations" in trust:
        arrays["deviations"] = np.ascontiguousarray(trust["deviations"][0, :, ::_STRIDE], np.float32)
    summary = layer.summarize_trust(run.settings.threshold)
    facts = {
        "units": layer.layer.units,
        "times": None if summary is None else summary.times,
        "timesLow": None if summary is None else summary.times_low,
        "timesHigh": None if summary is None else summary.times_high,
    }
    profiles = make_profiles(layer)
    match = None if first is None else match_units(first, profiles)
    is_last = layer.name == list(run.layers)[-1]  # compared with the last layers of others if no names agree
    return ComparedLayer(
        layer.name, layer.layer.units, arrays, facts, profiles if first is None or is_last else None, match
    )


def _rename(columns: NDArray[np.integer], joint: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return columns of a run's concepts as positions among the concepts of all runs; -1 stays."""
    return (
        np.where(columns >= 0, joint[columns], -1).astype(np.int32)
        if joint.size
        else np.full(columns.shape, -1, np.int32)
    )


def _list_firsts(layer: LayerResult) -> NDArray[np.float64]:
    """Return the best score of every concept that is the best of its category for some unit, falling, for counts by category."""
    best = layer.best
    found = best.column >= 0
    firsts = np.zeros(len(layer.vocabulary))
    np.maximum.at(firsts, best.column[found], best.score[found])
    return np.sort(firsts[firsts > 0])[::-1]
