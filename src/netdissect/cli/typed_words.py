"""How words become values: the words of every option and argument, from the command line and from a config file, pass here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from cyclopts import UNSET, Parameter, Token, convert

from netdissect.errors import SettingsError
from netdissect.io.path_words import expand_home, expand_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Argument


def convert_words(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return the value that was typed.

    An integer with a fraction (2.5) is refused, not rounded. An empty word, which an unset shell variable leaves, is
    refused too: as a path, it would mean the current folder.
    """
    if any(token.value == "" and token.implicit_value is UNSET for token in tokens):
        raise ValueError("an empty word was given; type a value, or a dot for the current folder")
    for token in tokens if int in (kind, *get_args(kind)) else ():
        number = token.value.strip()
        if "." in number and number.rstrip("0")[-1:] != ".":
            raise ValueError(f"{number} is not a whole number")
    return convert(kind, tokens)


def _convert_paths(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return words as `convert_words` does; as a parameter's converter it marks words that may be paths."""
    return convert_words(kind, tokens)


def _convert_patterns(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return words as `convert_words` does; as a parameter's converter it marks patterns that the command itself expands."""
    return convert_words(kind, tokens)


#: Options that name what is written: a pattern in them is a name, so that no other run's folder is taken for it.
_WRITTEN = frozenset({"--out", "--save-config", "--file", "--probe-set", "--workdir"})
#: A parameter whose words may be paths, although its type is text: MODEL, a probe set, NAME=PATH.
PATHS = Parameter(converter=_convert_paths)
#: A parameter that takes patterns, which the command itself expands and says when nothing matches.
PATTERNS = Parameter(converter=_convert_patterns)


def takes_paths(argument: Argument) -> bool:
    """Return whether words of an argument may be paths."""
    return argument.parameter.converter in (_convert_paths, _convert_patterns) or is_path(argument.hint)


def expand_paths(_app: object, _commands: tuple[str, ...], arguments: Sequence[Argument]) -> None:
    """Expand ``~`` and patterns in the words of every option and argument that takes paths, before they are converted.

    In options that name what is written only ``~`` is expanded.

    Raises:
        SettingsError: if a pattern matches several paths, and the option takes only one.
    """
    for argument in arguments:
        if argument.tokens and takes_paths(argument):
            keeps_patterns = argument.parameter.converter is _convert_patterns or bool(_WRITTEN & set(argument.names))
            argument.tokens = [
                token.evolve(value=path)
                for token in argument.tokens
                for path in (
                    [expand_home(token.value)]
                    if keeps_patterns
                    else _expand_token(token, several=_takes_several(argument))
                )
            ]


def _expand_token(token: Token, *, several: bool) -> list[str]:
    paths = expand_pattern(expand_home(token.value))
    if len(paths) > 1 and not several:
        shown = f"{', '.join(paths[:3])}{', …' if len(paths) > 3 else ''}"
        option = f"{token.keyword} " if token.keyword else ""
        raise SettingsError(
            f"{option}{token.value} matches {len(paths)} paths ({shown}), and one is expected: type one of them"
        )
    return paths


def _takes_several(argument: Argument) -> bool:
    return any(get_origin(kind) in (list, tuple) for kind in (argument.hint, *get_args(argument.hint)))


def is_path(kind: Any) -> bool:
    """Return whether a type is a path, several of them, or a path or nothing."""
    return kind is Path or any(is_path(part) for part in get_args(kind))
