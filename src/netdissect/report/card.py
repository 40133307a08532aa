"""Write a section for a model card: the results of a dissection as Markdown with a table and a figure."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.concepts import display_name, sort_categories
from netdissect.errors import FolderTakenError
from netdissect.io import atomic
from netdissect.io.reading import is_regular
from netdissect.report import figures
from netdissect.results.ablation_findings import describe_ablation
from netdissect.results.detectors import format_count, format_times
from netdissect.results.findings import describe_unconvincing, list_chance, list_counts, warn_of_small_sets
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from netdissect.results.run_result import Result

#: The section and its figure, in the run's folder.
CARD_FILE = "model-card.md"
CARD_FIGURE = "model-card.png"
_HEAD = "## What its units see (Network Dissection)"
_CONCEPTS = 8
_COLUMNS = ("units", "detectors", "unique, by label", "unique, by category")
_CHANCE_COLUMNS = ("beyond chance", "times chance")


def write_model_card(result: Result, folder: Path) -> Path:
    """Write ``model-card.md`` and its figure into a folder.

    Returns:
        the path of the Markdown file.

    Raises:
        FolderTakenError: if the folder has a file of that name that netdissect did not write.
    """
    threshold, path = result.settings.threshold, folder / CARD_FILE
    if path.exists() and not (is_regular(path) and path.read_bytes().startswith(_HEAD.encode())):
        raise FolderTakenError(f"{path} exists and was not written by netdissect: move it, or choose another folder")
    with tempfile.TemporaryDirectory(prefix="netdissect-") as temporary:  # only the PNG is kept
        figures.draw_layer_graph(result.detectors(threshold), Path(temporary) / CARD_FIGURE)
        atomic.write_bytes(folder / CARD_FIGURE, (Path(temporary) / CARD_FIGURE).read_bytes())
    atomic.write_text(path, format_model_card(result))
    return path


def format_model_card(result: Result) -> str:
    """Return the section: a table of detectors per layer in both definitions, and the most detected concepts."""
    threshold, probe = result.settings.threshold, result.probe_set
    by_label = result.detectors(threshold, "label")
    tested = any(layer.trust is not None and layer.trust.chance is not None for layer in result.layers.values())
    kinds = sort_categories(kind for found in by_label.values() for kind in found.units_by_category)
    lines = [
        _HEAD,
        "",
        (
            f"Every unit of {count_noun(len(result.layers), 'layer')} of {_escape_markdown(result.network.name)} was compared with "
            f"{len(probe.vocabulary):,} labeled concepts over {probe.images:,} images of {_escape_markdown(probe.name)}: a unit "
            f"*detects* the concept that its strongest {100 * result.settings.quantile:g} % of activations overlap best, if their "
            f"{_escape_markdown(result.score_title)} is at least {threshold:g}."
        ),
        "",
        "| " + " | ".join(["layer", *_COLUMNS, *(_CHANCE_COLUMNS if tested else ()), *kinds]) + " |",
        "|-|" + "-:|" * (len(_COLUMNS) + len(_CHANCE_COLUMNS if tested else ()) + len(kinds)),
    ]
    for name, found in by_label.items():
        layer = result[name]
        cells = [f"{found.total:,}", *list_counts(layer, threshold), *(list_chance(layer, threshold) if tested else ())]
        cells += [f"{found.units_by_category.get(kind, 0):,}" for kind in kinds]
        lines.append(f"| {_escape_markdown(name)} | " + " | ".join(cells) + " |")
    lines += ["", f"![Share of each layer's units that detect concepts of each category]({CARD_FIGURE})", ""]
    for name, found in by_label.items():
        most = sorted(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))[:_CONCEPTS]
        if most:
            words = ", ".join(f"{_escape_markdown(display_name(label))} ({units})" for (_, label), units in most)
            lines.append(f"- **{_escape_markdown(name)}** most often detects {words}.")
    lines += _list_ablations(result) + _list_controls(result) + _explain_trust(result, tested=tested)
    skipped = len(result.journal.get("skipped_images", {}))
    if skipped:
        lines += [
            "",
            count_noun(
                skipped, "image could not be read and was left out.", "images could not be read and were left out."
            ),
        ]
    journal = result.journal.get("versions", {})
    version = journal.get("netdissect", "") if isinstance(journal, dict) else ""
    lines += [
        "",
        (
            "By label (the paper's text): a unit counts once, under its best concept. By category (the paper's figure): a "
            f"unit counts in each category whose best {_escape_markdown(result.score_title)} passes {threshold:g}. Columns of categories count units by label. "
            "Labels tell what a unit's activations coincide with on this probe set, not what it causes."
        ),
        "",
        (
            f"Made with netdissect {version} after Bau, Zhou, Khosla, Oliva, Torralba: *Network Dissection*, CVPR 2017; "
            f"probe set fingerprint `{probe.fingerprint[:16]}`, network fingerprint `{result.network.fingerprint[:16]}`."
        ),
        "",
    ]
    return "\n".join(lines)


def _list_ablations(result: Result) -> list[str]:
    """Return what class outputs lose without units, as list items."""
    said = [line for layer in result.layers.values() for line in describe_ablation(layer)]
    return (
        ["", "Without units (docs/ablation.md):", "", *(f"- {_escape_markdown(line)}" for line in said)] if said else []
    )


def _list_controls(result: Result) -> list[str]:
    """Return a line for each layer of each control, for comparison with the network's own."""
    return [
        f"- **{_escape_markdown(name)}** of the control {_escape_markdown(control.name)} ({_escape_markdown(control.kind)}): "
        f"{format_count(layer.units, layer.units_sd)} of {layer.total:,} units detect "
        f"{format_count(layer.unique, layer.unique_sd)} unique concepts"
        + ("." if layer.times is None else f"; {format_times(layer.times)} times chance.")
        for control in result.controls
        for name, layer in control.layers.items()
    ]


def _explain_trust(result: Result, *, tested: bool) -> list[str]:
    """Return what the columns of chance and ± mean, units that chance explains, and warnings of a small probe set."""
    said = []
    if any(layer.trust is not None and layer.trust.spread is not None for layer in result.layers.values()):
        said.append("± is the standard deviation of a count if other images of the same kind had been taken.")
    if tested:
        said.append(
            "Beyond chance: detectors whose score is higher than with the labels of other images (q < 0.05, the share of such "
            "units that is expected to be wrong). Times chance: the units' scores divided by those that they reach by chance "
            "(geometric mean). Neither says that the network has learned the concept: compare with an untrained network."
        )
    lines = []
    for name, layer in result.layers.items():
        unconvincing = describe_unconvincing(layer, result.settings.threshold)
        lines += [f"- **{_escape_markdown(name)}**: {unconvincing}."] if unconvincing else []
    lines += [f"- {_escape_markdown(warning)}." for warning in warn_of_small_sets(result)]
    return [*lines, "", " ".join(said)] if said else lines


def _escape_markdown(words: str) -> str:
    """Return a name on one line with Markdown's special characters escaped."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#&~" else char for char in " ".join(words.split()))
