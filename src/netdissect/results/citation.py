"""What is cited of a run: its network, layers, units and probe set, with hashes that tell them from others of the same name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netdissect.concepts import display_name

if TYPE_CHECKING:
    from netdissect.results.run_result import Result

#: Hexadecimal digits of a fingerprint in a citation.
_DIGITS = 8
#: The paper whose method a run follows.
PAPER = """@inproceedings{netdissect2017,
  title = {Network Dissection: Quantifying Interpretability of Deep Visual Representations},
  author = {Bau, David and Zhou, Bolei and Khosla, Aditya and Oliva, Aude and Torralba, Antonio},
  booktitle = {Computer Vision and Pattern Recognition},
  year = {2017}
}"""
_SPECIAL = re.compile(r"([#$%&_{}])")


def format_source(result: Result) -> str:
    """Return the version and the hashes of a run, such as ``netdissect 1.0.0, net 5c1c38f2, set a91aaab4``."""
    versions = result.journal.get("versions", {})
    version = versions.get("netdissect", "") if isinstance(versions, dict) else ""
    hashes = f"net {result.network.fingerprint[:_DIGITS]}, set {result.probe_set.fingerprint[:_DIGITS]}"
    return f"netdissect {version}, {hashes}" if version else hashes


def format_citation(result: Result, layer: str | None = None, unit: int | None = None) -> str:
    """Return a run, a layer or a unit as one line of text, with its hashes.

    Args:
        result: the run.
        layer: name of the layer; None cites the run.
        unit: number of the unit, counted from 1; None cites the layer.

    Returns:
        such as ``squeezenet_v1.0 fire9/concat:433 "cow" 0.185 (netdissect 1.0.0, net 5c1c38f2, set a91aaab4)``.

    Raises:
        UnknownLayerError: if the run has no such layer.
        SettingsError: if the layer has no such unit.
    """
    what = f"over {result.probe_set.images:,} images of {result.probe_set.name}"
    if layer is not None and unit is None:
        what = result[layer].name
    elif layer is not None and unit is not None:
        row = result[layer].unit(unit).row
        label = f'"{display_name(row.label)}" {row.score:.3f}' if row.label else "no concept"
        what = f"{layer}:{unit} {label}"
    return f"{result.network.name} {what} ({format_source(result)})"


def format_bibtex(result: Result) -> str:
    """Return the BibTeX entries of a run and of the paper whose method it follows."""
    title = f"Network Dissection of {result.network.name} over {result.probe_set.images:,} images of {result.probe_set.name}"
    key = re.sub(r"[^A-Za-z0-9]+", "-", result.network.name).strip("-").lower() or "network"
    year = str(result.journal.get("finished", ""))[:4]
    fields = {
        "title": f"{{{_escape(title)}}}",
        "year": f"{{{year}}}" if year.isdigit() else "",
        "note": f"{{Layers {_escape(', '.join(result.layers))}. {_escape(format_source(result))}}}",
    }
    lines = [f"  {name} = {value}" for name, value in fields.items() if value]
    entry = f"@misc{{{key}-{result.network.fingerprint[:_DIGITS]}"
    return ",\n".join([entry, *lines]) + f"\n}}\n\n{PAPER}\n"


def _escape(words: str) -> str:
    """Return words on one line, with the characters that LaTeX reads escaped."""
    return _SPECIAL.sub(r"\\\1", re.sub(r"[\\~^]", " ", " ".join(words.split())))
