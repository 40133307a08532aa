"""``netdissect init``: ask five questions and write a config file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from netdissect.cli.config_file import write_config
from netdissect.cli.console import print_error, print_line
from netdissect.errors import DataNotFoundError, NetdissectError, SettingsError, UnknownLayerError, suggest_nearest
from netdissect.io.path_words import expand_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdissect.io.toml_files import Value
    from netdissect.networks.network import Network

Answer = TypeVar("Answer")

#: What can be asked of a network: command, name of its folder after the network's, and the question.
_GOALS = (
    ("run", "", "which concept does each unit detect?"),
    ("control", "-control", "what would the same network detect without training?"),
    ("rotate", "-rotation", "do single units matter, or would any direction do?"),
)
_MOST_LAYERS = 12


def init(*, file: Annotated[Path, Parameter("--file")] = Path("run.toml")) -> None:
    """Ask five questions (network, layers, images, what you want to know, where to write) and write a config file.

    Every answer is checked at once; an empty one takes what stands in brackets.

    Args:
        file: Config file to write.
    """
    if file.exists():
        raise SettingsError(
            f"{file} is there already: netdissect run --config {file} runs it; --file names another one"
        )
    if not sys.stdin.isatty():
        raise SettingsError(
            "standard input is no terminal, and netdissect init asks questions: type netdissect run MODEL --layers … "
            f"--data … --save-config {file}, or write the file by hand (docs/settings.md)"
        )
    try:
        command, options = _ask_all()
    except (KeyboardInterrupt, EOFError) as interrupt:
        raise KeyboardInterrupt("interrupted; nothing was written") from interrupt
    write_config(file, command, options)
    print_line()
    print_line(f"{file} is written; it runs with")
    print_line(f"    netdissect {command} --config {file}", bold=True)


def _ask_all() -> tuple[str, dict[str, Value | list[Value]]]:
    """Return the command and its options, as the answers say."""
    model, network = _ask(
        "1. Which network? torchvision:NAME, timm:NAME, hf:NAME, a file, or python:module:function (docs/models.md)",
        "torchvision:resnet18", _load,
    )  # fmt: skip
    names, suggested = _show_layers(network)
    layers = _ask(
        "2. Which layers?", " ".join(suggested) or names[-1], lambda answer: _check_layers(answer, names, network)
    )
    data, is_probe_set = _ask(
        "3. Which images? A probe set (a folder, or the name of a downloaded one), or a folder of photos of your own",
        "broden1_227", _find_images,
    )  # fmt: skip
    options: dict[str, Value | list[Value]] = {"model": model, "layers": [*layers]}
    if is_probe_set:
        for number, (_, _, question) in enumerate(_GOALS, 1):
            print_line(f"   {number}  {question}")
        command, suffix, _ = _ask("4. What do you want to know?", "1", _choose_goal)
        options |= {"data": data}
    else:
        command, suffix = "dissect", f"-{Path(data).resolve().name}"
        words = _ask("4. Which concepts shall units be asked for? Words, separated by commas", "", _split_words)
        options |= {"photos": data, "words": [*words]}
    out = _ask("5. Where shall the results be written?", f"dissection/{network.name}{suffix}", _check_folder)
    return command, options | {"out": out}


def _ask(question: str, default: str, check: Callable[[str], Answer]) -> Answer:
    """Ask until an answer passes its check, and return what the check makes of it."""
    print_line()
    print_line(question, bold=True)
    while True:
        answer = expand_home(input(f"   [{default}] " if default else "   ").strip()) or default
        try:
            return check(answer)
        except (NetdissectError, OSError) as error:
            print_error(str(error))


def _load(model: str) -> tuple[str, Network]:
    from netdissect.model_loading import load_network

    return model, load_network(model)


def _show_layers(network: Network) -> tuple[list[str], list[str]]:
    """Print some layers of a network; return the names of all, and of those to start with."""
    from netdissect.model_loading import list_layers
    from netdissect.networks.suggest import suggest_layers

    found = list_layers(network)
    suggested = suggest_layers(found)
    shown = [layer for layer in found if layer.name in suggested][:_MOST_LAYERS]
    for layer in shown:
        print_line(f"   {layer.name}: {layer.units} units, {layer.kind}")
    print_line(f"   {len(found) - len(shown)} more layers; netdissect layers lists them")
    return [layer.name for layer in found], list(suggested)


def _check_layers(answer: str, names: list[str], network: Network) -> list[str]:
    from netdissect.arguments import resolve_layer_names

    chosen = answer.replace(",", " ").split()
    for name in resolve_layer_names(chosen, network):
        if name not in names:
            raise UnknownLayerError(f"{network.name} has no layer {name!r}: {suggest_nearest(name, names)}")
    return chosen


def _find_images(answer: str) -> tuple[str, bool]:
    """Return a path or name, and whether it is a probe set; if not, it is a folder of images without labels."""
    from netdissect.data_loading import open_probe_set
    from netdissect.probe_sets.importers.image_folders import find_images

    try:
        open_probe_set(answer)
    except DataNotFoundError:
        if not Path(answer).is_dir() or not find_images(Path(answer), lambda _: None):
            raise
        return answer, False
    return answer, True


def _choose_goal(answer: str) -> tuple[str, str, str]:
    if answer not in map(str, range(1, len(_GOALS) + 1)):
        raise SettingsError(f"expected a number from 1 to {len(_GOALS)}, got {answer!r}")
    return _GOALS[int(answer) - 1]


def _split_words(answer: str) -> list[str]:
    from netdissect.networks.labelers.open_vocabulary import check_concepts, parse_concepts

    return check_concepts(parse_concepts(answer))


def _check_folder(answer: str) -> str:
    from netdissect.arguments import require_run_folder

    require_run_folder(answer)
    return answer
