"""Find out what is installed, what the machine has and what works, to be pasted into a question or a report of a bug."""

from __future__ import annotations

import os
import platform
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import netdissect
from netdissect.installation.libraries import CORE, OPTIONAL, find_version
from netdissect.installation.machine import (
    count_usable_cores,
    find_memory,
    hide_user,
    measure_folder,
    try_temporary_folder,
)
from netdissect.installation.trials import try_libraries
from netdissect.io.caches import find_user_cache
from netdissect.optional_libraries import TORCHVISION_ADVICE
from netdissect.probe_sets.download.paths import get_data_folder, get_zoo_folder

#: What is always tried, in two processes at once.
_TRIALS = (("torch", *(library.module for library in OPTIONAL if library.tried)), ("kernels", "fonts"))


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        program: versions of this package, of Python and of the system.
        core: versions of the libraries that are always needed, by name; None where one is missing.
        torch: its build, threads and GPUs, and ``error``.
        libraries: of every optional library: name, extra, purpose, version, ``error``, and whether it was tried.
        machine: cores, memory and limits.
        folders: of every cache: what it is, its path and its bytes.
        checks: what works, by name: "" or why not.
    """

    program: dict[str, str]
    core: dict[str, str | None]
    torch: dict[str, Any]
    libraries: list[dict[str, Any]]
    machine: dict[str, Any]
    folders: list[dict[str, Any]]
    checks: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, without the user's name and home folder."""
        hidden: dict[str, Any] = _hide(asdict(self))
        return hidden

    def describe(self) -> list[str]:
        """Return everything as lines that fit a screen."""
        return [
            hide_user(line)
            for line in (*self._describe_program(), *self._describe_machine(), *self._describe_libraries())
        ]

    def _describe_program(self) -> list[str]:
        versions = ", ".join(f"{name} {version or 'MISSING'}" for name, version in self.core.items() if name != "torch")
        state = self.torch["error"]
        torch = f"torch {self.core['torch'] or 'MISSING'}"
        build = f"installed, but fails to import: {state}" if state else self.torch["build"]
        return [
            f"netdissect {self.program['netdissect']}, Python {self.program['python']}, {self.program['system']}",
            f"{torch} ({build})",
            *textwrap.wrap(versions, 78),
            "",
        ]

    def _describe_machine(self) -> list[str]:
        found = self.machine
        limit = f", limit {_format_bytes(found['memory_limit'])}" if found["memory_limit"] else ""
        gpus = [
            f"cuda:{at} {gpu['name']} {_format_bytes(gpu['memory'])}"
            for at, gpu in enumerate(self.torch.get("devices", []))
        ]
        lines = [
            f"CPU      {found['usable_cores']:g} of {found['cores']} cores usable, memory {_format_bytes(found['memory'])}{limit}",
            f"GPU      {', '.join(gpus) or 'none that torch sees'}",
        ]
        lines += [
            f"{folder['name']:<8} {'not there' if folder['bytes'] is None else _format_bytes(folder['bytes'])}: {folder['path']}"
            for folder in self.folders
        ]
        free = {"temp": f", {_format_bytes(found['temporary_free'])} free"}
        lines += [
            f"{name:<8} {f'FAILS: {problem}' if problem else f'works{free.get(name, str())}'}"
            for name, problem in self.checks.items()
        ]
        return [*lines, ""]

    def _describe_libraries(self) -> list[str]:
        rows = [
            (f"{library['name']} {library['version'] or ''}", _describe_state(library)) for library in self.libraries
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {state}" for name, state in rows]
        if not all(library["tried"] or library["version"] is None for library in self.libraries):
            lines += ["", "torchvision and timm were imported to see whether they work; --all imports the others too"]
        if any("torchvision" in library["error"] for library in self.libraries):
            lines += ["", *textwrap.wrap(TORCHVISION_ADVICE, 78)]
        return lines


def diagnose(*, import_all: bool = False) -> Diagnosis:
    """Find out what is installed, what the machine has and what works. It never fails because a library is broken.

    Args:
        import_all: import every optional library, not only those that fail most often; this takes up to half a minute.
    """
    groups = [list(names) for names in _TRIALS]
    if import_all:
        groups[1] += [library.module for library in OPTIONAL if not library.tried]
    installed = {library.module: find_version(library.name) for library in OPTIONAL}
    groups = [[name for name in names if installed.get(name, "built in") is not None] for names in groups]
    with ThreadPoolExecutor(2) as threads:
        tried = {name: found for part in threads.map(try_libraries, groups) for name, found in part.items()}
    temporary, free, problem = try_temporary_folder()
    total, limit = find_memory()
    return Diagnosis(
        program={
            "netdissect": netdissect.__version__,
            "python": platform.python_version(),
            "system": platform.platform(terse=True),
        },
        core={name: find_version(name) for name in CORE},
        torch={key: value for key, value in tried["torch"].items() if key != "name"},
        libraries=[
            {
                "name": library.name, "extra": library.extra, "purpose": library.purpose,
                "version": installed[library.module], "tried": library.module in tried,
                "error": tried.get(library.module, {}).get("error", ""),
            }
            for library in OPTIONAL
        ],
        machine={
            "cores": os.cpu_count() or 1, "usable_cores": count_usable_cores(), "memory": total, "memory_limit": limit,
            "temporary_free": free,
        },
        folders=[{"name": name, "path": str(path), "bytes": size} for name, path, size in _list_folders()],
        checks={
            "kernels": tried["kernels"]["error"],
            "fonts": tried["fonts"]["error"],
            "temp": problem if temporary is None else "",
        },
    )  # fmt: skip


def _list_folders() -> list[tuple[str, Path, int | None]]:
    """Return the folders of caches and downloads: what each is, its path and its bytes."""
    chosen, user = os.environ.get("NUMBA_CACHE_DIR", ""), find_user_cache()
    compiled = Path(chosen) if chosen else Path(netdissect.__file__).parent
    folders = [("compiled", compiled, measure_folder(compiled, ".nbi", ".nbc"))]
    folders += [("cache", user, measure_folder(user))] if user is not None else []
    downloads = (("data", get_data_folder()), ("zoo", get_zoo_folder()))
    return folders + [(name, path, measure_folder(path)) for name, path in downloads]


def _describe_state(library: dict[str, Any]) -> str:
    if library["version"] is None:
        return f"missing: pip install 'netdissect[{library['extra']}]' for {library['purpose']}"
    if library["error"]:
        return f"installed, but fails to import: {library['error']}"
    return f"for {library['purpose']}"


def _format_bytes(number: int | None) -> str:
    """Return a number of bytes in the unit that fits it.

    >>> _format_bytes(3_600_000_000), _format_bytes(512_000), _format_bytes(None)
    ('3.6 GB', '0.5 MB', 'not known')
    """
    if number is None:
        return "not known"
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def _hide(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hide(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_hide(one) for one in value]
    return hide_user(value) if isinstance(value, str) else value
