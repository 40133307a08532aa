"""Which of a checkpoint's tensors are a network's: found by names and shapes, whatever key or wrapper stands before them.

A *reading* takes the tensors behind one head, such as ``state_dict.module.``, less what wrappers put inside their names.
Of several that fit, averaged weights come first; two that nothing tells apart are an error, not a guess.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn

    from netdissect.networks.weight_files import Checkpoint

    Translate = Callable[[dict[str, torch.Tensor], nn.Module], Mapping[str, torch.Tensor]]

#: What data parallelism, torch.compile, sharding and checkpointing of activations put into names.
_WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module", "_forward_module"}
)
#: DenseNets were saved with ``norm.1`` until 2018, and have ``norm1`` since.
_OLD_DENSENET = re.compile(r"(?<![a-z0-9])(norm|relu|conv)\.([12])\.(?=(?:weight|bias|running_mean|running_var)$)")
#: Words in a head: of averages, of what stands beside the network that is meant, and of what is no weights at all.
_AVERAGED = re.compile(r"(?<![a-z])(ema|swa|avg|averaged?|teacher|shadow|polyak)(?![a-z])")
_SECONDARY = re.compile(r"(?<![a-z])(student|momentum|target|encoder_k|key_encoder|current_model_state)(?![a-z])")
_TRAINING_STATE = re.compile(r"(?<![a-z])(optim\w*|exp_avg(_sq)?|momentum_buffer|grads?|gradients?)(?![a-z])")


@dataclass(eq=False)
class Readout:
    """What a head's tensors are to a network.

    Attributes:
        head: what stands before their names.
        rank: 0 for averaged weights, 1 for others, 2 for those of a network beside the one that is meant.
        given: the network's names, with the tensors that they get.
        surplus: names behind the head that the network does not have.
        fitting: how many parameters have the right shape.
        named: how many parameters are there.
    """

    head: str
    rank: int
    given: dict[str, torch.Tensor] = field(default_factory=dict)
    surplus: list[str] = field(default_factory=list)
    fitting: int = 0
    named: int = 0

    @property
    def order(self) -> tuple[int, int, int, int]:
        """What decides between readings, the smallest first."""
        return -self.fitting, -self.named, self.rank, -len(self.given)


class ReadoutTarget:
    """The names and shapes of a network, and the spelling by which they are compared."""

    def __init__(self, module: nn.Module) -> None:
        self.tensors: dict[str, torch.Tensor] = module.state_dict()
        self.parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)} & self.tensors.keys()
        plain = {name: ".".join(_split_name(name)[0]) for name in self.tensors}
        counts = Counter(plain.values())
        self.names = {(key if counts[key] == 1 else name): name for name, key in plain.items()}
        self.roots = {_first_step(name) for name in self.names}

    def measure(self, reading: Readout) -> Readout:
        """Return a reading with how well it fits."""
        there = self.parameters & reading.given.keys()
        reading.named = len(there)
        reading.fitting = sum(reading.given[name].shape == self.tensors[name].shape for name in there)
        return reading


def find_readouts(checkpoint: Checkpoint, wanted: ReadoutTarget) -> list[Readout]:
    """Return every reading of a checkpoint in which at least one name is the network's, the best first."""
    tails: dict[str, dict[str, torch.Tensor]] = {}
    unknown: dict[str, list[str]] = {}
    for name, tensor in checkpoint.tensors.items():
        steps, heads = _split_name(name)
        for cut, head in enumerate(heads):
            tail = ".".join(steps[cut:])
            own = wanted.names.get(tail)
            if own is not None:
                tails.setdefault(head, {}).setdefault(own, tensor)
            elif steps[cut] in wanted.roots:
                unknown.setdefault(head, []).append(tail)
    found = []
    for head, given in tails.items():
        if is_training_state(head):
            continue
        found.append(wanted.measure(Readout(head, rank_prefix(checkpoint, head), given, unknown.get(head, []))))
    return sorted(found, key=lambda one: one.order)


def find_translated_readouts(
    checkpoint: Checkpoint, wanted: ReadoutTarget, module: nn.Module, translate: Translate
) -> list[Readout]:
    """Return readings in which a library has made its own names of another's, the best first."""
    found = []
    for folder in checkpoint.folders:
        if is_training_state(folder):
            continue
        inside = {
            ".".join(_split_name(name[len(folder) :])[0]): tensor
            for name, tensor in checkpoint.tensors.items()
            if name.startswith(folder)
        }
        for prefix, state in _strip_common_prefixes(inside):
            with contextlib.suppress(Exception):  # made for certain names, it may stumble over others
                made = translate(dict(state), module)
                given = {name: made[name] for name in wanted.tensors if name in made}
                surplus = [name for name in made if name not in wanted.tensors and _first_step(name) in wanted.roots]
                found.append(wanted.measure(Readout(folder + prefix, rank_prefix(checkpoint, folder), given, surplus)))
    return sorted(found, key=lambda one: one.order)


def rank_prefix(checkpoint: Checkpoint, head: str) -> int:
    """Return 0 where a head is that of averaged weights, 2 where it is that of a network beside the one meant, else 1."""
    words = _snake_case(head)
    if "meta.mmengine_version" in checkpoint.words and words.startswith("ema_state_dict"):
        return 2  # mmengine swaps the two: the averaged ones are in state_dict, so that they are what is loaded
    if _SECONDARY.search(words):
        return 2
    return 0 if _AVERAGED.search(words) else 1


def is_training_state(name: str) -> bool:
    """Tell whether a name is that of something beside weights, such as an optimiser's memory."""
    return _TRAINING_STATE.search(_snake_case(name)) is not None


def find_ties(found: list[Readout]) -> list[Readout]:
    """Return the readings that are as good as the first and hold other numbers."""
    first, *others = found
    return [
        other
        for other in others
        if other.order == first.order and any(not torch.equal(t, other.given[n]) for n, t in first.given.items())
    ]


def _split_name(name: str) -> tuple[list[str], list[str]]:
    """Return the steps of a name without wrappers, and for each what stands before it.

    >>> _split_name("model.layer2.module.0.weight")
    (['model', 'layer2', '0', 'weight'], ['', 'model.', 'model.layer2.module.', 'model.layer2.module.0.'])
    """
    parts = _OLD_DENSENET.sub(r"\1\2.", name).split(".")
    steps, heads, head = [], [], ""
    for place, part in enumerate(parts):
        if part not in _WRAPPERS or place == len(parts) - 1:
            steps.append(part)
            heads.append(head)
        head += f"{part}."
    return steps, heads


def _strip_common_prefixes(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield a state dict as it is, and less the first steps that all its names share."""
    head = ""
    for _ in range(3):
        yield head, state
        roots = {_first_step(name) for name in state}
        if len(roots) != 1 or not all("." in name for name in state):
            return
        head += f"{roots.pop()}."
        state = {name.partition(".")[2]: tensor for name, tensor in state.items()}


def _snake_case(head: str) -> str:
    """Return a head in lower case, with underscores where it changes to capitals."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", head).lower()


def _first_step(name: str) -> str:
    return name.partition(".")[0]
