"""The reference of the command line, made from the program: a page for each command, with every option."""

from __future__ import annotations

import functools
import re
import typing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any

from cyclopts import UNSET

from netdissect.cli.app import app
from netdissect.cli.help_screen import describe_model
from website import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import App, Argument

FOLDER = "command-line"
#: Examples that a command's page has at most.
EXAMPLES = 8
_KINDS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH", bool: ""}
HEAD = """# Command line

Made from the program: `netdissect COMMAND --help` shows the same, and `--help-all` the rare options too. A mistake is answered by
one sentence and exit code 2 ([errors](../errors.md)); `--debug` adds the traceback. Values in capitals are yours; [MODEL](../models.md) and
[DATA](../broden.md) have pages of their own, and [settings](../settings.md) lists what Python calls the same options.

| command | |
|---|---|
"""


@dataclass(frozen=True, eq=False)
class Command:
    """A command with its full name, such as ``data build``."""

    name: str
    app: App

    @property
    def page(self) -> str:
        """The page of the site that describes it."""
        return f"{FOLDER}/{self.name.split()[0]}.md"

    @property
    def anchor(self) -> str:
        """The id of its section on the page."""
        return f"netdissect-{self.name.replace(' ', '-')}"


def find_commands(parent: App = app, before: str = "") -> Iterator[Command]:
    """Yield every command that the help shows, those of a group after the group."""
    for name, command in parent.resolved_commands().items():
        if command.show and not name.startswith("-"):
            yield Command(before + name, command)
            yield from find_commands(command, f"{before}{name} ")


@functools.cache
def find_arguments(command: Command) -> list[Argument]:
    """Return the arguments and options that a command's help shows, rare ones too; none for a group of commands."""
    if command.app.default_command is None:
        return []
    return [argument for argument in command.app.assemble_argument_collection(parse_docstring=True) if argument.show]


@functools.cache
def make_pages() -> dict[str, str]:
    """Return the Markdown of every page, by its path in the site."""
    commands = list(find_commands())
    rows = [
        f"| [`netdissect {item.name}`]({Path(item.page).name}#{item.anchor}) | {_first_sentence(item.app)} |"
        for item in commands
    ]
    pages = {f"{FOLDER}/index.md": HEAD + "\n".join(rows) + "\n\n" + _describe_common_options()}
    examples = _find_examples()
    for item in commands:
        level = 1 + item.name.count(" ")
        pages[item.page] = pages.get(item.page, "") + describe_command(item, level, examples.get(item.name, []))
    return pages


def describe_command(command: Command, level: int, examples: list[str]) -> str:
    """Return the Markdown of a command: what it does, usage, options by group, examples.

    Args:
        command: the command.
        level: level of its heading.
        examples: lines of Markdown.
    """
    parts = [f"{'#' * level} netdissect {command.name} {{ #{command.anchor} }}", _summary(command.app)]
    if command.app.default_command is not None:
        parts.append(f"```text\n{find_usage(command)}\n```")
    groups: dict[str, tuple[Any, list[str]]] = {}
    for argument in find_arguments(command):
        group = argument.parameter.group[0]
        groups.setdefault(group.name, (group, []))[1].append(describe_argument(command, argument))
    for name, (_, entries) in sorted(groups.items(), key=lambda item: item[1][0].sort_key or 0):
        parts += _describe_group(name, entries)
    if examples:
        parts += ["**Examples**", *examples]
    return "\n\n".join(parts) + "\n\n"


def describe_argument(command: Command, argument: Argument) -> str:
    """Return an option as an entry of a definition list: spellings, value, default, meaning."""
    names = [f"`{name}`" for name in argument.names]
    if argument.negatives:
        names += [f"`{name}`" for name in argument.negatives]
    kind = describe_value(argument.hint)
    value = "" if argument.index is not None or not kind else f" *{kind}*"
    default = describe_default(argument)
    text = describe_model() if "MODEL" in argument.names else " ".join((argument.parameter.help or "").split())
    shown = f" <small>default: {default}</small>" if default else ""
    anchor = f"{command.anchor}-{argument.names[0].lstrip('-').lower()}"
    return f'<span id="{anchor}"></span>{", ".join(names)}{value}{shown}\n:   {_escape(text)}'


def describe_value(hint: Any) -> str:
    """Return what stands for an option's value, or "" for a switch.

    >>> from typing import Literal
    >>> describe_value(list[int] | None), describe_value(Literal["rgb", "bgr"]), describe_value(bool)
    ('INTEGER …', 'rgb | bgr', '')
    """
    origin, arguments = typing.get_origin(hint), [kind for kind in typing.get_args(hint) if kind is not NoneType]
    if origin is typing.Annotated:
        return describe_value(arguments[0])
    if origin in (typing.Union, UnionType):
        kinds = list(dict.fromkeys(describe_value(kind) for kind in arguments))
        return " or ".join(kinds)
    if origin is typing.Literal:
        return " | ".join(str(choice) for choice in arguments)
    if origin in (list, tuple, set):
        return f"{describe_value(arguments[0])} …"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " | ".join(member.name.lower() for member in hint)
    return _KINDS.get(hint, "TEXT")


def describe_default(argument: Argument) -> str:
    """Return an option's default as the help shows it, or "" if it has none."""
    default, show = argument.field_info.default, argument.parameter.show_default
    if callable(show):
        shown = str(show(default))
        return "" if shown == "False" else _escape(shown)
    if show is False or default in (None, False, UNSET, argument.field_info.empty):
        return ""
    return "on" if default is True else f"`{default}`"


def find_usage(command: Command) -> str:
    """Return the usage line of a command: its own, or its arguments and ``[OPTIONS]``."""
    if isinstance(command.app.usage, str) and command.app.usage:
        return command.app.usage.removeprefix("Usage: ").strip()
    words = ["netdissect", command.name]
    for argument in find_arguments(command):
        if argument.index is not None:
            word = argument.names[0] + (" …" if describe_value(argument.hint).endswith("…") else "")
            words.append(word if argument.required else f"[{word}]")
    return " ".join([*words, "[OPTIONS]"])


def _describe_group(name: str, entries: list[str]) -> list[str]:
    """Return a group's title and options; groups of rare options are closed until they are clicked."""
    body = "\n\n".join(entries)
    if "rare" not in name:
        return [f"**{name}**", body]
    indented = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    return [f'??? note "{name}"\n\n{indented}']


def _describe_common_options() -> str:
    """Return what every command understands."""
    return (
        "Every command also takes `--help`, `--help-all` and `--debug`; `netdissect --version` prints the version, and "
        "`netdissect --install-completion` makes your shell complete commands and options.\n"
    )


def _find_examples() -> dict[str, list[str]]:
    """Return, by command, the lines of the documents that use it, with links to their pages."""
    names = {command.name for command in find_commands()}
    found: dict[str, dict[str, str]] = {}
    for page in blocks.list_pages():
        relative = page.relative_to(blocks.ROOT).as_posix()
        if not relative.startswith("docs/"):
            continue
        for line in (command for block in blocks.find_blocks(page) for command in block.commands):
            words = line.split()
            name = next((name for name in (" ".join(words[1:3]), "".join(words[1:2])) if name in names), None)
            if words[0] == "netdissect" and name and not set("[…") & set(line):
                found.setdefault(name, {}).setdefault(line, relative.removeprefix("docs/"))
    return {name: [_describe_examples(lines)] for name, lines in found.items()}


def _describe_examples(lines: dict[str, str]) -> str:
    """Return a code block of examples, and links to the pages that they are from."""
    shown = list(lines)[:EXAMPLES]
    pages = dict.fromkeys(lines[line] for line in shown)
    links = ", ".join(f"[{Path(page).stem.replace('-', ' ')}](../{page})" for page in pages)
    return "```sh\n" + "\n".join(shown) + f"\n```\n\nFrom {links}."


def _summary(command: App) -> str:
    """Return what a command does, as its help says."""
    return _escape(re.split(r"\n\s*(?:Args|Raises|Returns):", command.help or "")[0].strip())


def _first_sentence(command: App) -> str:
    return " ".join(_summary(command).split("\n\n")[0].split())


def _escape(text: str) -> str:
    r"""Return a text in which Markdown and HTML have no meaning; options are code, and pages of docs/ are links.

    >>> _escape("leave --out <here> or FILE_*")
    'leave `--out` &lt;here&gt; or FILE\\\\_\\\\*'
    """
    text = re.sub(r"([\\*_\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    text = re.sub(r"docs/([\w-]+)\.md", r"[\1](../\1.md)", text)
    return re.sub(r"(?<![\w`-])(--[a-z][\w-]*)", lambda word: f"`{word[1].replace(chr(92), '')}`", text)
