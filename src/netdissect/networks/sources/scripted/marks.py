"""Marks in TorchScript's graphs: calls back to Python whenever a module is entered or left.

A graph calls its parts' methods by name, and parts of one type share one graph. So a mark says the part's name relative
to whoever calls it, and the names of all that are running make up the qualified name.
"""

from __future__ import annotations

import functools
import itertools
import re
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from netdissect.networks.sources.scripted.file import graphs, nodes
from netdissect.networks.trace.hooks import StopForward

#: Called with a module's qualified name, whether it was entered or left, and what it took or gave.
See = Callable[[str, bool, Any], None]

_open: weakref.WeakValueDictionary[int, Marks] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


class Value(nn.Module):
    """Stands for a value in a graph without modules: it is called by the name it has there."""

    def __init__(self, operator: str) -> None:
        super().__init__()
        self._operator = operator

    def type_name(self) -> str:
        """Return the operator that gives it."""
        return self._operator


class Marks:
    """The marks in one module's graphs.

    Attributes:
        see: called whenever a part is entered or left; None while nobody watches.
        values: in a module whose parts were merged into one graph, the graph's values by name.
    """

    def __init__(self, module: Any) -> None:
        """Put marks into a module that has not run yet.

        Args:
            module: a ``torch.jit.ScriptModule``.
        """
        _operators()
        self.see: See | None = None
        self.values: dict[str, nn.Module] = {}
        self._number = next(_numbers)
        self._running: list[str] = []
        self._stopped = False
        _open[self._number] = self
        found = list(graphs(module))
        marked = sum(self._mark_calls(graph) for graph in found)
        if not marked:
            self._mark_values(module.graph)

    def run(self, module: Any, x: torch.Tensor) -> Any:
        """Run the module.

        Raises:
            Enough: if a watcher has seen enough.
        """
        self._running.clear()
        self._stopped = False
        try:
            return module(x)
        except Exception:
            if self._stopped:
                raise StopForward from None
            raise

    def entered(self, name: str, given: list[torch.Tensor]) -> None:
        """A part begins to run."""
        self._running.append(name)
        self._tell(True, given)

    def left(self, form: str, given: list[torch.Tensor]) -> None:
        """A part has run; `form` tells where its tensors lie in what it gave."""
        if form:
            tensors = iter(given)
            parts = [next(tensors) if letter == "T" else None for letter in form.strip("()")]
            self._tell(False, parts if form.startswith("(") else parts[0])
        self._running.pop()

    def gave(self, name: str, given: torch.Tensor) -> None:
        """A value was computed."""
        self._running.append(name)
        self._tell(False, given)
        self._running.pop()

    def _tell(self, entering: bool, value: Any) -> None:
        if self.see is None:
            return
        try:
            self.see(".".join(self._running), entering, value)
        except StopForward:
            # The interpreter turns whatever is raised here into an error of its own.
            self._stopped = True
            raise RuntimeError("enough") from None

    def _mark_calls(self, graph: Any) -> int:
        """Put marks around the calls of a graph's parts; return how many there are."""
        owner = next(iter(graph.inputs()))
        calls = [node for node in nodes(graph) if node.kind() == "prim::CallMethod"]
        marked = 0
        for call in calls:
            given = list(call.inputs())
            name = _name(given[0], owner)
            if not name:  # a method of its own
                continue
            marked += 1
            taken = [value for value in given[1:] if _is_tensor(value)]
            graph.setInsertPoint(call)
            number, called = graph.insertConstant(self._number), graph.insertConstant(name)
            before = functools.partial(_before, call)
            self._insert(graph, "entered", [number, called, _listed(graph, taken, before)], before)
            forward = re.fullmatch(r"forward(__)?\d*", call.s("name")) is not None
            self._leave(graph, call, number, forward=forward)
        return marked

    def _leave(self, graph: Any, call: Any, number: Any, *, forward: bool) -> None:
        output = next(iter(call.outputs()), None)
        form, tensors, behind = "", [], call
        if forward and output is not None and _is_tensor(output):
            form, tensors = "T", [output]
        elif forward and output is not None and output.type().kind() == "TupleType":
            kinds = output.type().elements()
            form = "(" + "".join("T" if kind.kind() == "TensorType" else "." for kind in kinds) + ")"
            behind = graph.create("prim::TupleUnpack", [output], len(kinds))
            behind.insertAfter(call)
            for value, kind in zip(behind.outputs(), kinds, strict=True):
                value.setType(kind)
            tensors = [value for value in behind.outputs() if _is_tensor(value)]
        graph.setInsertPoint(call)
        told = graph.insertConstant(form)
        after = _After(behind)
        self._insert(graph, "left", [number, told, _listed(graph, tensors, after)], after)

    def _mark_values(self, graph: Any) -> None:
        """Put a mark behind every operator of a graph that gives a tensor."""
        for node in [node for node in graph.nodes() if node.kind().startswith(("aten::", "quantized::"))]:
            for value in node.outputs():
                if _is_tensor(value):
                    name = value.debugName()
                    self.values[name] = Value(node.kind().partition("::")[2].rstrip("_").lstrip("_"))
                    graph.setInsertPoint(node)
                    number, called = graph.insertConstant(self._number), graph.insertConstant(name)
                    self._insert(graph, "gave", [number, called, value], _After(node))

    @staticmethod
    def _insert(graph: Any, operator: str, inputs: list[Any], place: Callable[[Any], Any]) -> None:
        place(graph.create(f"netdissect::{operator}", inputs, 0))


def _before(call: Any, node: Any) -> None:
    node.insertBefore(call)


class _After:
    """Inserts nodes one behind the other."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def __call__(self, node: Any) -> None:
        node.insertAfter(self._node)
        self._node = node


def _listed(graph: Any, values: list[Any], place: Callable[[Any], Any]) -> Any:
    """Return a list of tensors in a graph."""
    node = graph.create("prim::ListConstruct", values, 1)
    node.output().setType(torch._C.ListType(torch._C.TensorType.get()))  # noqa: SLF001
    place(node)
    return node.output()


def _is_tensor(value: Any) -> bool:
    return bool(value.type().kind() == "TensorType")


def _name(value: Any, owner: Any) -> str:
    """Return the name of a part relative to the graph's own module; one that no part has if it comes from elsewhere."""
    steps: list[str] = []
    while value.debugName() != owner.debugName():
        node = value.node()
        if node.kind() != "prim::GetAttr":
            return "?"
        steps.insert(0, node.s("name"))
        value = next(iter(node.inputs()))
    return ".".join(steps)


@functools.cache
def _operators() -> Any:
    """Register the marks as operators of torch's: they have an effect, so that no optimization leaves them out."""
    library: Any = torch.library.Library("netdissect", "DEF")  # type: ignore[no-untyped-call]
    for declared, called in (
        ("entered(int network, str module, Tensor[] given) -> ()", lambda n, *told: _open[n].entered(*told)),
        ("left(int network, str form, Tensor[] given) -> ()", lambda n, *told: _open[n].left(*told)),
        ("gave(int network, str value, Tensor given) -> ()", lambda n, *told: _open[n].gave(*told)),
    ):
        library.define(declared, alias_analysis="CONSERVATIVE")
        library.impl(declared.partition("(")[0], called, "CompositeExplicitAutograd")
    return library
