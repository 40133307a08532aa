"""On a GPU labels are decoded while it scans, once each; the results are the same."""

from __future__ import annotations

import contextlib

import pytest
from tests.small_runs import dissect_small, read_tables

from netdissect.errors import DataFileError
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.decoded import DecodedProbeSet, decode_once
from netdissect.run import run_runtime


class Ordered(Broden):
    """A probe set that notes the order in which images and labels are read."""

    reads: list[tuple[str, int]]

    def read_image(self, index, size=None):
        self.reads.append(("image", index))
        return super().read_image(index, size)

    def read_labels(self, index):
        self.reads.append(("labels", index))
        return super().read_labels(index)


@pytest.fixture
def pretended_gpu(monkeypatch):
    """Let runs choose what they do for labels as on a GPU."""
    real = run_runtime.keep_labels_ahead
    monkeypatch.setattr(
        run_runtime, "keep_labels_ahead", lambda concepts, _, memory, stack: real(concepts, "cuda", memory, stack)
    )


def test_the_tally_reads_no_label_again(data, expected, tmp_path, pretended_gpu):
    concepts = Ordered(data)
    concepts.reads = []
    dissect_small(concepts, tmp_path / "run", threads=1)
    assert read_tables(tmp_path / "run") == expected
    kinds = [kind for kind, _ in concepts.reads]
    assert kinds.count("labels") == kinds.count("image") == len(concepts)
    assert kinds[-1] == "image"  # all labels were read before the last image


def test_labels_beyond_the_memory_are_read_in_the_tally(data, expected, tmp_path, pretended_gpu):
    concepts = Ordered(data)
    concepts.reads = []
    dissect_small(concepts, tmp_path / "run", threads=1, memory=0, within="scene")
    assert read_tables(tmp_path / "run") == expected
    assert [kind for kind, _ in concepts.reads].count("labels") == 2 * len(concepts)


def test_an_unreadable_label_map_stops_the_scan_or_is_skipped(data, tmp_path, pretended_gpu):
    class Damaged(Ordered):
        def read_labels(self, index):
            if index == 5:
                raise DataFileError("label map a.png does not decode")
            return super().read_labels(index)

    concepts = Damaged(data)
    concepts.reads = []
    with pytest.raises(DataFileError, match=r"a\.png"):
        dissect_small(concepts, tmp_path / "stops")
    skipping = dissect_small(concepts, tmp_path / "skips", on_error="skip")
    assert list(skipping.journal["skipped_images"]) == [concepts.image_name(5)]


def test_a_cpu_and_a_series_keep_nothing_more(data):
    concepts = Broden(data)
    with contextlib.ExitStack() as stack:
        assert run_runtime.keep_labels_ahead(concepts, "cpu", 100, stack) == (concepts, False)
        series = stack.enter_context(decode_once(concepts, 100))
        assert run_runtime.keep_labels_ahead(series, "cuda", 100, stack) == (series, True)
        kept, ahead = run_runtime.keep_labels_ahead(concepts, "cuda", 100, stack)
        assert ahead
        assert isinstance(kept, DecodedProbeSet)
