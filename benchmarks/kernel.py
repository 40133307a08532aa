"""The tally kernel compared with interpolating every plane and multiplying by one-hot labels, on one thread."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks import machine, probe_sets
from netdissect.engine.batch_scan import scan_batch_with_kernels
from netdissect.engine.calibrate import Bounds
from netdissect.engine.packed_labels import pack_label_maps
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.tally import MaskCounts, ShardComparisons
from netdissect.geometry.fieldmap import divide_into_whole_steps
from netdissect.layers import Layer
from netdissect.protocols import read_segments


def main(words: list[str]) -> None:
    """Print a row per layer shape."""
    del words
    machine.print_title("Tally of one image: kernel and interpolate + one-hot matmul, one thread")
    torch.set_num_threads(1)
    probe_set = probe_sets.make_noise(64, distinct=64)
    labels = [probe_set.read_labels(index) for index in range(16)]
    maps = pack_label_maps([read_segments(probe_set, index) for index in range(16)], probe_set.vocabulary)
    own = np.arange(16, dtype=np.int32)[:, None]
    comparisons = ShardComparisons(own, np.zeros_like(own), maps, probe_set.label_size(0))
    rows = []
    for units, grid in ((256, 13), (512, 14), (2048, 7)):
        layer = Layer("x", units, (grid, grid), divide_into_whole_steps((224, 224), (grid, grid)), "grid")
        activations = torch.relu(torch.randn(16, grid, grid, units, generator=torch.Generator().manual_seed(0)))
        flat = activations.reshape(-1, units)
        threshold = flat.kthvalue(int(flat.shape[0] * 0.995), dim=0).values.numpy()
        with RowThreads(1) as threads:
            candidates = scan_batch_with_kernels(
                activations, Bounds(threshold, np.zeros(0, np.int64)), threads
            ).candidates

            def kernel(candidates=candidates, layer=layer, threshold=threshold, threads=threads):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
                counts = MaskCounts.empty(layer.units, 1, probe_set.vocabulary)
                counts.update(layer, candidates, threshold, np.arange(layer.units), comparisons, (224, 224), threads)
                return counts

            def dense(activations=activations, threshold=threshold):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
                total = torch.zeros(activations.shape[3], len(probe_set.vocabulary) + 1)
                for n, entry in enumerate(labels):
                    plane = activations[n].permute(2, 0, 1)[None]
                    up = torch.nn.functional.interpolate(plane, entry.shape, mode="bilinear", align_corners=False)[0]
                    mask = (up > torch.from_numpy(threshold)[:, None, None]).float().flatten(1)
                    for codes in torch.from_numpy(entry.planes.astype(np.int64)).flatten(1):
                        present, inverse = codes.unique(return_inverse=True)
                        total[:, present] += mask @ torch.nn.functional.one_hot(inverse, len(present)).float()
                return total

            seconds = machine.time_interleaved({"kernel": kernel, "dense": dense}, 5)
        each = {name: 1000 * value / len(labels) for name, value in seconds.items()}
        rows.append([f"{units} units {grid} x {grid}", each["kernel"], each["dense"], each["dense"] / each["kernel"]])
        machine.record_figure(
            f"tally kernel against interpolate + matmul, {rows[-1][0]}", f"{rows[-1][3]:.0f} times as fast", "stated"
        )
    machine.print_table(["layer", "kernel, ms", "interpolate + matmul, ms", "times faster"], rows)
