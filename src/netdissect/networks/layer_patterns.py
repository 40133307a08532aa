"""Layers that are named by a pattern: ``layer4.*``, ``blocks.[0-9].mlp``, ``*``, or ``last``."""

from __future__ import annotations

import fnmatch
import logging
from typing import TYPE_CHECKING

from netdissect.errors import UnknownLayerError, suggest_nearest
from netdissect.networks.suggest import suggest_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.layers import Layer
    from netdissect.networks.network import Network

#: The word for the last of the layers that are suggested.
LAST = "last"
#: The most names that a remark lists.
_MOST_NAMES = 5
_LOG = logging.getLogger("netdissect")


def is_layer_pattern(word: str) -> bool:
    """Return whether a word may stand for several layers, or for a suggested one.

    >>> [is_layer_pattern(word) for word in ("layer4.*", "layers.0[1]", "last", "layer4")]
    [True, True, True, False]
    """
    return word == LAST or any(mark in word for mark in "*?[")


def expand_layer_patterns(
    network: Network, words: Sequence[str] | None, choose_size: Callable[[], tuple[int, int]]
) -> list[str]:
    """Return the names of the layers that words stand for, each once.

    In a pattern ``*`` stands for any characters, dots included, ``?`` for one character and ``[0-9]`` for one of several. ``last``
    is the last of the suggested layers. A layer that has such a name itself is meant first. Modules that match but are
    not listed as layers are left out, which is logged.

    Args:
        network: the network; it runs once on a blank input if there is a pattern.
        words: names and patterns; None for the suggested layers, which are logged.
        choose_size: returns height and width of the input in pixels; called only if there is a pattern.

    Raises:
        UnknownLayerError: if a pattern matches no layer.
    """
    if words is not None and not any(map(is_layer_pattern, words)):
        return list(dict.fromkeys(words))
    listed = network.layers(choose_size())
    if words is None:
        return _suggest_all(network, listed)
    return list(dict.fromkeys(name for word in words for name in _expand(network, word, listed)))


def require_possible_layers(network: Network, words: Sequence[str], *, latents: bool = False) -> None:
    """Refuse names and patterns that no layer of a network can have, without running it.

    Args:
        network: the network; one that does not list its modules is not checked.
        words: names and patterns.
        latents: whether ``LAYER+NAME`` stands for latents of a layer.

    Raises:
        UnknownLayerError: if no module has such a name.
    """
    has_layer = getattr(network, "has_layer", None)
    if has_layer is None:
        return
    every = list(getattr(network, "list_names", list)())
    for word in words:
        bare = word.rpartition("+")[0] if latents else ""
        if word == LAST or has_layer(word) or (bare and has_layer(bare)):
            continue
        if not is_layer_pattern(word):
            raise UnknownLayerError(f"{network.name} has no layer {word!r}: {suggest_nearest(word, every)}")
        if not match_names(word, every) and not match_names(
            word.rpartition(".")[0], every
        ):  # outputs of a module: lstm.0
            raise UnknownLayerError(
                f"{network.name} has no layer that {word!r} matches: {_suggest_nearest(word, every)}"
            )


def match_names(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that a pattern matches, or the one that it is.

    >>> match_names("blocks.[0-9].mlp", ["blocks.0", "blocks.0.mlp", "blocks.10.mlp"]), match_names("a[0]", ["a[0]", "a0"])
    (['blocks.0.mlp'], ['a[0]'])
    """
    return [pattern] if pattern in names else [name for name in names if fnmatch.fnmatchcase(name, pattern)]


def _suggest_all(network: Network, listed: Sequence[Layer]) -> list[str]:
    """Return the suggested layers, and say which they are."""
    suggested = suggest_layers(listed)
    if not suggested:
        raise UnknownLayerError(f"{network.name} has no layer that can be suggested: name one")
    _LOG.warning("no layers were named: the suggested ones of %s are taken, %s", network.name, ", ".join(suggested))
    return suggested


def _expand(network: Network, word: str, listed: Sequence[Layer]) -> list[str]:
    """Return the layers that one word stands for."""
    names = [layer.name for layer in listed]
    if not is_layer_pattern(word) or word in names:
        return [word]
    if word == LAST:
        return suggest_layers(listed)[-1:] or [word]
    every = list(getattr(network, "list_names", list)())
    others = [name for name in match_names(word, every) if name not in names]
    found = match_names(word, names)
    if found:
        if others:
            _LOG.warning("%s leaves out modules that netdissect layers does not list: %s", word, _list_some(others))
        return found
    if getattr(network, "has_layer", lambda _: False)(word):
        return [word]
    if others:
        raise UnknownLayerError(
            f"{word!r} matches no layer of {network.name}, only modules that netdissect layers does not list: {_list_some(others)}"
        )
    raise UnknownLayerError(f"{network.name} has no layer that {word!r} matches: {_suggest_nearest(word, names)}")


def _suggest_nearest(word: str, names: Sequence[str]) -> str:
    """Return the end of an error sentence, which suggests the names nearest to a pattern."""
    bare = "".join(mark for mark in word if mark not in "*?[]").strip(".")
    return suggest_nearest(bare, names)


def _list_some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
