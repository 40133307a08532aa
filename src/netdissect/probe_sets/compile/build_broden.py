"""``netdissect data build``: Broden, version 1, from its sources."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import SettingsError, suggest_nearest
from netdissect.probe_sets.compile.broden_sources import find_sources, open_sources
from netdissect.probe_sets.compile.build_options import BuildOptions
from netdissect.probe_sets.compile.make import BuildResult, compile_probe_set
from netdissect.progress import show_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.protocols import Progress

_ABOUT = """\
Every source has a licence of its own, and most allow research only; a set made of them is bound by all of theirs.
"""


def build_broden(
    sources: str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    skip_missing: bool = False,
    workers: int = 1,
    progress: Progress | bool | None = None,
    say: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> BuildResult:
    """Make Broden from its sources: the names, numbers and thresholds of version 1.

    Args:
        sources: a folder that holds ``ade20k/``, ``dtd/``, ``opensurfaces/``, ``pascal/``; any of them may be missing.
        out: the set's folder; None takes ``dataset/broden1_SIZE``.
        only: the sources wanted; none given takes all that are there.
        skip_missing: leave out images whose files are not there.
        workers: processes that work.
        progress: shown how far each phase is; True draws bars.
        say: told what is done with what lies in `out` already.
        options: single settings of the recipe by name, such as ``size=227`` or ``limit=100``.

    Raises:
        DataError: one of its leaves, for anything wrong with a source.
        SettingsError: for an option out of its range.

    Example:
        >>> from netdissect.probe_sets.compile.build_broden import build_broden
        >>> build_broden("dataset", size=227, workers=8).concepts  # doctest: +SKIP
        1197
    """
    chosen = make_broden_options(**options)
    target = Path(f"dataset/broden1_{chosen.size}") if out is None else Path(out)
    folders = find_sources(Path(sources), only)
    with show_progress(progress) as shown:
        opened = open_sources(folders, skip_missing=skip_missing, workers=workers, progress=shown)
        return compile_probe_set(
            opened, target, chosen, title=f"Broden, version 1, {chosen.size} pixels", about=_ABOUT, workers=workers,
            progress=shown, say=say,
        )  # fmt: skip


def make_broden_options(**options: Any) -> BuildOptions:
    """Return the recipe of version 1 with some settings changed.

    Raises:
        SettingsError: if there is no such setting, or a value is out of its range.
    """
    known = [field.name for field in dataclasses.fields(BuildOptions)]
    for name in options:
        if name not in known:
            raise SettingsError(f"a build has no option {name!r}: {suggest_nearest(name, known)}")
    version1 = {"min_frequency": 10, "min_coverage": 0.5, "synonyms": "broden1", "lower_case": True}
    return BuildOptions(**{**version1, **options})
