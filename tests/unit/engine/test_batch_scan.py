"""torch's operations and the compiled kernels scan a batch alike, and a GPU scans it while the network runs on."""

from __future__ import annotations

import contextlib
import gc
import weakref

import numpy as np
import pytest
import torch
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine import cuda_overlap
from netdissect.engine import scan as scanning
from netdissect.engine.batch_scan import copy_grids, find_maxima, scan_batch_with_kernels, scan_batch_with_torch
from netdissect.engine.calibrate import Bounds
from netdissect.engine.cuda_overlap import overlap_batches
from netdissect.engine.plan import Plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.scan import LayerRequest, LayerScanner
from netdissect.errors import ActivationError
from netdissect.layers import FieldMap

FIELD = FieldMap((0, 0), (4, 4), (4, 4))


def activations(kind, rng):
    values = rng.normal(size=(9, 5, 7, 40)).astype(np.float32)
    if kind == "relu":
        values = np.maximum(values, 0)
    elif kind == "ties":
        values = np.round(values)
    elif kind == "constant":
        values[..., ::3] = 0.5
    elif kind == "dead":
        values[..., ::2] = 0
    return values


def bounds_of(rng, values):
    bound = rng.uniform(-1, 2, size=40).astype(np.float32)
    bound[:10] = values[..., :10].max(axis=(0, 1, 2))  # ties at the bound, nothing above it
    bound[10:15] = values[..., 10:15].min(axis=(0, 1, 2))
    return Bounds(bound, np.arange(0, 40, 2))


@pytest.mark.parametrize("kind", ["normal", "relu", "ties", "constant", "dead"])
@pytest.mark.parametrize("threads", [1, 3])
def test_torch_and_the_kernels_scan_a_batch_alike(kind, threads):
    rng = np.random.default_rng(15)
    values = activations(kind, rng)
    bounds, batch = bounds_of(rng, values), torch.from_numpy(values)
    with RowThreads(threads) as pool:
        one, other = scan_batch_with_kernels(batch, bounds, pool), scan_batch_with_torch(batch, bounds)
        np.testing.assert_array_equal(find_maxima(batch, pool)[0], one.maxima)
    np.testing.assert_array_equal(one.maxima, values.max(axis=(1, 2)))
    assert not one.non_finite.any()
    np.testing.assert_array_equal(one.equal[::2], (values == bounds.bound).sum(axis=(0, 1, 2))[::2])
    assert not one.equal[1::2].any()
    for name in ("maxima", "non_finite", "equal"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("pair_unit", "pair_image", "pair_start", "cells", "values"):
        found, same = getattr(one.candidates, name), getattr(other.candidates, name)
        np.testing.assert_array_equal(found, same)
        assert found.dtype == same.dtype


@pytest.mark.parametrize("grid", [(1, 1), (1, 6), (6, 1), (2, 2), (3, 40)])
def test_torch_and_the_kernels_find_the_same_neighbors_in_narrow_grids(grid):
    values = np.random.default_rng(23).normal(size=(3, *grid, 5)).astype(np.float32)
    bounds, batch = Bounds(np.full(5, 1.2, np.float32), np.zeros(0, np.int64)), torch.from_numpy(values)
    one, other = scan_with_one_thread(batch, bounds).candidates, scan_batch_with_torch(batch, bounds).candidates
    for name in ("pair_unit", "pair_image", "pair_start", "cells", "values"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_bounds_are_copied_to_a_device_once_and_freed_with_them(monkeypatch):
    values, copied = torch.from_numpy(activations("normal", np.random.default_rng(24))), []
    bounds, others = (bounds_of(np.random.default_rng(n), values.numpy()) for n in (1, 2))
    move = torch.Tensor.to

    def note(tensor, where, **how):
        copied.append((tensor.numel(), where))
        return move(tensor, where, **how)

    monkeypatch.setattr(torch.Tensor, "to", note)
    first = [scan_batch_with_torch(values, bounds).candidates.values.size for _ in range(3)]
    assert [size for size, where in copied if where == torch.device("cpu")] == [40, 20]
    assert first[0] == first[2] != scan_batch_with_torch(values, others).candidates.values.size
    kept = weakref.ref(bounds)
    del bounds
    gc.collect()
    assert kept() is None
    assert set(cuda_overlap._ON_DEVICE) == {others}


def test_torch_and_the_kernels_agree_on_a_batch_without_a_candidate():
    batch, bounds = torch.zeros(2, 3, 3, 4), Bounds(np.zeros(4, np.float32), np.arange(4))
    with RowThreads(2) as pool:
        one, other = scan_batch_with_kernels(batch, bounds, pool), scan_batch_with_torch(batch, bounds)
    assert one.equal.tolist() == other.equal.tolist() == [18] * 4
    assert one.candidates.pair_start.tolist() == other.candidates.pair_start.tolist() == [0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_torch_and_the_kernels_find_the_same_non_finite_activations(value):
    values = np.random.default_rng(16).normal(size=(4, 3, 3, 5)).astype(np.float32)
    values[2, 1, 2, 3] = values[0, 0, 0, 0] = value
    bounds = Bounds(np.zeros(5, np.float32), np.zeros(0, np.int64))
    with RowThreads(2) as pool:
        one, other = (
            scan_batch_with_kernels(torch.from_numpy(values), bounds, pool),
            scan_batch_with_torch(torch.from_numpy(values), bounds),
        )
    assert np.argwhere(one.non_finite).tolist() == np.argwhere(other.non_finite).tolist() == [[0, 0], [2, 3]]


def use_torch(monkeypatch):
    monkeypatch.setattr(scanning, "scan_batch", lambda batch, bounds, _threads: scan_batch_with_torch(batch, bounds))


@pytest.mark.parametrize("kind", ["relu", "ties", "constant", "dead"])
def test_the_scan_of_a_layer_is_the_same_with_torch(kind, monkeypatch):
    rng = np.random.default_rng(17)
    values = activations(kind, rng)
    bounds, layer = bounds_of(rng, values), fakes.make_layer("l", values.transpose(0, 3, 1, 2), FIELD)

    def scanned():
        with RowThreads(2) as pool:
            scanner = LayerScanner(layer, 40, bounds, LayerRequest(3, maxima=True), pool)
            for start in range(0, 9, 4):
                images = np.arange(start, min(start + 4, 9))
                scanner.update(images, torch.from_numpy(values[start : start + 4]), str)
            return scanner.finish().to_arrays()

    one = scanned()
    use_torch(monkeypatch)
    other = scanned()
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_a_dissection_is_the_same_with_torch_and_so_is_its_error(monkeypatch):
    values = np.maximum(np.random.default_rng(18).normal(size=(40, 6, 4, 4)), 0).astype(np.float32)
    values[np.random.default_rng(0).permutation(40)[:8], 1] += 100  # its bound will prove too high
    entries = [Labels(np.full((1, 16, 16), 1 + n % 3, np.uint16), np.zeros(0, np.int64)) for n in range(40)]
    concepts = fakes.ArrayConcepts(fakes.make_vocabulary(3), entries, (16, 16))

    def dissected():
        source = fakes.ArraySource((fakes.make_layer("l", values, FIELD),), {"l": values}, (16, 16))
        return fakes.dissect_arrays(source, concepts, plan=Plan(40, 4, 8, 8, 0), quantile=0.4, images_per_unit=4)

    one = dissected()
    use_torch(monkeypatch)
    other = dissected()
    assert one.rescanned == other.rescanned == {"l": [1]}
    a, b = one.layers["l"], other.layers["l"]
    for found, same in ((a.thresholds, b.thresholds), (a.counts.I, b.counts.I), (a.counts.A, b.counts.A)):
        np.testing.assert_array_equal(found, same)
    np.testing.assert_array_equal(a.exemplars.images, b.exemplars.images)
    np.testing.assert_array_equal(a.exemplars.grids, b.exemplars.grids)
    values[int(Plan(40, 4, 8, 8, 0).shards[2].images[1]), 3, 0, 0] = np.nan
    with pytest.raises(ActivationError, match=r"layer l, unit 4: .* on image image\d+\.png"):
        dissected()


class RecordingStream:
    """A ScanStream that records the order of events."""

    def __init__(self, notes):
        self.notes = notes

    def record_event(self):
        self.notes.append("event")
        return len(self.notes)

    @contextlib.contextmanager
    def wait_for(self, event, outputs):
        self.notes.append(f"in {int(outputs['l'][0])}")
        yield
        self.notes.append("out")


def test_a_batch_is_scanned_once_the_network_has_the_next_one_and_none_is_lost():
    notes = []

    def network():
        for number in range(3):
            notes.append(f"network {number}")
            yield np.array([number]), {"l": torch.tensor([number])}

    for images, _ in overlap_batches(network(), lambda _: RecordingStream(notes)):
        notes.append(f"scan {images[0]}")
    assert notes == [
        "network 0", "event", "network 1", "event", "in 0", "scan 0", "out", "network 2", "event", "in 1", "scan 1", "out",
        "in 2", "scan 2", "out",
    ]  # fmt: skip
    assert [int(images[0]) for images, _ in overlap_batches(network())] == [0, 1, 2]
    assert list(overlap_batches(iter([]))) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_grids_are_copied_as_they_are_in_the_batch(threads):
    rng = np.random.default_rng(19)
    values = activations("normal", rng)
    images, units = rng.integers(0, 9, size=100), rng.integers(0, 40, size=100)
    with RowThreads(threads) as pool:
        grids = np.zeros((len(images), 5, 7), np.float32)
        places = np.arange(len(images))[::-1].copy()
        copy_grids(torch.from_numpy(values), pool, images, units, grids, places)
        grids = grids[places]
        copy_grids(torch.from_numpy(values), pool, images[:0], units[:0], grids, places[:0])
    np.testing.assert_array_equal(grids, values[images, :, :, units])


def scan_with_one_thread(batch, bounds):
    with RowThreads(1) as pool:
        return scan_batch_with_kernels(batch, bounds, pool)


@pytest.mark.parametrize("look", [scan_with_one_thread, scan_batch_with_torch])
@pytest.mark.parametrize(("grid", "kind"), [((257, 256), np.int32), ((256, 256), np.uint16), ((1, 65537), np.int32)])
def test_cells_of_a_grid_of_more_than_65_536_are_numbered_right(look, grid, kind):
    values = np.zeros((1, *grid, 1), np.float32)
    values[0, -1, -1, 0] = 1
    cells = look(torch.from_numpy(values), Bounds(np.full(1, 0.5, np.float32), np.zeros(0, np.int64))).candidates.cells
    h, w = grid
    assert cells.dtype == kind
    assert cells.tolist() == [y * w + x for y in range(max(h - 2, 0), h) for x in (w - 2, w - 1)]


@pytest.mark.parametrize("grid", [(1, 1), (1, 31), (2, 32), (3, 33), (1, 64), (2, 65), (3, 97), (70, 1)])
def test_candidates_are_found_in_grids_of_any_width(grid):
    rng = np.random.default_rng(grid)
    values = np.round(rng.normal(size=(3, *grid, 9)), 1).astype(np.float32)
    values[..., 0] = -0.0  # nothing lies above a bound of 0
    values[..., 1] = np.linspace(0, 1, grid[1], dtype=np.float32)  # only the last column
    bound = np.array([0, 0.999, -9, *np.linspace(0, 2.5, 6)], np.float32)
    bounds = Bounds(bound, np.array([0, 4]))
    one, other = (
        scan_with_one_thread(torch.from_numpy(values), bounds),
        scan_batch_with_torch(torch.from_numpy(values), bounds),
    )
    assert one.equal.tolist() == other.equal.tolist()
    assert one.equal[0] == 3 * grid[0] * grid[1]
    np.testing.assert_array_equal(one.maxima, values.max(axis=(1, 2)))
    for name in ("pair_unit", "pair_image", "pair_start", "cells", "values"):
        np.testing.assert_array_equal(getattr(one.candidates, name), getattr(other.candidates, name), err_msg=name)
    assert 0 not in one.candidates.pair_unit
