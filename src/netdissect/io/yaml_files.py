"""Read untrusted YAML of a bounded size into strings, lists and mappings only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from netdissect.io.reading import read_text
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.errors import NetdissectError

#: The largest YAML file in bytes; real class lists take about a hundredth of it.
MAX_YAML_BYTES = 2**19


def read_yaml(path: Path, what: str, *, missing: type[NetdissectError], wrong: type[NetdissectError]) -> Any:
    """Read a YAML file; numbers and other scalars stay strings.

    Args:
        path: the file.
        what: what it is, for messages: ``"data.yaml"``.
        missing: raised if it does not exist.
        wrong: raised if it cannot be read or is not YAML.
    """
    text = read_text(path, what, missing=missing, wrong=wrong, most=MAX_YAML_BYTES)
    try:
        return yaml.BaseLoader(text).get_single_data()  # this loader makes only strings, lists and mappings
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise wrong(
            f"{path}{line}: expected YAML: {escape_line(getattr(error, 'problem', None) or 'it does not parse')}"
        ) from error
