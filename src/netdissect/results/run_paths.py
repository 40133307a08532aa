"""Find the paths of the runs to compare: run folders, folders of runs, result tables, the paper's .mat."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.bounds import describe_type
from netdissect.errors import RunNotFoundError, SettingsError
from netdissect.io.names import make_natural_key
from netdissect.results.run_folder import is_run_started

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdissect.results.run_result import Result


def expand_sources(sources: Iterable[str | Path | Result]) -> tuple[list[tuple[str, Path]], list[str]]:
    """Return the name and path of every source; a folder of runs is replaced with the runs in it.

    The name is empty for a source without one. A run in a folder of runs is named after its own folder.

    Args:
        sources: paths, ``NAME=PATH``, or results that lie in run folders.

    Returns:
        names and paths; a sentence for each unfinished run that is left out.

    Raises:
        RunNotFoundError: if a folder is neither a run folder nor a folder of runs.
        SettingsError: if a result lies in no folder, or a source is nothing of these.
    """
    pairs: list[tuple[str, Path]] = []
    remarks: list[str] = []
    for source in sources:
        name, path = split_source_name(_locate(source))
        if not path.is_dir() or (path / "run.json").exists():
            pairs.append((name, path))
            continue
        inner = sorted(
            (entry for entry in path.iterdir() if entry.is_dir()), key=lambda entry: make_natural_key(entry.name)
        )
        runs = [entry for entry in inner if (entry / "run.json").exists()]
        unfinished = [entry for entry in inner if entry not in runs and is_run_started(entry)]
        if not runs:
            what = "holds unfinished runs only" if unfinished else "holds no finished run"
            raise RunNotFoundError(
                f"{path} {what} (run.json is missing): expected a folder that netdissect run wrote, or one that holds such folders"
            )
        pairs += [(f"{name} {run.name}".strip(), run) for run in runs]
        remarks += [f"{run} holds a run that is not finished and is left out." for run in unfinished]
    return pairs, remarks


def _locate(source: object) -> str | Path:
    """Return a path as it is, and the folder of a result."""
    from netdissect.results.run_result import Result

    if isinstance(source, (str, Path)):
        return source
    if not isinstance(source, Result):
        raise SettingsError(
            f"compare takes run folders, result tables (*-result.csv), the paper's .mat and results, not {describe_type(source)}"
        )
    folder = None if source.analyses is None else source.analyses.folder
    if folder is None or not (folder / "run.json").exists():
        raise SettingsError(
            f"the result of {source.network.name} lies in no folder, and compare reads folders: dissect with out=FOLDER, or save it with "
            f"result.save(FOLDER) and name FOLDER"
        )
    return folder


def split_source_name(source: str | Path) -> tuple[str, Path]:
    """Split ``NAME=PATH``; the name is empty for a plain path.

    >>> split_source_name("random=runs/random")
    ('random', PosixPath('runs/random'))
    """
    text = str(source)
    if "=" in text and not Path(text).exists():
        name, _, path = text.partition("=")
        return name, Path(path)
    return "", Path(source)
