"""Measures where a layer's cells look: by gradients, and patch by patch behind attention."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from benchmarks.geometry.choice import compute_center, find_standing
from benchmarks.geometry.neutral import make_neutral_copy, smooth_operators
from netdissect.networks import layer_names
from netdissect.networks.probe import ProbedLayer
from netdissect.networks.trace.hooks import evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netdissect.layers import FieldMap, Layer
    from netdissect.networks.torch_network import TorchNetwork

#: Where on the diagonal of a grid cells are measured.
PLACES = (0.25, 0.5, 0.75)
#: Share of the largest gradient from which pixels count.
_CUT = 0.35
#: Standard deviation, in relation to the image's side, from which gradients show no place.
_DIFFUSE = 0.2
#: The same in relation to a block of cells, of a layer whose cells keep their positions.
_OWN_WIDTH = 0.42
#: Cells that may change alike where one patch is perturbed.
_MOST_CHANGED = 4
#: Factor of what is scaled up where the direct paths are measured.
_WEAK = 0.01
#: Mismatch in steps from which a layer is reported.
TOLERANCE = 0.25


@dataclass
class MeasuredLayer:
    """What was measured of a layer, in input pixels, each as (y, x).

    Attributes:
        name: of the layer.
        standing: "traced", "position" (behind attention) or "even".
        grid: its cells.
        traced: centers of the measured cells, as traced.
        measured: the same by gradients; empty if they show no place.
        steps: traced and measured step along x.
        mismatch: largest distance in steps; None if nothing was measured.
        direct_mismatch: the same with everything that is scaled up made weak, of a layer with a mismatch; None if nothing is
            scaled up before it.
        cells_off: largest distance in cells between the perturbed patch and the cell that changes most; None if not measured, or nothing stands out.
        remark: why something was not measured.
    """

    name: str
    standing: str
    grid: tuple[int, int]
    traced: list[tuple[float, float]] = field(default_factory=list)
    measured: list[tuple[float, float]] = field(default_factory=list)
    steps: tuple[float, float] | None = None
    mismatch: float | None = None
    direct_mismatch: float | None = None
    cells_off: float | None = None
    remark: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether its cells look elsewhere than traced."""
        if self.mismatch is not None:
            return self.mismatch > TOLERANCE
        return self.cells_off is not None and self.cells_off > 0.5


def measure_layers(network: TorchNetwork, layers: Sequence[Layer], input_size: tuple[int, int]) -> list[MeasuredLayer]:
    """Measure some layers of a network."""
    names = [one.name for one in layers]
    infos = network.inspect(names, input_size)
    entries = {
        name: entry for name in names
        if isinstance(entry := network.read_layer(name, infos[name], input_size, "receptive-field"), ProbedLayer)
    }  # fmt: skip
    runner = _Runner(network, entries, input_size, torch.float32)
    measured = runner.measure_gradients()
    runner.measure_patches(measured)
    doubtful = {
        one.name: entries[one.name] for one in measured
        if one.is_wrong or (one.mismatch is None and one.standing != "position")
    }  # fmt: skip
    # Single precision may overflow; linear attention needs functions that are zero below zero.
    for slope in (1.0, 0.0):
        if doubtful:
            runner = _Runner(network, doubtful, input_size, torch.float64, slope)
            again = {one.name: one for one in runner.measure_gradients()}
            runner.measure_direct_paths(again.values())
            runner.measure_patches(again.values())
            measured = [again.get(one.name, one) for one in measured]
            doubtful = {one.name: entries[one.name] for one in measured if one.is_wrong and _is_noise(one, input_size)}
    return measured


def _is_noise(one: MeasuredLayer, input_size: tuple[int, int]) -> bool:
    """Return whether cells were found at distances that no layer has."""
    own_step = input_size[1] / one.grid[1]
    return one.steps is not None and abs(one.steps[1] - own_step) > own_step / 4


class _Runner:
    """Runs the neutral copy of a network and reads its layers as the project does."""

    def __init__(
        self, network: TorchNetwork, entries: Mapping[str, ProbedLayer], input_size: tuple[int, int], dtype: torch.dtype,
        slope: float = 1,
    ) -> None:  # fmt: skip
        self._network = replace(network, module=make_neutral_copy(network.module, dtype))
        self._network._fit(self._network.module, input_size)  # noqa: SLF001
        self._entries = entries
        self._size = input_size
        self._dtype = dtype
        self._slope = slope
        self._channels = network.make_module_input(input_size).shape[1]
        self._has_upsampling = False

    def measure_gradients(self, upsampling: float = 1) -> list[MeasuredLayer]:
        """Measure all layers by gradients: sample b of the batch shows cell b."""
        x = self._make_input(len(PLACES)).requires_grad_()
        with torch.enable_grad():
            outputs, problem, scaled = self._run(x, upsampling)
            self._has_upsampling |= bool(scaled)
            return [self._measure_gradient(one, outputs.get(name), x, problem) for name, one in self._entries.items()]

    def measure_direct_paths(self, measured: Iterable[MeasuredLayer]) -> None:
        """Measure layers with a mismatch again, with everything that is scaled up made weak."""
        wrong = {one.name: one for one in measured if one.is_wrong}
        if wrong and self._has_upsampling:
            for one in self.measure_gradients(_WEAK):
                if one.name in wrong:
                    wrong[one.name].direct_mismatch = one.mismatch

    def _measure_gradient(
        self, entry: ProbedLayer, output: torch.Tensor | None, x: torch.Tensor, problem: str
    ) -> MeasuredLayer:
        layer = entry.layer
        result = MeasuredLayer(layer.name, find_standing(layer), layer.grid)
        if output is None or not output.requires_grad:
            result.remark = problem or "no gradient"
            return result
        cells = entry.axes(output, len(x))
        blocks = [_choose_blocks(count) for count in layer.grid]
        weights = torch.rand(cells.shape[-1], generator=torch.Generator().manual_seed(2), dtype=x.dtype)
        loss = cells.new_zeros(())
        for b in range(len(PLACES)):
            (row, rows), (column, columns) = ((starts[b], size) for starts, size in blocks)
            loss = loss + (cells[b, row : row + rows, column : column + columns] * weights).sum()
        (gradient,) = torch.autograd.grad(loss, x, retain_graph=True, allow_unused=True)
        if gradient is None or not gradient.any():
            result.remark = "no gradient"
            return result
        own_step = tuple(side / count for side, count in zip(self._size, layer.grid, strict=True))
        # Behind attention a cell looks at its own place, if a path leads around the attention; else at no place.
        widths = [_DIFFUSE * side for side in self._size]
        if result.standing == "position":
            widths = [_OWN_WIDTH * step * math.hypot(1, size) for step, (_, size) in zip(own_step, blocks, strict=True)]
        found = [locate(one, own_step, widths) for one in gradient.double().abs().sum(1)]
        result.traced = [
            tuple(
                compute_center(layer.field, starts[b] + (size - 1) / 2, axis)
                for axis, (starts, size) in enumerate(blocks)
            )
            for b in range(len(PLACES))
        ]  # type: ignore[misc]
        if None in found:
            result.remark = "gradients show no place"
            return result
        result.measured = found  # type: ignore[assignment]
        _compare(result, layer.field, blocks, own_step)
        return result

    def measure_patches(self, measured: Iterable[MeasuredLayer]) -> None:
        """Perturb three patches, and look in which cells layers behind attention change most.

        This is done where gradients show no place, and where they show another one.
        """
        groups: dict[Any, list[MeasuredLayer]] = {}
        for one in measured:
            if one.standing == "position" and (one.mismatch is None or one.is_wrong):
                layer = self._entries[one.name].layer
                groups.setdefault((layer.grid, layer.field), []).append(one)
        for (grid, field_map), group in list(groups.items())[:2]:
            cells = [tuple(min(int(place * count), count - 1) for count in grid) for place in PLACES]
            x = self._make_input(1).repeat(1 + len(PLACES), 1, 1, 1)
            for b, cell in enumerate(cells, start=1):
                rows, columns = (
                    _cut_patch(compute_center(field_map, cell[axis], axis), field_map.step[axis], self._size[axis])
                    for axis in (0, 1)
                )
                x[b, :, rows, columns] += 0.3
            with torch.no_grad():
                outputs, _, _ = self._run(x)
            for one in group:
                if one.name in outputs:
                    one.cells_off = _find_cells_off(self._entries[one.name].axes(outputs[one.name], len(x)), cells)

    def _make_input(self, images: int) -> torch.Tensor:
        """Return nearly constant images: with strong ones, gates and norms would move the centers."""
        generator = torch.Generator().manual_seed(3)
        coarse = torch.rand(images, self._channels, 9, 9, generator=generator, dtype=self._dtype)
        return 0.5 + 0.004 * functional.interpolate(coarse, self._size, mode="bicubic", align_corners=False)

    def _run(self, x: torch.Tensor, upsampling: float = 1) -> tuple[dict[str, torch.Tensor], str, list[str]]:
        """Return the raw outputs of the layers, what ended the forward pass early, and what scaled something up."""
        network = self._network
        names = network.find_parts(network.module).keys()
        selectors = {name: layer_names.parse_layer_name(name, names) for name in self._entries}
        outputs: dict[str, torch.Tensor] = {}

        def record(name: str, value: Any) -> None:
            tensor = selectors[name].pick(value)  # type: ignore[union-attr]
            if tensor is not None:
                outputs[name] = tensor.clone()

        problem = ""
        with (
            evaluation_mode(network.module), network.hook_layers(network.module, selectors, record),
            smooth_operators(upsampling=upsampling, slope=self._slope) as scaled,
        ):  # fmt: skip
            try:
                network._call(network.module, x)  # noqa: SLF001
            except Exception as error:  # noqa: BLE001 - what ran before is measured
                problem = f"{type(error).__name__}: {str(error)[:200]}"
        return outputs, problem, scaled


def _choose_blocks(count: int) -> tuple[list[int], int]:
    """Return the first cells of the blocks whose mean is measured, and a block's length.

    Blocks begin at multiples of their length, so that the fractions of a step that scaled-up layers are off cancel.
    """
    length = 1
    while length < 32 and length * 14 <= count:
        length *= 2
    return [min(round(place * (count - length) / length) * length, count - length) for place in PLACES], length


def locate(gradient: torch.Tensor, step: Sequence[float], widths: Sequence[float]) -> tuple[float, float] | None:
    """Return the center of the absolute gradients (H, W) of a cell, without their background.

    Args:
        gradient: the absolute gradients.
        step: along both axes, over which they are smoothed.
        widths: standard deviations above which they show no place.

    Returns:
        row and column; None if the gradients show no place.
    """
    kernel = [2 * int(one // 2) + 1 for one in step]
    smooth = functional.avg_pool2d(
        gradient[None, None], kernel, 1, [one // 2 for one in kernel], count_include_pad=False
    )[0, 0]
    smooth = (smooth - smooth.median()).clamp(min=0)
    weights = torch.where(smooth > _CUT * smooth.max(), smooth, 0)
    if not torch.isfinite(weights).all() or not weights.any():
        return None
    center = []
    for axis in (0, 1):
        line = weights.sum(1 - axis)
        place = torch.arange(len(line), dtype=line.dtype)
        mean = (line * place).sum() / line.sum()
        if ((line * (place - mean) ** 2).sum() / line.sum()).sqrt() > widths[axis]:
            return None
        center.append(float(mean))
    return center[0], center[1]


def _compare(
    result: MeasuredLayer, field_map: FieldMap, blocks: Sequence[tuple[list[int], int]], own_step: Sequence[float]
) -> None:
    mismatch = 0.0
    for axis, (starts, _) in enumerate(blocks):
        step = (result.measured[-1][axis] - result.measured[0][axis]) / (starts[-1] - starts[0])
        if axis == 1:
            result.steps = (field_map.step[1], step)
        unit = step if step > own_step[axis] / 4 else own_step[axis]
        for traced, measured in zip(result.traced, result.measured, strict=True):
            mismatch = max(mismatch, abs(traced[axis] - measured[axis]) / unit)
    result.mismatch = mismatch


def _cut_patch(center: float, step: float, side: int) -> slice:
    first = max(0, min(round(center - (step - 1) / 2), side - 1))
    return slice(first, max(first + 1, min(side, first + round(step))))


def _find_cells_off(cells: torch.Tensor, expected: Sequence[tuple[int, ...]]) -> float | None:
    """Return the largest distance between a perturbed cell and the one that changes most; None if none stands out."""
    worst = 0.0
    for b, (row, column) in enumerate(expected, start=1):
        change = (cells[b] - cells[0]).abs().sum(-1)
        if (
            not float(change.max()) > 3 * float(change.median())
            or int((change > change.max() / 2).sum()) > _MOST_CHANGED
        ):
            return None
        found = int(change.argmax())
        worst = max(worst, math.hypot(found // change.shape[1] - row, found % change.shape[1] - column))
    return worst
