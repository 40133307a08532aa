"""The JSON schema of ``run.json``, for other tools that read runs."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def load_run_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema, draft 2020-12) that every ``run.json`` of this version meets.

    >>> load_run_schema()["properties"]["schema_version"]["enum"]
    [1, 2]
    """
    text = resources.files("netdissect.results").joinpath("run.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
