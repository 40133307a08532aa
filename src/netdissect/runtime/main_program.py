"""Whether worker processes can import the program that starts them, known before anything runs.

A worker that is not a fork of this process imports the file of ``__main__`` anew, under the name ``__mp_main__``: what the file does at
its top level is done again. Of a notebook, a prompt or ``python -c`` it imports nothing, so classes that are defined there are unknown to it.
"""

from __future__ import annotations

import ast
import io
import os
import pickle
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

from netdissect.errors import SettingsError, root_message
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

#: What to do about a program that workers import.
GUARD = 'put its code below an `if __name__ == "__main__":`, or use one worker'
FROM_STANDARD_INPUT = "worker processes cannot be started from a program that is read from standard input: save it as a file, or use one worker"


def require_importable_program(workers: int) -> None:
    """Refuse workers that would run this program again when they import it; what cannot be known is let through.

    Args:
        workers: number of worker processes; with one, this process does the work.

    Raises:
        SettingsError: if a worker is importing the program just now, or if more than one is wanted and the program is read from
            standard input, or its file makes this call at its top level, outside any condition.
    """
    program = _find_imported_file()
    if workers > 1 and program is not None and not os.path.isfile(program):  # noqa: PTH113 - "<stdin>" is no path
        raise SettingsError(FROM_STANDARD_INPUT)
    for frame in _list_module_frames():
        name, file = frame.f_globals.get("__name__"), frame.f_code.co_filename
        if name == "__mp_main__":
            raise SettingsError(f"{escape_line(file)} is run again by a process that only imports it: {GUARD}")
        if workers > 1 and name == "__main__" and file == program and _is_unguarded(file, frame.f_lineno):
            raise SettingsError(
                f"workers={workers}: every worker imports {escape_line(file)} and would run it again from line {frame.f_lineno}: {GUARD}"
            )


def require_importable_parts(workers: int, parts: Mapping[str, Any]) -> None:
    """Refuse what workers cannot get because its class or function is defined where they import nothing, as in a notebook.

    Args:
        workers: number of worker processes; with one, nothing is sent.
        parts: what is sent to workers, by what an error calls it.

    Raises:
        SettingsError: if a part is of a class or function of ``__main__``, and this is no file; or if it cannot be pickled.
    """
    program = _find_imported_file()
    for called, part in parts.items() if workers > 1 else ():
        finder = _MainFinder()
        try:
            finder.dump(part)
        except Exception as error:  # pickling can fail with any error
            raise SettingsError(describe_unsendable(called, error)) from error
        if finder.found is None or (program is not None and not _is_below_guard(program, finder.found)):
            continue
        where = "in this notebook or session" if program is None else 'below `if __name__ == "__main__":`'
        raise SettingsError(
            f"{called} needs {finder.found}, which is defined {where}, where worker processes cannot find it: put it into a file of its "
            f"own, such as mine.py, and import it from there, or use one worker"
        )


def describe_unsendable(called: str, error: Exception) -> str:
    """Return the sentence on something that cannot be pickled."""
    return (
        f"{called} cannot be sent to worker processes ({root_message(error)}): define its class at the top level of an importable "
        f"module, or use one worker"
    )


class _MainFinder(pickle.Pickler):
    """Pickles into nothing, without the values of tensors, and notes the first class or function of ``__main__``."""

    def __init__(self) -> None:
        super().__init__(_Sink(), protocol=pickle.HIGHEST_PROTOCOL)
        self.found: str | None = None

    def reducer_override(self, value: Any) -> Any:
        """Leave tensors out; leave all else to pickle."""
        if isinstance(value, (type, FunctionType)):
            if value.__module__ == "__main__" and self.found is None:
                self.found = value.__qualname__
            return NotImplemented
        torch = sys.modules.get("torch")
        return (int, ()) if torch is not None and isinstance(value, torch.Tensor) else NotImplemented


class _Sink(io.RawIOBase):
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


def _list_module_frames() -> Iterator[FrameType]:
    """Yield the frames of this thread that run the top level of a module, the innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack reads the source of every frame
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            yield frame
        frame = frame.f_back


def _find_imported_file() -> str | None:
    """Return the file of this program that a worker imports, ``<stdin>`` for standard input; None if it imports none, as multiprocessing decides it."""
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if name is not None and (name == "__main__" or name.endswith(".__main__")):
        return None
    file: str | None = getattr(main, "__file__", None)
    return file


def _read_statements(file: str) -> list[ast.stmt]:
    """Return the statements at the top level of a program; none if it cannot be read."""
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - as Python opened it
            return ast.parse(stream.read()).body
    except (OSError, SyntaxError, ValueError):
        return []


def _is_unguarded(file: str, line: int) -> bool:
    """Return whether a line of a program runs in every process that imports it; False if that cannot be known.

    A line below any condition may be guarded, and so may one after a condition on ``__name__`` that leaves the program.
    """
    for statement in _read_statements(file):
        if statement.lineno <= line <= (statement.end_lineno or line):
            return not _mentions_name(statement) and not any(
                isinstance(node, (ast.If, ast.Match)) and node.lineno <= line <= (node.end_lineno or line)
                for node in ast.walk(statement)
            )
        if _mentions_name(statement) and any(map(_leaves_program, ast.walk(statement))):
            return False
    return False


def _is_below_guard(file: str, name: str) -> bool:
    """Return whether a program defines a class or function only below conditions on ``__name__``, as far as its text says."""
    guarded = [
        _mentions_name(statement)
        for statement in _read_statements(file)
        for node in ast.walk(statement)
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name.partition(".")[0]
    ]
    return bool(guarded) and all(guarded)


def _mentions_name(statement: ast.stmt) -> bool:
    """Return whether a statement asks for ``__name__``; what its functions do when they are called does not count."""
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(statement))


def _leaves_program(node: ast.AST) -> bool:
    """Return whether a part of a statement raises or calls a function such as ``sys.exit``."""
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(node, ast.Raise) or getattr(called, "attr", getattr(called, "id", "")) in (
        "exit",
        "_exit",
        "quit",
    )
