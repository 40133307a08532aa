"""Find the checkpoints of a series, name each one's run folder, and check early that they fit the architecture."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from netdissect.bounds import format_value
from netdissect.errors import SettingsError
from netdissect.io.names import make_natural_key, make_portable_name
from netdissect.io.path_words import expand_home, expand_pattern, has_pattern_sign
from netdissect.networks.kinds import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.networks.network import Network

#: Suffixes of weights files that can be read without an architecture.
_READABLE = (*SPELLINGS["weights"].endings, ".npz")
#: Suffixes that are no part of a checkpoint's name.
_SUFFIXES = (*_READABLE, ".caffemodel", ".h5")


def find_checkpoints(weights: object) -> dict[str, str]:
    """Return the paths of a series' checkpoints by the names of their run folders, in natural order.

    A run folder is named after the file, or, if several files have one name, after the parts of their paths that differ.

    Args:
        weights: a path, a pattern such as ``runs/*.ckpt``, or several of them; ``~`` is the home folder. Another word, such
            as ``random``, stands for itself.

    Raises:
        SettingsError: if no file matches a pattern, or two checkpoints would get one run folder.
    """
    words = [weights] if isinstance(weights, (str, os.PathLike)) else weights
    if not isinstance(words, Iterable):
        raise SettingsError(
            f"weights= takes the paths of checkpoints or a pattern such as 'runs/*.ckpt', not {format_value(weights)}"
        )
    found = {os.path.abspath(path): path for word in words for path in _expand_word(word)}  # noqa: PTH100 - keeps links
    if not found:
        raise SettingsError("which checkpoints? name them with --weights, such as --weights 'runs/*.ckpt'")
    named = _name_checkpoints(sorted(found.values()))
    return dict(sorted(named.items(), key=lambda entry: make_natural_key(entry[0])))


def require_fit(first: Network, paths: Iterable[str], load: Callable[[str], Network]) -> None:
    """Check that checkpoints fit an architecture before any of them is dissected; their weights are not read.

    A file that does not fit by its keys and shapes alone, such as one with another number of classes, is loaded.

    Args:
        first: the architecture, loaded with a checkpoint.
        paths: the other checkpoints.
        load: loads one.

    Raises:
        ModelError: or a subclass, for the first that cannot be loaded.
    """
    from netdissect.networks import checkpoints
    from netdissect.networks.torch_network import TorchNetwork

    empty = copy.deepcopy(first.module).to("meta") if isinstance(first, TorchNetwork) else None
    for path in paths:
        if not Path(path).is_file():
            load(path)
        elif empty is not None and path.lower().endswith(_READABLE):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # torch says that nothing is copied
                    found = checkpoints.read_checkpoint(Path(path), mmap=True)
                    checkpoints.load_checkpoint(copy.deepcopy(empty), found, architecture=first.name)
            except Exception:  # noqa: BLE001 - whatever is unusual about it, loading it decides
                load(path)


def _expand_word(word: object) -> list[str]:
    """Return the paths that a path or a pattern stands for."""
    if not isinstance(word, (str, os.PathLike)) or not isinstance(os.fspath(word), str):
        raise SettingsError(f"--weights takes paths and patterns, not {format_value(word)}")
    path = expand_home(os.fspath(word))
    if os.path.lexists(path) or not has_pattern_sign(path):
        return [path]
    found = [match for match in expand_pattern(path) if os.path.isfile(match)]  # noqa: PTH113 - the word stays as it was typed
    if not found:
        raise SettingsError(f"--weights {path}: no file matches this pattern; check the path and the suffix")
    return found


def _name_checkpoints(paths: Sequence[str]) -> dict[str, str]:
    """Return paths by the names of their run folders."""
    names = [make_portable_name(_find_stem(path)) for path in paths]
    if len({name.casefold() for name in names}) < len(names):
        names = [make_portable_name("-".join(parts)) for parts in _find_differing_parts(paths)]
    found: dict[str, tuple[str, str]] = {}
    for name, path in zip(names, paths, strict=True):
        other = found.setdefault(name.casefold(), (name, path))[1]
        if other != path:
            raise SettingsError(
                f"{other} and {path} would both get the run folder {name}: rename one of them, or leave one out"
            )
    return dict(found.values())


def _find_stem(path: str) -> str:
    """Return a checkpoint's name without its suffixes.

    >>> _find_stem("runs/epoch_2.pth.tar"), _find_stem("v1.5.ckpt"), _find_stem("random")
    ('epoch_2', 'v1.5', 'random')
    """
    name = PurePath(path).name
    while True:
        suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), None)
        if suffix is None or len(name) == len(suffix):
            return name
        name = name[: -len(suffix)]


def _find_differing_parts(paths: Sequence[str]) -> list[list[str]]:
    """Return the folders and stem of every path, without those at both ends that all have in common.

    >>> _find_differing_parts(["out/checkpoint-5/model.pt", "out/checkpoint-10/model.pt"])
    [['checkpoint-5'], ['checkpoint-10']]
    """
    parts = [[*PurePath(path).parent.parts, _find_stem(path)] for path in paths]
    for end in (0, -1):
        while len({part[end] for part in parts}) == 1 and min(map(len, parts)) > 1:
            for part in parts:
                del part[end]
    return parts
