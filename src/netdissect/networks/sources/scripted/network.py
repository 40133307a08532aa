"""A TorchScript file as a network that is probed: layers are its modules, by their qualified names."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelError, ModelFileError
from netdissect.networks import budgets
from netdissect.networks.fingerprint import hash_preprocess
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.network import GuardedCall, TorchNetwork
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.scripted.file import graphs, nodes, opened, told
from netdissect.networks.sources.scripted.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from torch import nn

    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.probe import LayerInfo

#: Operators that behave otherwise in training, and where that is said among their inputs.
_TRAINING = {"aten::batch_norm": 5, "aten::dropout": 2, "aten::feature_dropout": 2}


class ScriptedNetwork(TorchNetwork):
    """A module of TorchScript. In a frozen one, whose modules were merged, the values of its graph are the layers."""

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
            trusted: whether it may call more than what computes.

        Raises:
            ModelFileError: if it is damaged, or does more than compute.
        """
        self._data = data
        self._path = path
        self._trusted = trusted
        self._marks: dict[int, Marks] = {}
        note = "assumed: ImageNet statistics; a TorchScript file states none"
        super().__init__(
            self._opened(torch.device("cpu")),
            preprocess or Preprocess(note=note),
            name=name,
            source=path,
            call=self._run,
        )

    def _opened(self, device: torch.device) -> nn.Module:
        module = opened(self._path, self._data, device, trusted=self._trusted)
        _see_that_it_was_evaluating(self._path, module)
        self._marks[id(module)] = Marks(module)
        scripted: nn.Module = module
        return scripted

    def fingerprint(self) -> str:
        """Return a hash of the file and of its preprocessing."""
        hashed = hashlib.blake2b(self._data, digest_size=16)
        hash_preprocess(hashed, self.preprocess)
        return hashed.hexdigest()

    def parts(self, module: nn.Module) -> Mapping[str, nn.Module]:
        """Return its modules by qualified name, or the values of its graph."""
        return dict(module.named_modules()) | self._marks[id(module)].values

    def look(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run it once on an empty image; on one instead of two where it was traced for a single one."""
        try:
            return super().look(names, input_size)
        except ModelError:
            if self.batch is not None:
                raise
            self.batch = 1
            with contextlib.suppress(ModelError):
                return super().look(names, input_size)
            self.batch = None
            raise

    def copy_for_inspection(self) -> tuple[nn.Module, str]:
        """Return the module: it is this network's own, so that no copy is needed."""
        return self.module, ""

    def ready(
        self,
        selectors: Mapping[str, LayerSelector],  # noqa: ARG002 - nothing is folded
        input_size: tuple[int, int],  # noqa: ARG002 - nor fitted
        device: torch.device,
    ) -> nn.Module:
        """Return the module on a device."""
        return self.module if device.type == "cpu" else self._opened(device)

    @contextlib.contextmanager
    def watching(
        self, module: nn.Module, selectors: Mapping[str, LayerSelector], see: Callable[[str, Any], None]
    ) -> Iterator[None]:
        """Call ``see(name, value)`` whenever a selected module is entered or left."""
        wanted: dict[tuple[str, bool], list[str]] = defaultdict(list)
        for name, selector in selectors.items():
            wanted[selector.module, selector.is_input].append(name)

        def tell(module: str, entering: bool, value: Any) -> None:
            for name in wanted.get((module, entering), ()):
                see(name, value)

        marks = self._marks[id(module)]
        marks.see = tell
        try:
            yield
        finally:
            marks.see = None

    def _run(self, module: nn.Module, x: torch.Tensor) -> Any:
        marks = self._marks[id(module)]
        try:
            output = marks.run(module, x)
        except (RuntimeError, torch.jit.Error) as error:
            raise RuntimeError(told(error)) from None  # what the interpreter says besides is the program
        if marks.see is not None:
            marks.see("", False, output)
        return output

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs to open the file again: marks lie in the graphs of this process."""
        return self.__dict__ | {"module": None, "_marks": {}, "_call": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open the file again."""
        self.__dict__.update(state)
        self._call = GuardedCall(self._run)
        self.module = self._opened(torch.device("cpu"))


def network(model: str, options: LoadOptions) -> ScriptedNetwork:
    """Return the network in a TorchScript file, with what was said of its preprocessing.

    Raises:
        ModelFileError: if it is damaged, or does more than compute.
    """
    path = Path(model)
    found = ScriptedNetwork(path.stem, str(path), budgets.read_model_file(path, "TorchScript file"))
    found.preprocess = override_preprocess(found.preprocess, options)
    return found


def of_module(module: Any, preprocess: Preprocess | None = None, *, name: str | None = None) -> ScriptedNetwork:
    """Return the network of a ``torch.jit.ScriptModule`` that is at hand."""
    called = name or str(module.original_name)
    return ScriptedNetwork(called, called, module.save_to_buffer(), preprocess, trusted=True)


def _see_that_it_was_evaluating(path: str, module: Any) -> None:
    """Refuse a module that was traced in training mode: there it is written down in its graphs."""
    for graph in graphs(module):
        for node in nodes(graph):
            place = _TRAINING.get(node.kind())
            if place is None or node.inputsAt(place).toIValue() is not True:
                continue
            # Without running statistics it is another norm, such as that of standardized weights.
            if "norm" not in node.kind() or node.inputsAt(3).type().kind() != "NoneType":
                raise ModelFileError(
                    f"{path} was traced in training mode, in which it gives other activations: call .eval() and trace "
                    f"it again"
                )
