"""``--config FILE`` reads a command's options from a TOML file; ``--save-config FILE`` writes those that were given.

Keys are the options' long names without the dashes, and ``model`` is MODEL. What is typed takes precedence over the file.
Paths in the file are relative to its folder. A text that may be a name or a path, such as ``data = "broden1_227"``, is a path
if it has a slash or if there is such a file or folder beside the config file.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from cyclopts import App, Argument, Parameter, Token
from cyclopts.config import Dict

import netdissect
from netdissect.cli.option_groups import EXECUTION, EXECUTION_RARE, describe_default
from netdissect.cli.typed_words import is_path, takes_paths
from netdissect.errors import SettingsError, suggest_nearest
from netdissect.io.atomic import write_text
from netdissect.io.toml_files import format_flat_toml, read_flat_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdissect.io.toml_files import Value

#: Options that a saved config leaves out: they belong to one call, not to what it computes.
_NOT_SAVED = frozenset({"--config", "--save-config", "--fresh", "--quiet", "--verbose", "--log"})
#: A kind of model or a URL before a path: ``hf:``, ``s3:``; one letter is a drive of Windows.
_KIND = re.compile(r"[A-Za-z][\w+.-]+:")
#: Texts of the config files to write, from when options are parsed until the command writes them.
_to_save: dict[Path, str] = {}


@Parameter(name="*", group=EXECUTION)
@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """Options from a file.

    Args:
        config: TOML file of options; typed options take precedence.
        save_config: Write the given options into this file.
    """

    config: Annotated[Path | None, describe_default("none")] = None
    save_config: Annotated[Path | None, Parameter(group=EXECUTION_RARE), describe_default("none")] = None

    def save(self) -> None:
        """Write the file of ``--save-config``, if it was given."""
        text = None if self.save_config is None else _to_save.pop(self.save_config, None)
        if self.save_config is not None and text is not None:
            write_text(self.save_config, text)


def read_config(app: App, commands: tuple[str, ...], arguments: Sequence[Argument]) -> None:
    """Give a command's arguments the values of its config file, where they were not typed.

    Raises:
        SettingsError: if the file cannot be read, or has a key that is no option of the command.
    """
    path = _find_path(arguments, "--config")
    if path is None:
        return
    options: dict[str, Any] = {}
    for key, value in read_flat_toml(path, "config file").items():
        argument = _find_argument(arguments, key, path, " ".join(commands))
        change = _make_relative_to(path.parent, certain=is_path(argument.hint)) if takes_paths(argument) else str
        changed = _change_words(value, change)
        if argument.names[0].startswith("-"):
            options[argument.names[0].lstrip("-")] = changed
        elif isinstance(changed, list):
            raise SettingsError(f"{path}: {key} is one value, not a list of {len(changed)}")
        elif not argument.tokens and not (key == "model" and _find_tokens(arguments, "--model")):
            argument.tokens = [Token(value=str(changed), source=str(path))]
    nested: dict[str, Any] = options
    for command in reversed(commands):
        nested = {command: nested}
    Dict(nested, source=str(path))(app, commands, arguments)  # type: ignore[arg-type]  # cyclopts gives it an ArgumentCollection


def hold_config(_app: App, commands: tuple[str, ...], arguments: Sequence[Argument]) -> None:
    """Make the text of the config file that ``--save-config`` names; the command writes it once its inputs are checked.

    Raises:
        SettingsError: if the file is there, with other text, and is not the one that was read.
    """
    path, read = _find_path(arguments, "--save-config"), _find_path(arguments, "--config")
    if path is None:
        return
    values = {
        _name_key(argument): _read_tokens(argument, path.parent)
        for argument in arguments
        if argument.tokens and not argument.children and not _NOT_SAVED & set(argument.names)
    }
    text = _format_config(path, " ".join(commands), values)
    if path.exists() and path != read and (not path.is_file() or path.read_bytes() != text.encode()):
        raise SettingsError(f"--save-config {path} is there already: name another file, or delete that one")
    _to_save[path] = text


def write_config(path: Path, command: str, values: Mapping[str, Value | list[Value]]) -> None:
    """Write a config file for a command, with paths and names as they were typed in the current folder."""
    values = {
        key: _change_words(value, functools.partial(_make_relative_from, path.parent, certain=key in ("out", "photos")))
        if key in ("model", "data", "photos", "out")
        else value
        for key, value in values.items()
    }
    write_text(path, _format_config(path, command, values))


def _format_config(path: Path, command: str, values: Mapping[str, Value | list[Value]]) -> str:
    head = f"# netdissect {command} --config {path.name}   (netdissect {netdissect.__version__})\n"
    return head + format_flat_toml(values)


def _find_tokens(arguments: Sequence[Argument], option: str) -> list[Token]:
    return next((argument.tokens for argument in arguments if option in argument.names), [])


def _find_path(arguments: Sequence[Argument], option: str) -> Path | None:
    """Return the path that an option names."""
    tokens = _find_tokens(arguments, option)
    return Path(tokens[-1].value).expanduser() if tokens else None


def _find_argument(arguments: Sequence[Argument], key: str, file: Path, command: str) -> Argument:
    """Return the argument that a key of the config file means.

    Raises:
        SettingsError: if there is none.
    """
    for argument in arguments:
        if not argument.field_info.is_keyword and argument.field_info.name == key:
            return argument
    names = {
        name.removeprefix("--"): argument
        for argument in arguments
        if not argument.children and argument.parse and argument.names[0] not in ("--config", "--save-config")
        for name in argument.names
        if name.startswith("--") and name not in argument.negatives  # resume = true would mean --fresh
    }
    found = names.get(key) or names.get(key.replace("_", "-"))
    if found is None:
        shown = sorted({*(_name_key(argument) for argument in arguments if argument.show and not argument.children)})
        raise SettingsError(f"{file}: netdissect {command} has no option {key!r}: {suggest_nearest(key, shown)}")
    return found


def _change_words(value: Value | list[Value], change: Callable[[str], str]) -> Value | list[Value]:
    if isinstance(value, list):
        return [change(one) if isinstance(one, str) else one for one in value]
    return change(value) if isinstance(value, str) else value


def _make_relative_to(folder: Path, *, certain: bool) -> Callable[[str], str]:
    """Return a function that returns a word of a config file in this folder, with its path as seen from the current folder.

    Args:
        folder: the config file's folder.
        certain: whether the word is a path in any case, or may be a name too.
    """

    def place(word: str) -> str:
        if not word or word.startswith("~") or os.path.isabs(word) or "://" in word:  # noqa: PTH117 - the word stays as it is
            return word
        beside = os.path.normpath(folder / word)
        if certain or os.path.lexists(beside):
            return beside
        for sign in ("=", ","):
            head, found, rest = word.partition(sign)
            if found:
                return f"{head if sign == '=' else place(head)}{sign}{place(rest)}"
        kind = _KIND.match(word)
        if kind is not None:
            rest = os.path.normpath(folder / word[kind.end() :])
            return kind[0] + rest if os.path.lexists(rest) else word
        return beside if "/" in word or os.sep in word else word

    return place


def _name_key(argument: Argument) -> str:
    """Return the key of an argument in a config file: its long name, or ``model``."""
    names = [name for name in argument.names if name.startswith("--")]
    return names[0].lstrip("-") if names else argument.field_info.name


def _read_tokens(argument: Argument, folder: Path) -> Value | list[Value]:
    """Return what was given for an argument as a value for a config file in a folder."""
    kinds = {kind for part in (argument.hint, *get_args(argument.hint)) for kind in (part, *get_args(part))}
    if bool in kinds:
        last = argument.tokens[-1]
        return (
            last.implicit_value if isinstance(last.implicit_value, bool) else last.value.lower() in ("true", "1", "yes")
        )
    words = [token.value for token in argument.tokens]
    if takes_paths(argument):
        words = [_make_relative_from(folder, word, certain=is_path(argument.hint)) for word in words]
    values = [_read_number(word, kinds) for word in words]
    is_several = any(get_origin(kind) in (list, tuple, Sequence) for kind in (argument.hint, *get_args(argument.hint)))
    return values if is_several else values[-1]


def _read_number(word: str, kinds: set[Any]) -> Value:
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(word)
            except ValueError:
                continue
    return word


def _make_relative_from(folder: Path, word: str, *, certain: bool) -> str:
    """Return a word that may be a path as seen from a folder."""
    if os.path.isabs(word) or "://" in word:  # noqa: PTH117 - the word stays as it is
        return word
    if certain or os.path.lexists(word):
        try:
            return os.path.relpath(word, folder)
        except ValueError:  # on another drive of Windows
            return os.path.abspath(word)  # noqa: PTH100
    for sign in ("=", ","):
        head, found, rest = word.partition(sign)
        if found:
            first = head if sign == "=" else _make_relative_from(folder, head, certain=False)
            return f"{first}{sign}{_make_relative_from(folder, rest, certain=False)}"
    kind = _KIND.match(word)
    if kind is not None:
        rest = word[kind.end() :]
        return kind[0] + os.path.relpath(rest, folder) if os.path.lexists(rest) else word
    return os.path.relpath(word, folder) if "/" in word or os.sep in word else word
