"""The closing table of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.geometry.measure import TOLERANCE
from benchmarks.machine import print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record = dict[str, Any]


def describe_record(record: Record) -> str:
    """Return a network's record in one line."""
    name = f"{record['family']}:{record['name']}"
    if "skipped" in record:
        return f"{name}: skipped, {record['skipped']}"
    seconds = sum(record["seconds"].values())
    words = [f"{name} {seconds:.1f} s"]
    if "layers" in record:
        words.append(", ".join(f"{count} {standing}" for standing, count in record["layers"].items() if count))
    wrong = [one for one in record.get("measured", []) if one["is_wrong"]]
    measured = [
        one for one in record.get("measured", []) if one["mismatch"] is not None or one["cells_off"] is not None
    ]
    words.append(f"measured {len(measured)}/{len(record.get('measured', []))}")
    words += [f"WRONG {one['name']} ({one['standing']}): {_describe_mismatch(one)}" for one in wrong]
    words += [f"{phase} fails: {text}" for phase, text in record.get("errors", {}).items()]
    return "; ".join(words)


def _describe_mismatch(layer: Record) -> str:
    if layer["mismatch"] is None:
        return f"{layer['cells_off']:.1f} cells off"
    traced, true = layer["steps"]
    direct = layer.get("direct_mismatch")
    direct_words = "" if direct is None else f", {direct:.2f} without what is scaled up"
    return f"{layer['mismatch']:.2f} steps off, step {traced:.4g} for {true:.4g}{direct_words}"


def print_closing_table(records: Sequence[Record]) -> None:
    """Print what was tried, listed, dissected and measured, then every mismatch and every failure."""
    tried = [record for record in records if "skipped" not in record and "build" not in record.get("errors", {})]
    columns: dict[str, list[Record]] = {"all": list(tried)}
    for family in dict.fromkeys(record["family"] for record in tried):
        columns[family] = [record for record in tried if record["family"] == family]
    rows: list[tuple[str, Callable[[Record], Any]]] = [
        ("tried", lambda _: True),
        ("listed", lambda one: "layers" in one and any(one["layers"].values())),
        ("with suggestions", lambda one: bool(one.get("suggested"))),
        ("dissected", lambda one: bool(one.get("suggested")) and "dissect" in one["seconds"] and not _fails(one, "dissect")),
        ("every layer with cells traced or in its position", lambda one: "layers" in one and not one["layers"]["even"]),
        ("layers traced", lambda one: one.get("layers", {}).get("traced", 0)),
        ("layers in their position", lambda one: one.get("layers", {}).get("position", 0)),
        ("layers on an even grid", lambda one: one.get("layers", {}).get("even", 0)),
        ("layers of a single cell", lambda one: one.get("layers", {}).get("single", 0)),
        ("traced layers against the law", lambda one: len(one.get("against_law", []))),
        ("networks with such layers", lambda one: bool(one.get("against_law"))),
        ("networks measured", lambda one: bool(_get_measured(one, ("traced", "position", "even")))),
        ("layers measured", lambda one: len(_get_measured(one, ("traced", "position")))),
        ("of these wrong", lambda one: len(_get_wrong(one, ("traced", "position")))),
        ("of these right without what is scaled up", lambda one: sum(
            layer.get("direct_mismatch") is not None and layer["direct_mismatch"] <= TOLERANCE
            for layer in _get_wrong(one, ("traced", "position")))),
        ("networks with wrong layers", lambda one: bool(_get_wrong(one, ("traced", "position")))),
        ("networks with wrong suggested layers", lambda one: any(
            layer["name"] in one.get("suggested", []) for layer in _get_wrong(one, ("traced", "position")))),
        ("even layers measured", lambda one: len(_get_measured(one, ("even",)))),
        ("of these off by more", lambda one: len(_get_wrong(one, ("even",)))),
    ]  # fmt: skip
    print_table(
        ["", *columns],
        [[title, *(sum(int(count(one)) for one in group) for group in columns.values())] for title, count in rows],
    )
    for title, standings in (("Mismatches", ("traced", "position")), ("Even grids off the true centers", ("even",))):
        print(f"### {title}\n")
        for record in tried:
            for layer in _get_wrong(record, standings):
                mark = " (suggested)" if layer["name"] in record.get("suggested", []) else ""
                print(
                    f"- {record['family']}:{record['name']} {layer['name']}{mark}, {layer['standing']}: {_describe_mismatch(layer)}"
                )
        print()
    print("### Failures\n")
    for record in records:
        for phase, text in record.get("errors", {}).items():
            print(f"- {record['family']}:{record['name']}, {phase}: {text}")
    print("\n### Skipped\n")
    for record in records:
        if "skipped" in record:
            print(f"- {record['family']}:{record['name']}: {record['skipped']}")


def _fails(record: Record, phase: str) -> bool:
    return phase in record.get("errors", {})


def _get_measured(record: Record, standings: Sequence[str]) -> list[Record]:
    return [
        one for one in record.get("measured", [])
        if one["standing"] in standings and (one["mismatch"] is not None or one["cells_off"] is not None)
    ]  # fmt: skip


def _get_wrong(record: Record, standings: Sequence[str]) -> list[Record]:
    return [one for one in _get_measured(record, standings) if one["is_wrong"]]
