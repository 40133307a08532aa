"""Programs that worker processes cannot import are refused before anything runs."""

import subprocess
import sys
import textwrap

import pytest

from netdissect.errors import SettingsError
from netdissect.runtime import main_program
from netdissect.runtime.main_program import require_importable_parts, require_importable_program

START = "from netdissect.runtime.main_program import require_importable_program as start\n"


def run_program(tmp_path, text, *arguments, **options):
    """Run a program from its file, or with other arguments of Python; return the last line of its errors and what it printed."""
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent(text))
    command = [sys.executable, *(arguments or [str(file)])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, **options)
    return ended.stderr.strip().splitlines()[-1:], ended.stdout.split()


UNGUARDED = """
def main():
    start(2)

for _ in range(2):
    main()
"""


def test_a_call_at_the_top_of_a_script_is_refused_with_its_line(tmp_path):
    (error,), _ = run_program(tmp_path, START + UNGUARDED)
    assert "SettingsError: workers=2: every worker imports " in error
    assert "mine.py and would run it again from line 7: put its code below an `if __name__ ==" in error
    assert run_program(tmp_path, START + UNGUARDED.replace("start(2)", "start(1)")) == ([], [])


def test_a_call_below_any_condition_or_of_a_module_that_is_no_file_goes_on(tmp_path):
    guarded = UNGUARDED.replace("for _ in range(2)", "if __name__ == '__main__'")
    assert run_program(tmp_path, START + guarded) == ([], [])
    assert run_program(tmp_path, START, "-c", START + "start(2)") == ([], [])


def test_a_program_from_standard_input_is_refused(tmp_path):
    (error,), _ = run_program(tmp_path, "", "-", input=START + "start(2)")
    assert "read from standard input: save it as a file, or use one worker" in error


@pytest.mark.parametrize(
    ("text", "line", "unguarded"),
    [
        ("f()", 1, True),
        ("with a:\n    f()", 2, True),
        ("if __name__ == '__main__':\n    f()", 2, False),
        ("try:\n    if b:\n        f()\nfinally: pass", 3, False),
        ("__name__ == '__main__' and f()", 1, False),
        ("if __name__ != '__main__':\n    raise SystemExit\nf()", 3, False),
        ("if __name__ != '__main__':\n    sys.exit()\nf()", 3, False),
        ("if __name__ == '__main__':\n    g()\nf()", 3, True),
        ("def log():\n    get(__name__)\n    sys.exit()\nf()", 4, True),
        ("f(", 1, False),
    ],
)
def test_only_a_line_that_surely_runs_again_is_unguarded(tmp_path, text, line, unguarded):
    (tmp_path / "p.py").write_text(text)
    assert main_program._is_unguarded(str(tmp_path / "p.py"), line) is unguarded


def test_the_import_of_a_program_by_a_worker_is_refused_with_one_worker_too():
    program = compile("start(1)", "mine.py", "exec")
    with pytest.raises(SettingsError, match=r"^mine\.py is run again by a process that only imports it: put"):
        exec(program, {"__name__": "__mp_main__", "start": require_importable_program})


class Part:
    """Something that is sent to workers."""


def pretend_main(monkeypatch, file=None):
    monkeypatch.setattr(Part, "__module__", "__main__")
    main = type(sys)("__main__")
    main.Part = Part
    if file is not None:
        main.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "__main__", main)


def test_a_class_of_a_notebook_is_refused_for_workers_only(monkeypatch):
    pretend_main(monkeypatch)
    require_importable_parts(1, {"the network": [Part()]})
    with pytest.raises(
        SettingsError, match=r"^the network needs Part, which is defined in this notebook or session, .* use one worker"
    ):
        require_importable_parts(2, {"the network": [Part()]})


def test_a_class_of_a_program_may_not_be_defined_below_its_guard(monkeypatch, tmp_path):
    program = tmp_path / "p.py"
    pretend_main(monkeypatch, program)
    program.write_text("class Part: pass\n")
    require_importable_parts(2, {"the network": Part()})
    program.write_text("if __name__ == '__main__':\n    class Part: pass\n")
    with pytest.raises(SettingsError, match="which is defined below `if __name__"):
        require_importable_parts(2, {"the network": Part()})


def test_what_cannot_be_pickled_is_refused_before_workers_start():
    with pytest.raises(SettingsError, match="the probe set cannot be sent to worker processes .*lambda"):
        require_importable_parts(2, {"the network": 1, "the probe set": lambda: None})


DISSECTION = """
import sys
import torch
import netdissect as nd

images, masks = torch.zeros(2, 3, 32, 32), torch.ones(2, 32, 32, dtype=torch.int64)
nd.dissect(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), "0", (images, masks), ["part"], workers=2, out="run")
"""


def test_a_dissection_without_a_guard_ends_before_it_writes_a_folder(tmp_path):
    (error,), printed = run_program(tmp_path, DISSECTION)
    assert error.startswith("netdissect.errors.SettingsError: workers=2: every worker imports "), error
    assert "from line 7" in error
    assert printed == [] and not (tmp_path / "run").exists()
