"""Names with signs that act on terminals, that no file can have, that no encoding knows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import Cold, attempt, either, says
from benchmarks.hostile.make import masked

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import Place

NAMES = "names"


def silent(place: Place, printed: str) -> str | None:
    """No control character may reach the terminal."""
    del place
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

    @attempt(NAMES, f"of classes {_name}", either("name", silent))
    def _(place: Place, label: str = _label) -> object:
        import json

        return masked(place, "c.json", json.dumps({"1": label, "2": "gull"}))

    @attempt(NAMES, f"of layers {_name}", either("layer|name|conv1", silent))
    def _(place: Place, label: str = _label) -> object:
        text = place.net.with_suffix(".prototxt").read_text(encoding="utf-8")
        path = place.folder / "net/named.prototxt"
        quoted = label.replace("\\", "\\\\").replace('"', '\\"')
        path.write_text(text.replace('"conv2"', f'"{quoted}"'), encoding="utf-8")
        return ["layers", path]


@attempt(NAMES, "a folder whose name is no UTF-8", either("name|UTF-8|written", says("conv1")))
def _(place: Place) -> object:
    os.rename(place.set, os.path.join(os.fsencode(place.folder), b"caf\xe9"))  # noqa: PTH104, PTH118 - bytes
    words = ["run", place.net, "--layers", "conv1", "--data", os.fsdecode(os.fsencode(place.folder) + b"/caf\xe9")]
    return [*words, "--out", place.out]


@attempt(NAMES, "a run's folder whose name is no UTF-8", either("name|UTF-8|written", says("conv1")))
def _(place: Place) -> object:
    out = os.fsdecode(os.fsencode(place.out) + b"/caf\xe9")
    return ["run", place.net, "--layers", "conv1", "--data", place.set, "--out", out]


@attempt(NAMES, "a folder's name with line ends and escapes", either("name", silent))
def _(place: Place) -> object:
    target = place.folder / "se\nt\x1b[31m"
    place.set.rename(target)
    return place.run(data=target)


@attempt(NAMES, "a folder of that name is not there, escapes and all", either("there is no probe set", silent))
def _(place: Place) -> object:
    return place.run(data="no\x1b]0;owned\x07where")


for _language in ("C", "POSIX", "de_DE.ISO-8859-1"):

    @attempt(NAMES, f"a terminal of {_language}, and names it lacks", either("locale", says("conv1")))
    def _(place: Place, language: str = _language) -> object:
        target = place.folder / "größe ≥ ニ"
        place.set.rename(target)
        env = {
            "LC_ALL": language,
            "LANG": language,
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "ascii",
        }
        return Cold(place.run(data=target), env=env)
