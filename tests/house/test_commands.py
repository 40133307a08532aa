"""Every command in README and docs runs over local stand-ins, or at least has these arguments and options.

The rule: on the pages of `RUN` and `TUTORIALS` every netdissect command runs, in the order of the page and in one folder; a
command that cannot is in a block below the comment ``<!-- not run: REASON -->``. On all other pages a command is parsed, with all its
options. A synopsis, which has [, …, | or words such as RUN and DATA, and a command within a sentence are parsed as far as their
options go. Other programs are in `OTHER_PROGRAMS`.
"""

from __future__ import annotations

import functools
import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest
from cyclopts import CycloptsError
from tests import stand_ins
from tests.unit.probe_sets.download.server import Server
from website import blocks, command_pages

from netdissect.cli import main
from netdissect.cli.app import app
from netdissect.errors import NetdissectError
from netdissect.networks import plugins
from netdissect.report import panels
from netdissect.results import scores

#: Pages whose commands run.
RUN = ("README.md", "docs/get-started.md")
#: Tutorials whose commands and scripts run one after the other in one folder, and over how many images at most.
TUTORIALS = {
    ("first-dissection", "is-it-real", "what-does-it-use", "your-network", "your-concepts"): 120,
    ("checkpoints",): 60,
    ("a-cluster",): 60,
}
#: What scripts of tutorials have fewer of in the test: drawings, and checkpoints that are kept.
FEWER = {"range(200)": "range(48)", "in (1, 2, 4, 8)": "in (1, 8)"}
SCRIPT = re.compile(r"^cat > (\S+) <<'EOF'\n(.*?)^EOF$", re.DOTALL | re.MULTILINE)
#: Programs that no test runs from a page; dev.py and the benchmarks have tests of their own, pip and git are not ours.
OTHER_PROGRAMS = {"python", "python3", "pip", "curl", "cd", "mkdir", "git", "unzip", "tar", "cat", "export"}
NOT_RUN = re.compile(r"^not run: \S+")
#: A word that stands for another: RUN, DATA, OTHER_RUN, LAYER=FILE.
PLACEHOLDER = re.compile(r"^[A-Z][A-Z_]+(=[A-Z]+)?$|[\[\]|…$]")
PAGES = blocks.list_pages()
INLINE = re.compile(r"`(netdissect [a-z][^`\n]*)`")


def list_commands():
    """Yield every command of every page, with its page and line, and whether it runs."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        name = page.relative_to(blocks.ROOT).as_posix()
        for block in blocks.find_blocks(page):
            for command in block.commands:
                runs = name in RUN and not NOT_RUN.match(block.note) and not is_synopsis(command)
                yield f"{name}:{block.line}", command, runs
        for match in INLINE.finditer(
            re.sub(r"^```.*?^```$", lambda code: "\n" * code[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
        ):
            yield f"{name}:{text[: match.start()].count(chr(10)) + 1}", f"{match[1]} …", False


def is_synopsis(command):
    return any(PLACEHOLDER.search(word) for word in command.split()[1:])


COMMANDS = [(where, command, runs) for where, command, runs in list_commands()]


def test_the_rule_decides_about_every_command():
    assert sum(runs for *_, runs in COMMANDS) > 8
    programs = {command.split()[0] for _, command, _ in COMMANDS} - {"netdissect"}
    assert programs <= OTHER_PROGRAMS


@pytest.mark.parametrize("where", sorted({where.partition(":")[0] for where, *_ in COMMANDS}))
def test_commands_of_a_page_have_these_arguments_and_options(where):
    wrong = []
    for place, command, _ in COMMANDS:
        if place.partition(":")[0] == where and command.startswith("netdissect "):
            problem = find_problem(command)
            wrong += [f"{place}: {command}: {problem}"] if problem else []
    assert wrong == []


NAMES = {command.name: command for command in command_pages.find_commands()}


def find_problem(command):
    """Return what is wrong with a command, or None."""
    words = blocks.split_words(command)[1:]
    if words[0].startswith("-"):
        return (
            None
            if words[0] in ("--help", "--help-all", "--version", "-V", "--install-completion")
            else "no such option"
        )
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in NAMES), None)
    if name is None:
        try:
            app[words[0]]  # a command that the help does not show
        except (KeyError, CycloptsError):
            return "no such command"
        return None
    if is_synopsis(command) or len(words) == len(name.split()) or "--config" in words:  # a config is read while parsing
        return find_unknown_option(name, words)
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except (CycloptsError, NetdissectError, ValueError) as error:
        return " ".join(str(error).split())
    return None


def find_unknown_option(name, words):
    """Return an option of a synopsis that the command does not have, or None."""
    known = list_options(name)
    options = [re.split(r"[=|]", word.strip("[]…"))[0] for word in words if word.strip("[").startswith("--")]
    unknown = [option for option in options if option not in known]
    return f"no option {unknown[0]}" if unknown else None


@functools.cache
def list_options(name):
    """Return every spelling of every option of a command, those of the released code too."""
    command = NAMES[name].app
    arguments = [] if command.default_command is None else command.assemble_argument_collection()
    return {"--help", "--help-all", "--debug"}.union(*([*one.names, *one.negatives] for one in arguments))


TOML = [block for page in PAGES for block in blocks.find_blocks(page) if block.language == "toml"]
GROUPS = {plugins.ENTRY_POINT_GROUP, scores.ENTRY_POINTS, panels.ENTRY_POINTS}


@pytest.mark.parametrize("block", TOML, ids=lambda block: f"{block.page}:{block.line}")
def test_a_toml_block_is_read_as_the_page_says(block, tmp_path):
    values = tomllib.loads(block.code)
    if "project" in values:
        assert set(values["project"]["entry-points"]) <= GROUPS
        return
    config = tmp_path / "run.toml"
    config.write_text(block.code, encoding="utf-8")
    _, bound, *_ = app.parse_args(["run", "--config", str(config)], exit_on_error=False, print_error=False)
    assert bound.arguments["model"] == values["model"]


def test_a_wrong_option_or_command_is_found():
    assert "no option --nul" in find_problem("netdissect run MODEL --nul 20")
    assert find_problem("netdissect run resnet --layers a --data b --nul 20")
    assert find_problem("netdissect dissolve x") == "no such command"
    assert find_problem("netdissect run a --layers b --data c --limit 1.5")


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUN if (blocks.ROOT / page).exists()])
def test_the_commands_of_a_page_run_when_typed(page, tmp_path, server, monkeypatch, capsys):
    pytest.importorskip("torchvision")
    stand_ins.prepare_folder(tmp_path, server, monkeypatch)
    for where, command, runs in COMMANDS:
        if runs and where.partition(":")[0] == page and command.startswith("netdissect "):
            with pytest.raises(SystemExit) as stopped:
                main(blocks.split_words(command)[1:])
            said = capsys.readouterr()
            assert stopped.value.code == 0, f"{where}: {command}: {said.err or said.out}"
    if page == "README.md":
        assert "/broden1_227.zip" in [path for path, _ in server.requests]


@pytest.mark.slow
@pytest.mark.parametrize("pages", list(TUTORIALS), ids=" ".join)
def test_the_tutorials_run_when_typed(pages, tmp_path, server, monkeypatch, capsys):
    pytest.importorskip("torchvision")
    stand_ins.prepare_folder(tmp_path, server, monkeypatch, TUTORIALS[pages])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    typed = 0
    for page in pages:
        for block in blocks.find_blocks(blocks.ROOT / f"docs/tutorials/{page}.md"):
            scripts = [(block.title, block.code)] if block.title.endswith(".py") else SCRIPT.findall(block.code)
            for name, script in scripts:
                few = functools.reduce(lambda text, pair: text.replace(*pair), FEWER.items(), script)
                Path(name).write_text(few, encoding="utf-8")
            for command in block.commands:
                if is_synopsis(command) or NOT_RUN.match(block.note):
                    continue
                program, *words = blocks.split_words(command)
                if (program, words[0]) == ("python", "-c"):
                    exec(words[1], {"__name__": "__main__"})
                elif program == "python":
                    runpy.run_path(words[0], run_name="__main__")
                elif program == "netdissect":
                    with pytest.raises(SystemExit) as stopped:
                        main(words)
                    said = capsys.readouterr()
                    assert stopped.value.code == 0, f"{page}:{block.line}: {command}: {said.err or said.out}"
                    typed += 1
    assert typed > 2 * len(pages) + 1
