"""Receptive fields of any torch network, traced by running it once (METHOD, § 2).

Every operation of one real forward pass is watched, below Python and below every module: convolutions, poolings, adds,
concatenations, whatever the code is. Each tensor carries what its dimensions mean and its field map; an operation
composes them, passes them on, or loses them. A layer whose field map was lost gets an even grid.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from netdissect.geometry import fieldmap
from netdissect.layers import FieldMap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: One indivisible piece of a dimension: what it means ("n", "c", "y", "x" or "?") and its length.
_Atom = tuple[str, int]
_Dims = tuple[tuple[_Atom, ...], ...]


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of a tensor that was computed from the picture.

    Attributes:
        dims: what every dimension means.
        field: where the cells look; None once it was lost.
    """

    dims: _Dims
    field: FieldMap | None

    def axis(self, meaning: str) -> int | None:
        """Return the dimension that means only this, or None."""
        for position, atoms in enumerate(self.dims):
            if all(atom[0] == meaning for atom in atoms):
                return position
        return None

    @property
    def spatial(self) -> tuple[int, int] | None:
        """The dimensions of y and x, or None where they are not both whole dimensions."""
        y, x = self.axis("y"), self.axis("x")
        return None if y is None or x is None else (y, x)

    @property
    def is_image(self) -> bool:
        """Whether the dimensions are (n, c, y, x)."""
        return len(self.dims) == 4 and (self.axis("c"), self.spatial) == (1, (2, 3))


class FieldTracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches every operation inside its block and keeps a Track for every tensor computed from the picture.

    Example:
        >>> import torch
        >>> picture = torch.zeros(1, 3, 32, 32)
        >>> with torch.no_grad(), FieldTracer(picture) as tracer:
        ...     y = torch.nn.functional.conv2d(picture, torch.zeros(4, 3, 3, 3), stride=2, padding=1)
        >>> tracer.of(y).field
        FieldMap(offset=(-1, -1), size=(3, 3), step=(2, 2))
    """

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        dims = tuple(((meaning, size),) for meaning, size in zip("ncyx", picture.shape, strict=True))
        # Tensors are held so that no identity is given out twice while tracing.
        self._tracks: dict[int, tuple[torch.Tensor, Track]] = {}
        self._set(picture, Track(dims, fieldmap.IDENTITY))
        #: How many operations read a tensor, by its identity.
        self.uses: Counter[int] = Counter()

    def of(self, tensor: torch.Tensor) -> Track | None:
        """Return what is known of a tensor; None if it does not depend on the picture."""
        entry = self._tracks.get(id(tensor))
        return entry[1] if entry is not None else None

    def _set(self, tensor: torch.Tensor, track: Track) -> None:
        self._tracks[id(tensor)] = (tensor, track)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and derive the tracks of its outputs."""
        kwargs = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        tracked = [(tensor, track) for tensor in inputs if (track := self.of(tensor)) is not None]
        result = func(*args, **kwargs)
        self.uses.update(id(tensor) for tensor, _ in tracked)
        if tracked:
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            rule = _RULES.get(func.overloadpacket.__name__, _pointwise)
            for index, output in enumerate(outputs):
                self._set(output, rule(_Call(args, tracked, output, index, self.of)))
        return result


@dataclass(frozen=True, slots=True)
class _Call:
    args: tuple[Any, ...]
    tracked: Sequence[tuple[torch.Tensor, Track]]
    output: torch.Tensor
    index: int
    of: Callable[[torch.Tensor], Track | None]

    @property
    def first(self) -> Track:
        return self.tracked[0][1]

    def argument(self, position: int, default: Any = None) -> Any:
        return self.args[position] if position < len(self.args) else default

    def lost(self) -> Track:
        return Track(tuple((("?", size),) for size in self.output.shape), None)

    def resized(self, track: Track, field: FieldMap | None) -> Track:
        """Return the track of an output whose dimensions mean the same and have new lengths."""
        if len(track.dims) != self.output.ndim:
            return self.lost()
        dims = tuple(
            atoms if math.prod(length for _, length in atoms) == size else ((atoms[0][0], size),)
            for atoms, size in zip(track.dims, self.output.shape, strict=True)
        )
        return Track(dims, field)


def _shape(track: Track) -> tuple[int, ...]:
    return tuple(math.prod(size for _, size in atoms) for atoms in track.dims)


def _pair(value: Any, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    numbers = list(value or default)
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _pointwise(call: _Call) -> Track:
    """Elementwise, normalising and unknown operations that keep the shape: paths join, the widest field wins.

    An input that is broadcast over y and x, as in squeeze-and-excitation, has no say.
    """
    shape = tuple(call.output.shape)
    full = [track for tensor, track in call.tracked if tuple(tensor.shape) == shape]
    if not full:
        full = [track for tensor, track in call.tracked if _covers(track, tuple(tensor.shape), shape)]
    if not full:
        return call.lost()
    if any(track.field is None for track in full):
        return Track(full[0].dims, None) if _shape(full[0]) == shape else call.lost()
    field = fieldmap.widest(track.field for track in full if track.field is not None)
    return Track(full[0].dims, field) if _shape(full[0]) == shape else call.resized(full[0], field)


def _covers(track: Track, tensor: tuple[int, ...], output: tuple[int, ...]) -> bool:
    """Tell whether a broadcast leaves y and x alone, as a channel-wise product with one channel does."""
    if len(tensor) != len(output) or track.spatial is None:
        return False
    return all(tensor[axis] == output[axis] for axis in track.spatial)


def _convolution(call: _Call) -> Track:
    _, weight, _, stride, padding, dilation, transposed, _, _ = call.args[:9]
    if not call.first.is_image or call.first.field is None or weight.ndim != 4:
        return call.lost() if not call.first.is_image else call.resized(call.first, None)
    make = fieldmap.transposed_window if transposed else fieldmap.window
    window = make(
        (weight.shape[2], weight.shape[3]), stride=_pair(stride), padding=_pair(padding), dilation=_pair(dilation)
    )
    return call.resized(call.first, fieldmap.compose(call.first.field, window))


def _pool(call: _Call) -> Track:
    if not call.first.is_image or call.first.field is None:
        return call.lost()
    kernel = _pair(call.args[1])
    stride = _pair(call.argument(2), kernel)
    padding = _pair(call.argument(3), (0, 0))
    # avg_pool2d has ceil_mode where max_pool2d has dilation.
    dilation = call.argument(4, 1)
    window = fieldmap.window(
        kernel, stride=stride, padding=padding, dilation=(1, 1) if isinstance(dilation, bool) else _pair(dilation)
    )
    return call.resized(call.first, fieldmap.compose(call.first.field, window))


def _adaptive_pool(call: _Call) -> Track:
    track = call.first
    if not track.is_image or track.field is None:
        return call.lost()
    sizes = _shape(track)[2:]
    cells = tuple(call.output.shape[2:])
    if any(size % count for size, count in zip(sizes, cells, strict=True)):
        return call.resized(track, None)
    kernel = (sizes[0] // cells[0], sizes[1] // cells[1])
    return call.resized(track, fieldmap.compose(track.field, fieldmap.window(kernel, stride=kernel)))


def _reduce(call: _Call) -> Track:
    """Mean, sum or maximum over dimensions: over y and x it sees everything below; over others it keeps the map."""
    track = call.first
    reduced = call.argument(1)
    keep = bool(call.argument(2, False))
    if reduced is None or isinstance(reduced, bool):
        return call.lost()
    axes = {axis % len(track.dims) for axis in ([reduced] if isinstance(reduced, int) else reduced)}
    spatial = track.spatial
    field = track.field
    if spatial is None or field is None or axes & set(spatial) not in (set(), set(spatial)):
        return call.lost()
    if axes >= set(spatial):
        shape = _shape(track)
        kernel = (shape[spatial[0]], shape[spatial[1]])
        field = fieldmap.compose(field, fieldmap.window(kernel, stride=kernel))
    dims = tuple(
        ((atoms[0][0], 1),) if axis in axes else atoms
        for axis, atoms in enumerate(track.dims)
        if keep or axis not in axes
    )
    return Track(dims, field)


def _concatenate(call: _Call) -> Track:
    parts = [call.of(tensor) for tensor in call.args[0]]
    axis = call.argument(1, 0) % call.output.ndim
    known = [part for part in parts if part is not None]
    if any(part.field is None for part in known) or (len(known) < len(parts) and known[0].axis("c") != axis):
        return call.lost()
    if known[0].axis("c") != axis or any(part.spatial != known[0].spatial for part in known):
        return call.lost()
    field = fieldmap.widest(part.field for part in known if part.field is not None)
    return call.resized(known[0], field)


def _permute(call: _Call) -> Track:
    order = [axis % len(call.first.dims) for axis in call.args[1]]
    return Track(tuple(call.first.dims[axis] for axis in order), call.first.field)


def _transpose(call: _Call) -> Track:
    dims = list(call.first.dims)
    a, b = call.argument(1, 0), call.argument(2, 1)
    dims[a], dims[b] = dims[b], dims[a]
    return Track(tuple(dims), call.first.field)


def _view(call: _Call) -> Track:
    """Regroup dimensions; what they mean survives as long as no y or x is cut in two."""
    shape = tuple(call.output.shape)
    atoms = [atom for group in call.first.dims for atom in group if atom[1] != 1]
    dims: list[tuple[_Atom, ...]] = []
    for size in shape:
        group: list[_Atom] = []
        have = 1
        while have < size:
            if not atoms:
                return call.lost()
            meaning, length = atoms.pop(0)
            if have * length > size:
                part = size // have
                if meaning in "yx" or size % have or length % part:
                    return call.lost()
                group.append((meaning, part))
                atoms.insert(0, (meaning, length // part))
                have = size
            else:
                group.append((meaning, length))
                have *= length
        if have != size:
            return call.lost()
        dims.append(tuple(group) or (("?", 1),))
    return Track(_with_ones(call.first, tuple(dims)), call.first.field)


def _with_ones(before: Track, dims: _Dims) -> _Dims:
    """Give dimensions of length 1 their meaning back where the shape did not change at all."""
    same = len(before.dims) == len(dims) and all(
        math.prod(size for _, size in a) == math.prod(size for _, size in b)
        for a, b in zip(before.dims, dims, strict=True)
    )
    return before.dims if same else dims


def _unsqueeze(call: _Call) -> Track:
    dims = list(call.first.dims)
    dims.insert(call.args[1] % (len(dims) + 1), (("?", 1),))
    return Track(tuple(dims), call.first.field)


def _matrix_product(call: _Call) -> Track:
    """A linear map of the last dimension of the first matrix leaves the others alone."""
    matrices = [arg for arg in call.args if isinstance(arg, torch.Tensor)]
    left = call.of(matrices[1] if len(matrices) == 3 else matrices[0])
    right = call.of(matrices[-1])
    if left is None or right is not None or len(left.dims) != call.output.ndim:
        return call.lost()
    return _mixed(call, left)


def _linear(call: _Call) -> Track:
    left = call.of(call.args[0])
    return call.lost() if left is None else _mixed(call, left)


def _mixed(call: _Call, left: Track) -> Track:
    """Replace the last dimension by channels; where it held y or x, cells no longer look at one place."""
    spatial = any(meaning in "yx" for meaning, _ in left.dims[-1])
    return Track((*left.dims[:-1], (("c", call.output.shape[-1]),)), None if spatial else left.field)


def _slice(call: _Call) -> Track:
    """A crop shifts the field map, a stride widens its step."""
    axis, start, _, step = (call.argument(i, d) for i, d in ((1, 0), (2, 0), (3, None), (4, 1)))
    track, spatial = call.first, call.first.spatial
    axis %= len(track.dims)
    if _shape(track) == tuple(call.output.shape):
        return track
    if any(len(atoms) > 1 for atoms in track.dims):
        return call.lost()
    if track.field is None or spatial is None or axis not in spatial:
        return call.resized(track, track.field)
    length = _shape(track)[axis]
    begin = min(max(start + length if start < 0 else start, 0), length) if start is not None else 0
    offset, stride = [0, 0], [1, 1]
    offset[spatial.index(axis)], stride[spatial.index(axis)] = -begin, step
    window = fieldmap.window((1, 1), stride=(stride[0], stride[1]), padding=(offset[0], offset[1]))
    return call.resized(track, fieldmap.compose(track.field, window))


def _pad(call: _Call) -> Track:
    track = call.first
    widths = list(call.args[1])
    if not track.is_image or track.field is None or len(widths) > 4:
        return call.lost()
    left, top = widths[0], widths[2] if len(widths) == 4 else 0
    return call.resized(track, fieldmap.compose(track.field, fieldmap.window((1, 1), padding=(top, left))))


def _resample(call: _Call) -> Track:
    track = call.first
    if not track.is_image or track.field is None:
        return call.lost()
    before, after = _shape(track)[2:], call.output.shape[2:]
    window = FieldMap((0, 0), (1, 1), (before[0] / after[0], before[1] / after[1]))
    return call.resized(track, fieldmap.compose(track.field, window))


def _split(call: _Call) -> Track:
    axis = call.argument(2, 0) % len(call.first.dims)
    if any(meaning in "yx?" for meaning, _ in call.first.dims[axis]):
        return call.lost()
    return call.resized(call.first, call.first.field)


def _first_output(call: _Call) -> Track:
    """Normalisations return statistics behind their result."""
    return _pointwise(call) if call.index == 0 else call.lost()


def _lose(call: _Call) -> Track:
    return call.lost()


def _softmax(call: _Call) -> Track:
    axis = call.args[1] % len(call.first.dims)
    return _pointwise(call) if axis == call.first.axis("c") else call.lost()


_RULES: Mapping[str, Callable[[_Call], Track]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "avg_pool2d": _pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "mean": _reduce,
    "sum": _reduce,
    "amax": _reduce,
    "cat": _concatenate,
    "permute": _permute,
    "transpose": _transpose,
    "t": _transpose,
    "view": _view,
    "_unsafe_view": _view,
    "reshape": _view,
    "_reshape_alias": _view,
    "squeeze": _view,
    "unsqueeze": _unsqueeze,
    "addmm": _matrix_product,
    "mm": _matrix_product,
    "linear": _linear,
    "slice": _slice,
    "select": _lose,
    "constant_pad_nd": _pad,
    "upsample_nearest2d": _resample,
    "_upsample_nearest_exact2d": _resample,
    "upsample_bilinear2d": _resample,
    "_upsample_bilinear2d_aa": _resample,
    "split": _split,
    "split_with_sizes": _split,
    "unbind": _lose,
    "native_batch_norm": _first_output,
    "native_layer_norm": _first_output,
    "native_group_norm": _first_output,
    "_softmax": _softmax,
    "_log_softmax": _softmax,
    "bmm": _lose,
    "baddbmm": _lose,
    "roll": _lose,
    "flip": _lose,
    "sort": _lose,
    "cumsum": _lose,
    "index": _lose,
    "gather": _lose,
    "grid_sampler_2d": _lose,
    "_scaled_dot_product_flash_attention_for_cpu": _lose,
    "_scaled_dot_product_flash_attention": _lose,
    "_scaled_dot_product_efficient_attention": _lose,
    "_scaled_dot_product_attention_math": _lose,
    "_scaled_dot_product_fused_attention_overrideable": _lose,
    "_fft_c2c": _lose,
    "_fft_r2c": _lose,
    "_fft_c2r": _lose,
}
