"""Try libraries in a process of their own: ``python -m netdissect.installation.trials NAME …`` prints a JSON line for each.

A library that ends its process when it is imported, as one that was built for another processor does, ends this one only.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

from netdissect.errors import root_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Seconds after which a library that is still being imported is given up.
_TIMEOUT = 120


def try_libraries(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Import modules, or carry out trials of `TRIALS`, in other processes.

    Args:
        names: names of modules or trials.

    Returns:
        what each gave, by its name; ``error`` says why it failed, and is "" if it did not.
    """
    found: dict[str, dict[str, Any]] = {}
    rest = list(names)
    while rest:
        lines, ending = _run_process(rest)
        found |= {line["name"]: line for line in lines}
        rest = [name for name in rest if name not in found]
        if rest:
            found[rest[0]] = {"name": rest[0], "error": ending}
            del rest[0]
    return found


def _run_process(names: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """Return the lines of a process that tries modules one after the other, and how it ended."""
    words = [sys.executable, "-m", __spec__.name if __spec__ else __name__, *names]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        return _read_lines(output), f"it takes longer than {_TIMEOUT} seconds"
    except OSError as error:
        return [], f"no process can be started ({root_message(error)})"
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return _read_lines(done.stdout), f"it ends the process ({how})"


def _read_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"name"') and line.endswith("}")]


def _try_torch() -> dict[str, Any]:
    """Return what torch says of its build and of its devices."""
    import torch

    devices = []
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        devices.append({"name": properties.name, "memory": properties.total_memory})
    return {
        "build": f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only",
        "threads": torch.get_num_threads(),
        "devices": devices,
    }


def _compile_kernel() -> dict[str, Any]:
    """Compile and call a function with numba."""
    import numba

    def double(number: int) -> int:
        return 2 * number

    compiled: Callable[[int], int] = numba.njit(double)  # type: ignore[assignment]  # numba's types know no decorated function
    if compiled(21) != 42:
        raise RuntimeError("a compiled function returns a wrong number")
    return {}


def _find_fonts() -> dict[str, Any]:
    """Return the fonts of figures."""
    from netdissect.report.figures.figure_fonts import find_fonts

    return {"fonts": find_fonts()}


#: What else is tried besides importing a module, by name.
TRIALS: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": _try_torch,
    "kernels": _compile_kernel,
    "fonts": _find_fonts,
}


def _try(name: str) -> dict[str, Any]:
    """Import a module or carry out a trial; whatever it prints is dropped."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            more = TRIALS[name]() if name in TRIALS else importlib.import_module(name) and {}
    except BaseException as error:  # noqa: BLE001 - a library may raise anything, SystemExit too
        return {"name": name, "error": root_message(error) or type(error).__name__}
    return {"name": name, "error": "", **more}


def write_trials() -> None:
    """Try what is named on the command line; write a line of JSON for each."""
    warnings.simplefilter("ignore")
    output = sys.stdout
    for name in sys.argv[1:]:
        output.write(f"{json.dumps(_try(name))}\n")
        output.flush()


if __name__ == "__main__":
    write_trials()
