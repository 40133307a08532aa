"""The session of docs/api.md prints what it says, and its table of columns names every column of the unit table."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from tests import made_up_runs

from netdissect.results.units import CATEGORY_KINDS, FORMULA_KINDS, TRUST_KINDS, UNIT_KINDS

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SECTION = (
    PAGE.read_text(encoding="utf-8").partition("### Finding one's way in a result")[2].partition("## Extensions")[0]
)


@pytest.fixture(scope="module")
def result():
    return made_up_runs.make_run((128, 128), 12, pictures=12, trusted=True, layer_names=("conv4", "conv5"))[0]


def test_the_session_prints_what_it_says(result):
    (block,) = re.findall(r"```pycon\n(.*?)```", SECTION, re.DOTALL)
    session = doctest.DocTestParser().get_doctest(block, {"result": result}, "api.md", str(PAGE), 0)
    printed: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(session, out=printed.append)
    assert len(session.examples) >= 11
    assert not printed, "".join(printed)


def test_the_table_names_every_column_with_its_type():
    found = {}
    for names, kind in re.findall(r"^\| (`[^|]*`) \| ([a-z, ]+) \|", SECTION, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", names), kind.strip())
    own = {name: kind for name, (kind, _) in (UNIT_KINDS | TRUST_KINDS | FORMULA_KINDS).items()}
    assert {name: kind for name, kind in found.items() if name.islower()} | {} == own | {
        f"-{name}": "text, integer, number" for name in CATEGORY_KINDS if name not in ("label", "score")
    }
