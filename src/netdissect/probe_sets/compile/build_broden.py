"""Build Broden, version 1, from its sources (``netdissect data build``)."""

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
Every source has its own license, and most allow research only; a probe set made of them is bound by all of them.
"""


def build_broden(
    sources: str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    skip_missing: bool = False,
    workers: int = 1,
    progress: Progress | bool = True,
    say: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> BuildResult:
    """Build Broden from its sources, with the names, numbers and thresholds of version 1.

    Args:
        sources: a folder that holds ``ade20k/``, ``dtd/``, ``opensurfaces/``, ``pascal/``, or some of them.
        out: folder of the probe set; None takes ``dataset/broden1_SIZE``.
        only: names of the sources to use; empty uses all that exist.
        skip_missing: leave out images whose files are missing.
        workers: number of processes.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        say: receives messages about a probe set or an unfinished build in `out`.
        options: options of ``netdissect data build`` by name, such as ``size=227`` or ``limit=100``.

    Raises:
        DataError: a subclass, for anything wrong with a source.
        SettingsError: if an option is out of its range.

    Example::

        import netdissect as nd

        nd.build_broden("dataset", size=227, workers=8)
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
    """Return the build options of version 1 with some of them changed.

    Raises:
        SettingsError: if there is no such option, or a value is out of its range.
    """
    known = [field.name for field in dataclasses.fields(BuildOptions)]
    for name in options:
        if name not in known:
            raise SettingsError(f"a build has no option {name!r}: {suggest_nearest(name, known)}")
    version1 = {"min_frequency": 10, "min_coverage": 0.5, "synonyms": "broden1", "lower_case": True}
    return BuildOptions(**{**version1, **options})
