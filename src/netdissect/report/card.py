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

if TYPE_CHECKING:
    from netdissect.results.run_result import Result

#: The section and its figure, in the run's folder.
CARD_FILE = "model-card.md"
CARD_FIGURE = "model-card.png"
_HEAD = "## What its units see (Network Dissection)"
_CONCEPTS = 8


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
    by_category = result.detectors(threshold, "category")
    kinds = sort_categories(kind for found in by_label.values() for kind in found.units_by_category)
    lines = [
        _HEAD,
        "",
        (
            f"Every unit of {_pluralize(len(result.layers), 'layer')} of {_escape_markdown(result.network.name)} was compared with "
            f"{len(probe.vocabulary):,} labeled concepts over {probe.images:,} images of {_escape_markdown(probe.name)}: a unit "
            f"*detects* the concept that its strongest {100 * result.settings.quantile:g} % of activations overlap best, if their "
            f"{_escape_markdown(result.score_title)} is at least {threshold:g}."
        ),
        "",
        "| " + " | ".join(["layer", "units", "detectors", "unique, by label", "unique, by category", *kinds]) + " |",
        "|-|" + "-:|" * (4 + len(kinds)),
    ]
    for name, found in by_label.items():
        cells = [found.total, found.units, found.unique, by_category[name].unique]
        cells += [found.units_by_category.get(kind, 0) for kind in kinds]
        lines.append(f"| {_escape_markdown(name)} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
    lines += ["", f"![Share of each layer's units that detect concepts of each category]({CARD_FIGURE})", ""]
    for name, found in by_label.items():
        most = sorted(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))[:_CONCEPTS]
        if most:
            words = ", ".join(f"{_escape_markdown(display_name(label))} ({units})" for (_, label), units in most)
            lines.append(f"- **{_escape_markdown(name)}** most often detects {words}.")
    skipped = len(result.journal.get("skipped_images", {}))
    if skipped:
        lines += [
            "",
            f"{_pluralize(skipped, 'image')} could not be read and {'was' if skipped == 1 else 'were'} left out.",
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


def _pluralize(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _escape_markdown(words: str) -> str:
    """Return a name on one line with Markdown's special characters escaped."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#&~" else char for char in " ".join(words.split()))
