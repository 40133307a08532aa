"""Cut forward passes of Caffe networks: the graph of blobs says which blobs everything passes on its way to the class outputs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from netdissect.networks.ablation.cut_forward import keep_output
from netdissect.networks.sources.caffe.layers import is_watcher
from netdissect.networks.sources.caffe.layers.caffe_layer import explain_torch_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from netdissect.networks.ablation.cut_forward import Edit
    from netdissect.networks.sources.caffe.blob_graph import BlobStep
    from netdissect.networks.sources.caffe.caffe_net import CaffeNet
    from netdissect.networks.sources.caffe.layers.caffe_layer import Tops


class CaffeCuts:
    """The forward pass of a Caffe network from its input to its class outputs, a CutForward.

    Its cuts are the layer's blob, or else the nearest blob below it that nothing bypasses, and the network's input. A
    softmax at the end is left out.
    """

    def __init__(self, net: CaffeNet, blob: str, outputs: int) -> None:
        """Prepare to run a network.

        Args:
            net: the network.
            blob: the layer's blob.
            outputs: version of the blob that holds the class outputs.
        """
        self._net = net
        self._layer = net.graph.last[blob]
        self._outputs = outputs
        self._input = next(version for version, name in net.graph.inputs.items() if name == net.input_name)
        below = {version for step in net.graph.find_steps([self._layer]) for version in step.bottoms}
        valid = [v for v in sorted(below - {self._input}, reverse=True) if self._is_passed(v)]
        cuts = [self._layer] if self._is_passed(self._layer) else [-1, *valid[:1]]
        self._versions = [*cuts, self._input]
        self._after = self._find_after()
        self.cuts = ("the layer", *(f"blob {net.graph.blobs[v]}" for v in cuts[1:]), "the images")

    def run(self, x: Tensor, edit: Edit) -> Tensor:
        """Run the whole network (see `CutForward.run`)."""
        return self._compute({self._input: x}, self._outputs, edit)

    def capture(self, x: Tensor, cut: int) -> Tensor:
        """Run the network as far as a cut and return the blob."""
        return self._compute({self._input: x}, self._get_version(cut), keep_output)

    def resume(self, value: Tensor, cut: int, edit: Edit) -> Tensor:
        """Run the network on from a cut (see `CutForward.resume`)."""
        version = self._get_version(cut)
        return self._compute({version: edit(value) if version == self._layer else value}, self._outputs, edit)

    def capture_after(self, x: Tensor, edit: Edit) -> Tensor | None:
        """Run the network to the first product of weights after the layer (see `CutForward.capture_after`)."""
        return None if self._after is None else self._compute({self._input: x}, self._after, edit)

    def resume_after(self, value: Tensor) -> Tensor:
        """Run the network on from the first product of weights after the layer."""
        assert self._after is not None
        return self._compute({self._after: value}, self._outputs, keep_output)

    def change_noise(self) -> None:
        """Do nothing, since nothing below a cut is computed again."""

    def _get_version(self, cut: int) -> int:
        if self._versions[cut] < 0:
            raise ValueError("a branch bypasses the layer")
        return self._versions[cut]

    def _find_after(self) -> int | None:
        """Return the blob that enters the first product of weights after the layer, if nothing bypasses it."""
        for step in self._net.graph.steps:
            if step.kind in ("Convolution", "InnerProduct") and len(step.bottoms) == 1:
                version = step.bottoms[0]
                below = {v for one in self._net.graph.find_steps([version]) for v in one.bottoms}
                if self._layer in below:
                    return version if self._is_passed(version) else None
        return None

    def _is_passed(self, version: int) -> bool:
        """Return whether every way from the network's inputs to the class outputs leads through a version of a blob."""
        read = {v for step in self._find_steps(self._outputs, version) for v in step.bottoms}
        return not read & set(self._net.graph.inputs)

    def _find_steps(self, target: int, known: int) -> list[BlobStep]:
        """Return the steps that lead to a version of a blob from one that is known, in order."""
        graph, waiting, found = self._net.graph, [target], set()
        while waiting:
            version = waiting.pop()
            number = None if version == known else graph.writer.get(version)
            if number is not None and number not in found:
                found.add(number)
                waiting.extend(graph.steps[number].bottoms)
        return [graph.steps[number] for number in sorted(found)]

    def _compute(self, values: dict[int, Tensor], target: int, edit: Edit) -> Tensor:
        steps = self._find_steps(target, next(iter(values)))
        last_use = {version: number for number, step in enumerate(steps) for version in step.bottoms}
        for number, step in enumerate(steps):
            module, bottoms = self._net.layers[step.module], [values[version] for version in step.bottoms]
            with explain_torch_errors(getattr(module, "label", step.module), bottoms):
                tops = module(*bottoms)
            for version, top in zip(step.tops, tops if isinstance(tops, tuple) else (tops,), strict=False):
                values[version] = edit(top) if version == self._layer else top
            for version in step.bottoms:
                if last_use[version] == number and version != target:
                    values.pop(version, None)
        return values[target]


@contextlib.contextmanager
def hook_blob(net: CaffeNet, blob: str, exchange: Edit) -> Iterator[None]:
    """Exchange a blob whenever its last layer has run; afterwards the hook is removed.

    Raises:
        UnknownLayerError: if no layer writes it.
    """
    layer, version = net.last_layer(blob), net.graph.last[blob]
    place = net.graph.steps[net.graph.writer[version]].tops.index(version)

    def exchange_top(_layer: nn.Module, _bottoms: Any, tops: Tops) -> Tops:
        if not isinstance(tops, tuple):
            return exchange(tops)
        return (*tops[:place], exchange(tops[place]), *tops[place + 1 :])

    handle = layer.register_forward_hook(exchange_top)
    try:
        yield
    finally:
        handle.remove()


def find_class_blob(net: CaffeNet) -> int | None:
    """Return the version of the blob that holds a network's class outputs, before a softmax; None if it has none.

    Of several outputs the last counts, since the others are classifiers of earlier layers that help training.
    """
    graph = net.graph
    ends = {graph.last[blob] for blob in net.outputs}
    for step in reversed(graph.steps):
        if step.tops and step.tops[0] in ends and not is_watcher(step.kind):
            return step.bottoms[0] if step.kind == "Softmax" and step.bottoms else step.tops[0]
    return None
