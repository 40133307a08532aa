"""A ``.pt2`` file as a network that is probed: layers are the modules it was exported from, by their own names."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import MissingExtraError, ModelFileError, ModelNotFoundError, root_message
from netdissect.networks import budgets
from netdissect.networks.fingerprint import hash_preprocess
from netdissect.networks.input_spec import InputSpec
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.network import TorchNetwork
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.exported.screen import screened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.load_options import LoadOptions

#: Operators that behave otherwise in training, and where that is said among their arguments.
_TRAINING = {"batch_norm": 5, "native_batch_norm": 5, "_native_batch_norm_legit": 5, "dropout": 2, "native_dropout": 2}
_UNBOUNDED = 1 << 16


class ExportedNetwork(TorchNetwork):
    """A program of ``torch.export``, opened as the modules it was exported from.

    It stays what was exported: contiguous, unfolded, for so many images at once and of such a size as the file says.
    """

    layout = torch.contiguous_format
    pace = None

    def __init__(
        self, name: str, path: str, data: bytes, preprocess: Preprocess | None = None, *, trusted: bool = False
    ) -> None:
        """Take the bytes of a file.

        Args:
            name: what people call it.
            path: where it lay.
            data: its bytes.
            preprocess: how images become its input; None takes ImageNet's numbers, and says so.
            trusted: whether it need not be screened.

        Raises:
            ModelFileError: if it is damaged, unsafe to open, or takes anything else than images.
        """
        if not trusted:
            screened(path, data)
        self._data = data
        self._path = path
        program = _open_program(path, data)
        _check_evaluation_mode(path, program)
        self._fixed = _read_input_spec(path, program)
        note = "assumed: ImageNet statistics; an exported program states none"
        super().__init__(
            _unflatten(path, program), preprocess or Preprocess(grey=self._fixed.channels == 1, note=note), name=name, source=path,
            input_size=self._fixed.size,
        )  # fmt: skip
        self.batch = self._fixed.batch

    def fingerprint(self) -> str:
        """Return a hash of the file and of its preprocessing."""
        hashed = hashlib.blake2b(self._data, digest_size=16)
        hash_preprocess(hashed, self.preprocess)
        return hashed.hexdigest()

    def accepts_size(self, input_size: tuple[int, int]) -> bool:
        """Tell whether the file lets it run on images of a size."""
        return self._fixed.allows(input_size)

    def make_blank_input(self, input_size: tuple[int, int]) -> torch.Tensor:
        """Return black images as its input.

        Raises:
            ModelError: if it takes images of another size or depth.
        """
        self._fixed.see(self.name, input_size, self.preprocess.depth)
        return super().make_blank_input(input_size)

    def copy_for_inspection(self) -> tuple[nn.Module, str]:
        """Return the modules: they are this network's own, so that no copy is needed."""
        return self.module, ""

    def ready(
        self,
        selectors: Mapping[str, LayerSelector],  # noqa: ARG002 - nothing is folded
        input_size: tuple[int, int],  # noqa: ARG002 - nor fitted
        device: torch.device,
    ) -> nn.Module:
        """Return the modules on a device."""
        home = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        if device == home:
            return self.module
        from torch.export.passes import move_to_device_pass

        with _silence_warnings():
            moved = move_to_device_pass(_open_program(self._path, self._data), str(device))
        return _unflatten(self._path, moved)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs to open the file again: modules of this kind cannot be pickled."""
        return self.__dict__ | {"module": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open the file again."""
        self.__dict__.update(state)
        self.module = _unflatten(self._path, _open_program(self._path, self._data))


def load_exported(model: str, options: LoadOptions) -> ExportedNetwork:
    """Return the network in a ``.pt2`` file, with what was said of its preprocessing.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, unsafe to open, or takes anything else than images.
    """
    path = Path(model)
    if path.is_dir() or not path.exists():
        raise ModelNotFoundError(
            f"{path}: expected a file of torch.export.save, got {'a folder' if path.is_dir() else 'none'}"
        )
    found = ExportedNetwork(path.stem, str(path), budgets.read_model_file(path, "a file of torch.export.save"))
    found.preprocess = override_preprocess(found.preprocess, options)
    return found


def wrap_program(program: Any, preprocess: Preprocess | None = None, *, name: str | None = None) -> ExportedNetwork:
    """Return the network of a ``torch.export.ExportedProgram`` that is at hand."""
    called = name or type(program).__name__
    out = io.BytesIO()
    with _silence_warnings():
        torch.export.save(program, out)
    return ExportedNetwork(called, called, out.getvalue(), preprocess, trusted=True)


def _open_program(path: str, data: bytes) -> Any:
    """Open a file that was screened."""
    try:
        from torch.export.pt2_archive._package import load_pt2
    except ImportError as error:
        raise MissingExtraError(f"{path}: .pt2 files need torch 2.8 or later, this is {torch.__version__}") from error
    try:
        # Not torch.export.load: where this fails, it would read the file as another kind of archive, unscreened.
        with _silence_warnings():
            program = load_pt2(io.BytesIO(data)).exported_programs["model"]
        program._guards_code = []  # noqa: SLF001 - source text that would be evaluated
    except Exception as error:
        said = [line for line in str(error).strip().splitlines() if line.strip()]
        raise ModelFileError(
            f"{path}: torch {torch.__version__} cannot open it ({said[-1].strip()[:200] if said else type(error).__name__})"
        ) from error
    return program


@contextlib.contextmanager
def _silence_warnings() -> Iterator[None]:
    """Keep from its user what torch says of its own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _unflatten(path: str, program: Any) -> nn.Module:
    """Return a program as the modules it was exported from."""
    try:
        with _silence_warnings():
            modules: nn.Module = torch.export.unflatten(program)
    except Exception as error:
        raise ModelFileError(
            f"{path}: the modules it was exported from cannot be told apart ({root_message(error)}): export it to ONNX instead"
        ) from error
    return modules.requires_grad_(requires_grad=False)


def _check_evaluation_mode(path: str, program: Any) -> None:
    training = bool(program.graph_signature.buffers_to_mutate)
    for part in program.graph_module.modules():
        for node in getattr(getattr(part, "graph", None), "nodes", ()):
            name = getattr(getattr(node.target, "overloadpacket", None), "__name__", "")
            place = _TRAINING.get(name)
            if place is not None and len(node.args) > place and node.args[place] is True:
                # Without running statistics it is another norm, such as that of standardized weights.
                training |= "norm" not in name or node.args[3] is not None
    if training:
        raise ModelFileError(
            f"{path} was exported in training mode, in which it gives other activations: call .eval() and export it again"
        )


def _read_input_spec(path: str, program: Any) -> InputSpec:
    """Return what the file fixes of its input.

    Raises:
        ModelFileError: if it takes anything else than images.
    """
    names = program.graph_signature.user_inputs
    told = f"{path}: expected a network with one input, pictures (B, 3, H, W)"
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(names) != 1 or len(values) != 1 or not isinstance(values[0], torch.Tensor):
        raise ModelFileError(f"{told}; got {len(names)} inputs")
    if values[0].ndim != 4 or not values[0].is_floating_point():
        raise ModelFileError(f"{told}; got one of {values[0].ndim} dimensions, {values[0].dtype}")
    most, *others = values[0].shape
    batch = _max_size(most, program.range_constraints)
    channels, height, width = (size if isinstance(size, int) else None for size in others)
    if channels not in (None, 1, 3):
        raise ModelFileError(f"{told}; got one of {channels} channels")
    return InputSpec(batch, channels, height, width)


def _max_size(size: Any, ranges: Mapping[Any, Any]) -> int | None:
    """Return a number that is fixed, or the largest of a range that ends; None where it is free."""
    if isinstance(size, int):
        return size
    allowed = ranges.get(size.node.expr)
    most = getattr(allowed, "upper", math.inf)
    return int(most) if most < _UNBOUNDED else None
