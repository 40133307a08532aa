"""Options that several commands share, as cyclopts parameters in groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

from cyclopts import Group, Parameter

from netdissect.cli.help_screen import HelpScreen
from netdissect.cli.typed_words import PATHS
from netdissect.config import ExecutionSettings, MethodSettings
from netdissect.networks.load_options import LoadOptions

Record = TypeVar("Record")

OPTIONS = Group("Options", sort_key=0, help_formatter=HelpScreen())
MODEL = Group("Model and data", sort_key=1, help_formatter=HelpScreen("MODEL", "--layers", "--data"))
MODEL_RARE = Group("Model: rare options", sort_key=2, help_formatter=HelpScreen(rare=True))
METHOD = Group("Method (defaults: the paper's)", sort_key=3, help_formatter=HelpScreen())
METHOD_RARE = Group("Method: rare options", sort_key=4, help_formatter=HelpScreen(rare=True))
EXECUTION = Group("Execution", sort_key=5, help_formatter=HelpScreen())
EXECUTION_RARE = Group("Execution: rare options", sort_key=6, help_formatter=HelpScreen(rare=True))

#: A switch that has no ``--no-`` form.
SWITCH = Parameter(negative="")
#: An option that takes several words: ``--layers conv4 conv5``.
SEVERAL = Parameter(consume_multiple=True, negative_iterable="")

#: MODEL of every command that takes one; `HelpScreen` lists what it may be.
IS_MODEL = Parameter.combine(PATHS, Parameter(group=MODEL, help="A network."))


def describe_default(text: str) -> Parameter:
    """Return a Parameter for an option with the default None; ``--help`` shows a text as the default."""
    return Parameter(show_default=lambda _: text)


def as_parameters(record: type[Record], group: Group, rare: Group, *, without: Sequence[str] = ()) -> type[Record]:
    """Return a dataclass whose fields are options of a command, with groups and aliases from the fields' metadata.

    cyclopts reads help texts, types and defaults from the dataclass; the dataclass checks the values.

    Args:
        record: the dataclass, whose fields are declared with `netdissect.config.declare_option`.
        group: the group that ``--help`` shows them in.
        rare: the group of rare options, which only ``--help-all`` shows.
        without: fields that are not options of the command.
    """
    hints = get_type_hints(record)
    annotations = {
        item.name: Annotated[
            hints[item.name],
            _make_parameter(item, rare if item.metadata.get("rare") else group, parse=item.name not in without),
        ]
        for item in fields(record)  # type: ignore[arg-type]  # every record is a dataclass
    }
    named = type(record.__name__, (record,), {"__annotations__": annotations, "__module__": record.__module__})
    return Parameter(name="*")(named)


def _make_parameter(item: Field[Any], group: Group, *, parse: bool) -> Parameter:
    """Return a field's cyclopts Parameter: its group, its aliases and how its default is shown."""
    none, read = item.metadata.get("none"), item.metadata.get("parse")
    more: dict[str, Any] = {}
    if none or item.default is not None:
        more["show_default"] = lambda default: none if default is None else str(default)
    if read is not None:
        more["converter"] = lambda _, tokens: read(tokens[0].value)
    if item.metadata.get("path"):
        more["converter"] = PATHS.converter
    if item.default is False:
        more["negative"] = ""
    if not parse:
        more["parse"] = False
    return Parameter(
        group=group, alias=item.metadata.get("aliases", ()), consume_multiple=True, negative_iterable="", **more
    )


if TYPE_CHECKING:
    ModelOptions = LoadOptions
    PreprocessOptions = LoadOptions
    MethodOptions = MethodSettings
    ExecutionOptions = ExecutionSettings
else:
    ModelOptions = as_parameters(LoadOptions, MODEL, MODEL_RARE, without=["seed"])
    PreprocessOptions = as_parameters(LoadOptions, MODEL, MODEL_RARE, without=["seed", "arch", "weights"])
    MethodOptions = as_parameters(MethodSettings, METHOD, METHOD_RARE)
    ExecutionOptions = as_parameters(ExecutionSettings, EXECUTION, EXECUTION_RARE)


@Parameter(name="*", group=EXECUTION)
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a command treats an existing run in the run folder, and whether it shows progress.

    Args:
        fresh: --fresh: delete the run in --out and start over. --resume, the default: continue it where it was
            interrupted; a finished run is not computed again.
        quiet: Show no progress.
    """

    fresh: Annotated[bool, Parameter(negative="--resume", show_default=False)] = False
    quiet: Annotated[bool, SWITCH] = False
