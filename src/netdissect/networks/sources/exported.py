"""Programs of ``torch.export`` (``FILE.pt2``) as networks; layers are the exported modules, by their own names.

``torch.export.load`` runs code that a file may hold, so a file is opened only if the user trusts it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import math
import warnings
import zipfile
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from netdissect.errors import ModelFileError, ModelNotFoundError, SettingsError, root_message
from netdissect.networks import budgets
from netdissect.networks.fingerprint import hash_preprocess
from netdissect.networks.input_spec import InputSpec
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.module_copies import find_device
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.torch_network import TorchNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.load_options import LoadOptions

#: Operators that behave differently in training mode, and the argument that says so.
_TRAINING = {"batch_norm": 5, "native_batch_norm": 5, "_native_batch_norm_legit": 5, "dropout": 2, "native_dropout": 2}
#: A dynamic size with an upper bound of at least this counts as unbounded.
_UNBOUNDED = 1 << 16
#: Archive members of every ``.pt2`` file, below a folder of the archive's name.
_MEMBERS = ("archive_format", "models/model.json")


@dataclass(frozen=True, eq=False, repr=False)
class ExportedNetwork(TorchNetwork):
    """A program of ``torch.export``, unflattened into the modules it was exported from.

    It runs as it was exported: no folding, contiguous inputs, and the batch and image size that the program fixes.

    Attributes:
        data: the file's bytes; workers open the program again from them.
        spec: what the program fixes of its input.
    """

    layout: ClassVar[torch.memory_format] = torch.contiguous_format
    takes_execution: ClassVar[bool] = False
    takes_removal: ClassVar[bool] = False
    _: KW_ONLY
    data: bytes
    spec: InputSpec

    def fingerprint(self) -> str:
        """Return a hash of the file's bytes and of the preprocessing."""
        hashed = hashlib.blake2b(self.data, digest_size=16)
        hash_preprocess(hashed, self.preprocess)
        return hashed.hexdigest()

    def accepts_size(self, input_size: tuple[int, int]) -> bool:
        """Return whether the program takes images of this size."""
        return self.spec.allows(input_size)

    def make_blank_input(self, input_size: tuple[int, int], device: torch.device) -> torch.Tensor:
        """Return black images as its input.

        Raises:
            ModelError: if it takes images of another size or depth.
        """
        self.spec.check(self.name, input_size, self.preprocess.depth)
        return super().make_blank_input(input_size, device)

    def copy_for_inspection(self) -> tuple[nn.Module, str]:
        """Return the modules themselves, since no other code uses them."""
        return self.module, ""

    def copy_for_probing(
        self,
        selectors: Mapping[str, LayerSelector],  # noqa: ARG002 - nothing is folded
        input_size: tuple[int, int],  # noqa: ARG002 - nothing is resized
        device: torch.device,
    ) -> nn.Module:
        """Return the modules on a device."""
        if device == find_device(self.module):
            return self.module
        from torch.export.passes import move_to_device_pass

        with _silence_torch():
            moved = move_to_device_pass(_open_program(self.source, self.data), str(device))
        return _unflatten(self.source, moved)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the modules, which cannot be pickled."""
        return self.__dict__ | {"module": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open the program again from its bytes."""
        self.__dict__.update(state)
        self.__dict__["module"] = _unflatten(self.source, _open_program(self.source, self.data))


def load_exported(model: str, options: LoadOptions) -> ExportedNetwork:
    """Return the network in a ``.pt2`` file, if the user trusts the file.

    Raises:
        ModelNotFoundError: if there is no such file.
        SettingsError: if the file is not trusted.
        ModelFileError: if it is damaged, of another kind, or takes anything but images.
    """
    path = Path(model)
    if path.is_dir() or not path.exists():
        raise ModelNotFoundError(
            f"{path}: expected a file of torch.export.save, got {'a folder' if path.is_dir() else 'none'}"
        )
    if not options.trust:
        raise SettingsError(
            f"{path} may hold code, which torch runs when it opens the file: give --trust (in Python "
            f"netdissect.load_network(…, trust=True)) if you trust whoever made it, or export the network to ONNX"
        )
    data = budgets.read_model_file(path, "a file of torch.export.save")
    _check_archive(path, data)
    network = open_program(path.stem, str(path), data)
    return network.with_preprocess(override_preprocess(network.preprocess, options))


def open_program(name: str, path: str, data: bytes, preprocess: Preprocess | None = None) -> ExportedNetwork:
    """Open the bytes of a program, which may run code from it.

    Args:
        name: short name of the network.
        path: of its file, for error messages.
        data: the file's bytes.
        preprocess: how images become its input; None assumes ImageNet statistics, with a note.

    Raises:
        ModelFileError: if the program is damaged, was exported in training mode, or takes anything but images.
    """
    program = _open_program(path, data)
    _check_evaluation_mode(path, program)
    spec = _read_input_spec(path, program)
    note = "assumed: ImageNet statistics; an exported program states none"
    return ExportedNetwork(
        _unflatten(path, program),
        preprocess=preprocess or Preprocess(grayscale=spec.channels == 1, note=note),
        name=name,
        source=path,
        input_size=spec.size,
        batch=spec.batch,
        data=data,
        spec=spec,
    )


def wrap_program(program: Any, preprocess: Preprocess | None = None, *, name: str | None = None) -> ExportedNetwork:
    """Return a ``torch.export.ExportedProgram`` as a network."""
    called = name or type(program).__name__
    out = io.BytesIO()
    with _silence_torch():
        torch.export.save(program, out)
    return open_program(called, called, out.getvalue(), preprocess)


def _check_archive(path: Path, data: bytes) -> None:
    """Check that a file is an archive of ``torch.export.save`` that does not unpack to more than `budgets` allows."""
    budgets.check_archive_size(path, io.BytesIO(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name.partition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ModelFileError(
            f"{path}: expected a file of torch.export.save, got one that is damaged or of another kind"
        ) from error
    if not members.issuperset(_MEMBERS):
        raise ModelFileError(
            f"{path}: expected a file of torch.export.save from torch 2.8 or later, got another kind of archive"
        )


def _open_program(path: str, data: bytes) -> Any:
    try:
        with _silence_torch():
            return torch.export.load(io.BytesIO(data))
    except Exception as error:
        raise ModelFileError(
            f"{path}: torch {torch.__version__} cannot open it: it is damaged, or another version of torch saved it"
        ) from error


@contextlib.contextmanager
def _silence_torch() -> Iterator[None]:
    """Suppress torch's warnings and log messages about its own code."""
    log = logging.getLogger("torch.export")
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = was_disabled


def _unflatten(path: str, program: Any) -> nn.Module:
    """Return the modules that a program was exported from."""
    try:
        with _silence_torch():
            modules: nn.Module = torch.export.unflatten(program)
    except Exception as error:
        raise ModelFileError(
            f"{path}: its modules cannot be restored ({root_message(error)}): export it to ONNX instead"
        ) from error
    return modules.requires_grad_(requires_grad=False)


def _check_evaluation_mode(path: str, program: Any) -> None:
    training = bool(program.graph_signature.buffers_to_mutate)
    for part in program.graph_module.modules():
        for node in getattr(getattr(part, "graph", None), "nodes", ()):
            name = getattr(getattr(node.target, "overloadpacket", None), "__name__", "")
            position = _TRAINING.get(name)
            if position is not None and len(node.args) > position and node.args[position] is True:
                # A norm without running statistics always uses the batch's, as weight standardization does.
                training |= "norm" not in name or node.args[3] is not None
    if training:
        raise ModelFileError(
            f"{path} was exported in training mode, in which its activations differ: call .eval() and export it again"
        )


def _read_input_spec(path: str, program: Any) -> InputSpec:
    """Return the batch size, channels and image size that the program fixes.

    Raises:
        ModelFileError: if its input is anything but images.
    """
    names = program.graph_signature.user_inputs
    expected = f"{path}: expected a network with one input, images (B, 3, H, W)"
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(names) != 1 or len(values) != 1 or not isinstance(values[0], torch.Tensor):
        raise ModelFileError(f"{expected}; got {len(names)} inputs")
    if values[0].ndim != 4 or not values[0].is_floating_point():
        raise ModelFileError(f"{expected}; got one of {values[0].ndim} dimensions, {values[0].dtype}")
    batch_size, *others = values[0].shape
    batch = _find_max_size(batch_size, program.range_constraints)
    channels, height, width = (size if isinstance(size, int) else None for size in others)
    if channels not in (None, 1, 3):
        raise ModelFileError(f"{expected}; got one of {channels} channels")
    return InputSpec(batch, channels, height, width)


def _find_max_size(size: Any, ranges: Mapping[Any, Any]) -> int | None:
    """Return a fixed size, or the upper bound of a dynamic one; None if it has no bound."""
    if isinstance(size, int):
        return size
    upper = getattr(ranges.get(size.node.expr), "upper", math.inf)
    return int(upper) if upper < _UNBOUNDED else None
