"""docs/settings.md and the settings in run.schema.json, written from the declarations: ``python3 dev.py settings``."""

from __future__ import annotations

import json
import typing
from dataclasses import fields
from pathlib import Path
from types import NoneType

from netdissect.config import ExecutionSettings, MethodSettings
from netdissect.networks.load_options import LoadOptions

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "settings.md"
SCHEMA = ROOT / "src" / "netdissect" / "results" / "run.schema.json"
HEAD = """# Settings

Written from `netdissect/config.py` and `netdissect/networks/load_options.py` by `python3 dev.py settings`.

On the command line a setting is an option (`--batch-size 64`); in Python it is a keyword of `netdissect.dissect` and
`netdissect.rotate` (`batch_size=64`), or of `netdissect.Settings`. Every result records its settings in `run.json`.
"""
PARTS = (
    (MethodSettings, "Method", "What decides the result. The defaults are the paper's."),
    (ExecutionSettings, "Execution", "How a run is carried out. None of these changes what is found."),
    (LoadOptions, "Model", "How MODEL is loaded: fields of `netdissect.LoadOptions`."),
)


def settings_page() -> str:
    """Return the page."""
    parts = [HEAD]
    for record, title, text in PARTS:
        hints = typing.get_type_hints(record)
        rows = [row(field, hints[field.name]) for field in fields(record)]
        parts.append(
            "\n".join([f"## {title}", "", text, "", "| setting | value | default | |", "|---|---|---|---|", *rows])
            + "\n"
        )
    return "\n".join(parts)


def row(field, hint) -> str:
    """Return a setting's row: name, what it may be, default, help text."""
    names = " ".join(f"`{name}`" for name in (field.name, *field.metadata["aliases"]))
    default = field.metadata["none"] or "" if field.default is None else f"`{field.default}`"
    return f"| {names} | {values(field, hint)} | {default} | {field.metadata['help']} |"


def values(field, hint) -> str:
    """Return what a setting may be: its choices, or its type and bounds."""
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not NoneType]
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{kind}`" for kind in kinds)
    if typing.get_origin(kinds[0]) is typing.Literal:
        return values(field, kinds[0])
    name = {int: "integer", float: "number", str: "text", bool: "`True`, `False`"}.get(kinds[0], "numbers, or a file")
    if field.metadata["bounds"] is None:
        return name
    least, most = field.metadata["bounds"]
    if most > 2**32:
        return f"{name}, at least {least}"
    return f"{name}, {least:,} to {most:,}" if field.metadata["inclusive"] else f"{name} between {least} and {most}"


def schema() -> dict:
    """Return run.json's schema with every setting as it is declared."""
    found = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found["properties"]["settings"]["properties"] = {
        field.name: property_of(field, typing.get_type_hints(record)[field.name])
        for record in (MethodSettings, ExecutionSettings)
        for field in fields(record)
    }
    return found


def property_of(field, hint) -> dict:
    """Return what a setting may be, in JSON Schema's words."""
    text = {"description": field.metadata["help"]}
    kinds = typing.get_args(hint) or (hint,)
    if typing.get_origin(hint) is typing.Literal:
        return {"enum": list(kinds)} | text
    names = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}
    allowed = [names[kind] for kind in kinds]
    found = {"type": allowed if len(allowed) > 1 else allowed[0]}
    if field.metadata["bounds"] is not None:
        words = ("minimum", "maximum") if field.metadata["inclusive"] else ("exclusiveMinimum", "exclusiveMaximum")
        found |= dict(zip(words, field.metadata["bounds"], strict=True))
    return found | text


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
    SCHEMA.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
