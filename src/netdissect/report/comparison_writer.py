"""Write the report of several runs into one folder: the pages of every run, and one page that compares them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdissect.errors import DataNotFoundError
from netdissect.io import atomic
from netdissect.report.cache import ReportCache
from netdissect.report.html import compare_data, page
from netdissect.report.html.page_data import PageData, pack_page_data
from netdissect.report.panels import write_panels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.protocols import ImageSource
    from netdissect.results.run_result import Result

_LOG = logging.getLogger(__name__)
#: The first page; those of further runs are ``run-2.html``, ….
INDEX = "index.html"


@dataclass(eq=False)
class ComparisonWriter:
    """Writes runs one after another, so that only one of them is in memory.

    Images and label maps are shared between runs over the same probe set.

    Attributes:
        folder: the folder, inside a `replace_comparison` block.
        kept: files that stay, relative to the folder.
        threshold: score from which a unit counts as a detector, where the page starts.
    """

    folder: Path
    kept: set[str]
    threshold: float
    _runs: compare_data.ComparedRuns = field(default_factory=compare_data.ComparedRuns)
    _pages: list[str] = field(default_factory=list)
    _probe_sets: dict[tuple[str, str], int] = field(default_factory=dict)

    def add_run(self, name: str, run: Result, source: ImageSource, step: float | None = None) -> None:
        """Write the files of the next run, with the layers that it has.

        Args:
            name: the run's name.
            run: the run.
            source: its images and label maps.
            step: its training step, if it is a checkpoint.

        A run whose images are not available is shown without images.
        """
        probe = run.probe_set.name, run.probe_set.fingerprint
        probe_set = self._probe_sets.setdefault(probe, len(self._probe_sets) + 1)
        number = len(self._pages) + 1
        home = self.folder / "runs" / str(number)
        cache = ReportCache(run, self.folder / "probe-sets", html=str(probe_set))
        images: Mapping[int, Path]
        try:
            images = cache.cache_images(source)
        except DataNotFoundError as error:
            images = {}
            _LOG.warning("%s is shown without images: %s", name, error)
        data = PageData(run, images, cache.cache_labels(source), write_panels(run.layers.values(), home))
        cached = [*data.images.values(), *data.labels.files.values(), *cache.records]
        self.kept.update(path.relative_to(self.folder).as_posix() for path in cached)
        with atomic.write_together() as write:
            page.write_data_files(pack_page_data(data), home / "data", write)
        self._pages.append(page.render_compared_run(data, number))
        self._runs.add(
            compare_data.describe_compared_run(
                name, run, INDEX if number == 1 else f"run-{number}.html", probe_set, step
            ),
            run,
        )

    def finish(self) -> Path:
        """Write the comparison and the pages; return the first page."""
        with atomic.write_together() as write:
            page.write_app(self.folder, write)
            page.write_data_files(compare_data.pack_comparison(self._runs, self.threshold), self.folder / "data", write)
            for number, html in enumerate(self._pages[1:], 2):
                write(self.folder / f"run-{number}.html", html.encode())
        atomic.write_text(self.folder / INDEX, self._pages[0])
        return self.folder / INDEX
