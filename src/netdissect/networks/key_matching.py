"""Match the keys of a checkpoint to a network's, whatever prefixes and wrappers the keys have.

A `KeyMatch` has the tensors below one prefix, such as ``state_dict.module.``; what wrappers insert into keys is ignored. If
several prefixes match, averaged weights come first; two matches that nothing distinguishes are an error, not a guess.
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

    from netdissect.networks.checkpoints import Checkpoint

    #: Renames the keys of another library's state dict for a module.
    Translate = Callable[[dict[str, torch.Tensor], nn.Module], Mapping[str, torch.Tensor]]

#: What data parallelism, torch.compile, sharding and activation checkpointing insert into keys.
_WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module", "_forward_module"}
)
#: DenseNets were saved with ``norm.1`` until 2018, and have ``norm1`` since.
_OLD_DENSENET = re.compile(r"(?<![a-z0-9])(norm|relu|conv)\.([12])\.(?=(?:weight|bias|running_mean|running_var)$)")
#: Prefixes of averaged weights, of a second network saved with the first, and of training state.
_AVERAGED = re.compile(r"(?<![a-z])(ema|swa|avg|averaged?|teacher|shadow|polyak)(?![a-z])")
_SECONDARY = re.compile(r"(?<![a-z])(student|momentum|target|encoder_k|key_encoder|current_model_state)(?![a-z])")
_TRAINING_STATE = re.compile(r"(?<![a-z])(optim\w*|exp_avg(_sq)?|momentum_buffer|grads?|gradients?)(?![a-z])")


@dataclass(eq=False)
class KeyMatch:
    """The tensors below one prefix of a checkpoint, matched to a network's keys.

    Attributes:
        prefix: of the checkpoint's keys.
        rank: 0 for averaged weights, 1 for others, 2 for those of a second network.
        tensors: by the network's key.
        surplus: keys below the prefix that the network does not have.
        found: number of the network's parameters that the tensors include.
        fitting: how many of these have the right shape.
    """

    prefix: str
    rank: int
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    surplus: list[str] = field(default_factory=list)
    fitting: int = 0
    found: int = 0

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Sort key of matches; the best one has the smallest."""
        return -self.fitting, -self.found, self.rank, -len(self.tensors)


class NetworkKeys:
    """The state dict of a network, and its keys without what wrappers insert."""

    def __init__(self, module: nn.Module) -> None:
        self.tensors: dict[str, torch.Tensor] = module.state_dict()
        self.parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)} & self.tensors.keys()
        plain = {name: ".".join(_split_key(name)[0]) for name in self.tensors}
        counts = Counter(plain.values())
        self.names = {(key if counts[key] == 1 else name): name for name, key in plain.items()}
        self.roots = {_get_first_step(name) for name in self.names}

    def measure(self, match: KeyMatch) -> KeyMatch:
        """Count how many parameters a match finds and how many of them fit; return it."""
        found = self.parameters & match.tensors.keys()
        match.found = len(found)
        match.fitting = sum(match.tensors[name].shape == self.tensors[name].shape for name in found)
        return match


def match_keys(checkpoint: Checkpoint, keys: NetworkKeys) -> list[KeyMatch]:
    """Return a match for every prefix of a checkpoint below which a key of the network is found, the best first."""
    tensors: dict[str, dict[str, torch.Tensor]] = {}
    surplus: dict[str, list[str]] = {}
    for key, tensor in checkpoint.tensors.items():
        steps, prefixes = _split_key(key)
        for cut, prefix in enumerate(prefixes):
            rest = ".".join(steps[cut:])
            name = keys.names.get(rest)
            if name is not None:
                tensors.setdefault(prefix, {}).setdefault(name, tensor)
            elif steps[cut] in keys.roots:
                surplus.setdefault(prefix, []).append(rest)
    matches = [
        keys.measure(KeyMatch(prefix, rank_prefix(checkpoint, prefix), below, surplus.get(prefix, [])))
        for prefix, below in tensors.items()
        if not is_training_state(prefix)
    ]
    return sorted(matches, key=lambda match: match.order)


def match_translated_keys(
    checkpoint: Checkpoint, keys: NetworkKeys, module: nn.Module, translate: Translate
) -> list[KeyMatch]:
    """Return matches of keys that a library translates from another library's, the best first."""
    matches = []
    for folder in checkpoint.folders:
        if is_training_state(folder):
            continue
        below = {
            ".".join(_split_key(key[len(folder) :])[0]): tensor
            for key, tensor in checkpoint.tensors.items()
            if key.startswith(folder)
        }
        for prefix, state in _strip_common_prefixes(below):
            with contextlib.suppress(Exception):  # written for certain keys, it may fail on others
                translated = translate(dict(state), module)
                tensors = {name: translated[name] for name in keys.tensors if name in translated}
                surplus = [
                    name for name in translated if name not in keys.tensors and _get_first_step(name) in keys.roots
                ]
                match = KeyMatch(folder + prefix, rank_prefix(checkpoint, folder), tensors, surplus)
                matches.append(keys.measure(match))
    return sorted(matches, key=lambda match: match.order)


def rank_prefix(checkpoint: Checkpoint, prefix: str) -> int:
    """Return 0 for a prefix of averaged weights, 2 for that of a second network such as a student, else 1."""
    words = _convert_to_snake_case(prefix)
    if "meta.mmengine_version" in checkpoint.plain_values and words.startswith("ema_state_dict"):
        return 2  # mmengine swaps the two when it saves: the averaged weights are in state_dict
    if _SECONDARY.search(words):
        return 2
    return 0 if _AVERAGED.search(words) else 1


def is_training_state(key: str) -> bool:
    """Return whether a key belongs to training state, such as an optimizer's, and not to weights."""
    return _TRAINING_STATE.search(_convert_to_snake_case(key)) is not None


def find_equal_matches(matches: list[KeyMatch]) -> list[KeyMatch]:
    """Return the matches that are as good as the first but have different values."""
    first, *others = matches
    return [
        other
        for other in others
        if other.order == first.order and any(not torch.equal(t, other.tensors[n]) for n, t in first.tensors.items())
    ]


def _split_key(key: str) -> tuple[list[str], list[str]]:
    """Return the steps of a key without wrappers, and the prefix before each step.

    >>> _split_key("model.layer2.module.0.weight")
    (['model', 'layer2', '0', 'weight'], ['', 'model.', 'model.layer2.module.', 'model.layer2.module.0.'])
    """
    parts = _OLD_DENSENET.sub(r"\1\2.", key).split(".")
    steps, prefixes, prefix = [], [], ""
    for position, part in enumerate(parts):
        if part not in _WRAPPERS or position == len(parts) - 1:
            steps.append(part)
            prefixes.append(prefix)
        prefix += f"{part}."
    return steps, prefixes


def _strip_common_prefixes(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield a state dict unchanged, then without one and two leading steps if all its keys share them."""
    prefix = ""
    for _ in range(3):
        yield prefix, state
        roots = {_get_first_step(key) for key in state}
        if len(roots) != 1 or not all("." in key for key in state):
            return
        prefix += f"{roots.pop()}."
        state = {key.partition(".")[2]: tensor for key, tensor in state.items()}


def _convert_to_snake_case(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()


def _get_first_step(key: str) -> str:
    return key.partition(".")[0]
