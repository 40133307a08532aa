"""Collect the values of the page's header and footer: network, probe set, settings, versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netdissect.results.run_result import Result

#: Skipped images that are listed by name, at most.
_MAX_NAMED = 200
#: Letters of a setting's value that fit in half the page's width.
_HALF_COLUMN = 26


def describe_page(result: Result) -> dict[str, Any]:
    """Return the values of the index template that describe a run."""
    versions = result.journal.get("versions", {})
    versions = versions if isinstance(versions, dict) else {}
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    fingerprints = (
        f"Fingerprints: network {result.network.fingerprint[:16]}, probe set {result.probe_set.fingerprint[:16]}."
    )
    return {
        "run": result,
        "units": sum(layer.layer.units for layer in result.layers.values()),
        "settings": list_page_settings(result),
        "versions": versions,
        "footer": f"Made by {software}. {fingerprints}" if software else fingerprints,
        "skipped": list_skipped_images(result),
        "trusted": any(layer.trust is not None for layer in result.layers.values()),
        "within": next(
            (layer.trust.within.category for layer in result.layers.values() if layer.trust and layer.trust.within),
            None,
        ),
    }


def list_skipped_images(result: Result) -> dict[str, Any]:
    """Return the number of images that could not be read, and the names and reasons of the first of them."""
    images = result.journal.get("skipped_images", {})
    images = images if isinstance(images, dict) else {}
    return {"number": len(images), "images": list(images.items())[:_MAX_NAMED]}


def _describe_tables(result: Result) -> str:
    """Return how many shifts and resamples the run's trust tables have; nothing without tables."""
    summary = next(filter(None, (layer.summarize_trust() for layer in result.layers.values())), None)
    numbers = () if summary is None else ((summary.shifts, "shifts"), (summary.resamples, "resamples"))
    return ", ".join(f"{number} {name}" for number, name in numbers if number)


def list_page_settings(result: Result) -> list[tuple[str, str, bool]]:
    """Return the name and value of every setting, and whether it needs the page's whole width."""
    probe, chosen, network = result.probe_set, result.settings, result.network
    geometries = sorted({layer.layer.geometry.replace("-", " ") for layer in result.layers.values()})
    kinds = len(probe.vocabulary.categories)
    notes = result.journal.get("notes", [])
    version = str(result.journal.get("versions", {}).get("netdissect", ""))
    source = re.split(r"[/\\]", network.source)[-1]
    pairs = [
        ("Network", source if source != network.name else ""),
        ("Probe set", f"{probe.name}, {probe.images:,} images"),
        ("Split", chosen.split or ""),
        ("Concepts", f"{len(probe.vocabulary):,} in {kinds} categor{'y' if kinds == 1 else 'ies'}"),
        ("Input", f"{network.input_size[1]} × {network.input_size[0]}"),
        ("Label grid", f"{probe.label_size[1]} × {probe.label_size[0]}"),
        ("Geometry", " and ".join(geometries)),
        ("Activation quantile", f"{chosen.quantile:g}, exact"),
        (f"{result.score_title} threshold", f"{chosen.threshold:g}"),
        ("Chance and spread", _describe_tables(result)),
        (
            "Made",
            ", ".join(
                filter(None, (str(result.journal.get("finished", ""))[:10], f"netdissect {version}" if version else ""))
            ),
        ),
        ("Preprocessing", network.preprocessing),
        *(("Note", str(note)) for note in notes if isinstance(notes, list)),
    ]
    rows = [(name, value, len(name) + len(value) > _HALF_COLUMN + 12) for name, value in pairs if value]
    return sorted(rows, key=lambda row: row[2])  # whole-width rows come last
