"""Names with control characters, markup, long or non-ASCII text, and bytes that are not UTF-8."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import FreshProcess, add_attempt, check_printed, expect_either
from benchmarks.hostile.sample_files import prepare_from_masks

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import AttemptFolder

NAMES = "names"


def check_no_control_characters(folder: AttemptFolder, printed: str) -> str | None:
    """Check that no control character was printed."""
    del folder
    return (
        "a control character was printed" if any(ord(sign) < 32 and sign not in "\n\t\r" for sign in printed) else None
    )


for _name, _label in (
    ("that clear the screen", "her\x1b[2Jring"),
    ("that ring the bell", "her\x07ring"),
    ("that turn text around", "her\u202egnir"),
    ("that are formulas", '=HYPERLINK("http://x")'),
    ("that are markup", "<img src=x onerror=alert(1)>"),
    ("that are Rich's markup", "[red]her[/ring]"),
    ("that are templates", "{{ 7*7 }}{% raw %}"),
    ("of 5,000 letters", "h" * 5000),
    ("in other scripts", "ニシン"),
    ("of emoji", "🐟🐟"),
    ("with a comma and quotes", 'her,"ring'),
    ("that are percent signs", "100%d%s"),
):

    @add_attempt(NAMES, f"of classes {_name}", expect_either("name", check_no_control_characters))
    def _(folder: AttemptFolder, label: str = _label) -> object:
        import json

        return prepare_from_masks(folder, "c.json", json.dumps({"1": label, "2": "gull"}))

    @add_attempt(NAMES, f"of layers {_name}", expect_either("layer|name|conv1", check_no_control_characters))
    def _(folder: AttemptFolder, label: str = _label) -> object:
        text = folder.network.with_suffix(".prototxt").read_text(encoding="utf-8")
        path = folder.path / "net/named.prototxt"
        quoted = label.replace("\\", "\\\\").replace('"', '\\"')
        path.write_text(text.replace('"conv2"', f'"{quoted}"'), encoding="utf-8")
        return ["layers", path]


@add_attempt(
    NAMES, "of a probe set's folder that are not UTF-8", expect_either("name|UTF-8|written", check_printed("conv1"))
)
def _(folder: AttemptFolder) -> object:
    os.rename(folder.probe_set, os.path.join(os.fsencode(folder.path), b"caf\xe9"))  # noqa: PTH104, PTH118 - bytes
    words = ["run", folder.network, "--layers", "conv1", "--data", os.fsdecode(os.fsencode(folder.path) + b"/caf\xe9")]
    return [*words, "--out", folder.out]


@add_attempt(NAMES, "of a run folder that are not UTF-8", expect_either("name|UTF-8|written", check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    out = os.fsdecode(os.fsencode(folder.out) + b"/caf\xe9")
    return ["run", folder.network, "--layers", "conv1", "--data", folder.probe_set, "--out", out]


@add_attempt(NAMES, "of a folder with line breaks and escapes", expect_either("name", check_no_control_characters))
def _(folder: AttemptFolder) -> object:
    target = folder.path / "se\nt\x1b[31m"
    folder.probe_set.rename(target)
    return folder.make_run_command(data=target)


@add_attempt(
    NAMES,
    "of a missing folder with escapes",
    expect_either("there is no probe set", check_no_control_characters),
)
def _(folder: AttemptFolder) -> object:
    return folder.make_run_command(data="no\x1b]0;owned\x07where")


for _language in ("C", "POSIX", "de_DE.ISO-8859-1"):

    @add_attempt(NAMES, f"outside the locale {_language}", expect_either("locale", check_printed("conv1")))
    def _(folder: AttemptFolder, language: str = _language) -> object:
        target = folder.path / "größe ≥ ニ"
        folder.probe_set.rename(target)
        env = {
            "LC_ALL": language,
            "LANG": language,
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "ascii",
        }
        return FreshProcess(folder.make_run_command(data=target), env=env)
