"""Kinds of MODEL that other packages add: in Python by `register_model_kind`, when installed by an entry point.

A package is imported only when a MODEL with its prefix is loaded, so a broken one cannot break anything else.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from netdissect.errors import ModelError, NetdissectError, SettingsError
from netdissect.io.text import escape_line
from netdissect.networks.kinds import SPELLINGS, ModelKind, ModelSpelling
from netdissect.networks.load_options import PREPROCESSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.metadata import EntryPoint

    from torch import nn

    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.network import Network

    ModelLoader = Callable[[str, LoadOptions], Network | nn.Module]

#: The entry point ``mylib = "netdissect_mylib:load"`` of this group adds the kind ``mylib:NAME``.
ENTRY_POINT_GROUP = "netdissect.models"
_PREFIX = re.compile(r"[a-z][a-z0-9_-]+")
_OPTIONS = PREPROCESSING | {"weights", "trust"}


@dataclass(frozen=True)
class _AddedKind:
    """A prefix of MODEL, what added it (for error messages), and a function that returns its loader."""

    spelling: ModelSpelling
    origin: str
    find_loader: Callable[[], ModelLoader]

    def load(self, name: str, options: LoadOptions) -> Network:
        """Load one of its models.

        Raises:
            ModelError: if the loader cannot be imported, fails, or returns no network.
        """
        from netdissect.networks.load import adopt_network
        from netdissect.networks.sources.python import describe_exception

        model = self.spelling.prefix + name
        source = model + (f" --weights {options.weights}" if options.weights else "")
        try:
            loader = self.find_loader()
        except NetdissectError:
            raise
        except (Exception, SystemExit) as error:
            raise ModelError(f"{model}: {self.origin} cannot be imported ({describe_exception(error)})") from error
        try:
            found = loader(name, options)
        except NetdissectError:
            raise
        except (Exception, SystemExit) as error:
            raise ModelError(f"{model}: {self.origin} failed to load it ({describe_exception(error)})") from error
        return adopt_network(found, name, source, options)


_registered: dict[str, _AddedKind] = {}


def register_model_kind(spelling: str, what: str, load: ModelLoader) -> None:
    """Add a kind of MODEL: from now on `netdissect.load_network` knows it.

    Provisional: may change in a minor version. An installed package needs no call: an entry point of the group
    ``netdissect.models`` does the same, and the shell knows it too (``docs/extending.md``).

    Args:
        spelling: a prefix of your own and a placeholder, such as ``mylib:NAME``.
        what: what MODEL is then, in one line, for help and error messages.
        load: called with the name after the prefix and the options of MODEL (``weights``, ``seed``, …); returns a
            ``torch.nn.Module`` or a network. Options for preprocessing are applied to what it returns.

    Raises:
        SettingsError: if the spelling has no prefix, its prefix is taken, or `load` is not a function.

    Example::

        import netdissect as nd

        nd.register_model_kind("mylib:NAME", "a network of mylib", lambda name, options: MyNetwork())
        network = nd.load_network("mylib:tiny")
    """
    prefix, colon, _ = spelling.partition(":")
    if not colon or _PREFIX.fullmatch(prefix) is None:
        raise SettingsError(f"expected a spelling such as mylib:NAME, its prefix in lower case, not {spelling!r}")
    if not callable(load):
        raise SettingsError(f"the loader of {spelling} must be a function, not {type(load).__name__}")
    if prefix in list_prefixes():
        raise SettingsError(f"the prefix {prefix}: is taken: choose another one for {spelling}")
    kind = ModelSpelling(spelling, what, f"{prefix}:")
    _registered[prefix] = _AddedKind(kind, f"the function registered for {spelling}", lambda: load)


def list_model_kinds() -> list[tuple[str, str]]:
    """Return how every kind of MODEL is typed and what it is; built-in kinds come first.

    >>> list_model_kinds()[0]
    ('torchvision:NAME', 'a torchvision architecture')
    """
    spellings = [*SPELLINGS.values(), *(kind.spelling for kind in _find_added().values())]
    return [(spelling.typed, spelling.what) for spelling in spellings]


def describe_model_kinds() -> str:
    """Return every kind of MODEL in one line, for error messages."""
    return "; ".join(f"{typed} ({what})" for typed, what in list_model_kinds())


def list_prefixes() -> list[str]:
    """Return the prefixes of MODEL without their colons."""
    return [*_list_builtin_prefixes(), *_find_added()]


def find_added_kind(model: str) -> ModelKind | None:
    """Return the kind that another package added for the prefix of `model`; None if there is none."""
    prefix, colon, _ = model.partition(":")
    kind = _find_added().get(prefix) if colon else None
    return None if kind is None else ModelKind(spelling=kind.spelling, load=kind.load, takes=_OPTIONS)


def _list_builtin_prefixes() -> list[str]:
    return [spelling.prefix.removesuffix(":") for spelling in SPELLINGS.values() if spelling.prefix]


def _find_added() -> dict[str, _AddedKind]:
    """Return the kinds that were registered or that installed packages declare, by prefix."""
    declared: dict[str, list[EntryPoint]] = {}
    points: Iterable[EntryPoint] = ()
    with contextlib.suppress(Exception):  # an entry_points.txt that cannot be parsed
        points = entry_points(group=ENTRY_POINT_GROUP)
    for point in points:
        if _PREFIX.fullmatch(point.name) and point.name not in _list_builtin_prefixes():
            declared.setdefault(point.name, []).append(point)
    return {prefix: _make_declared_kind(prefix, points) for prefix, points in declared.items()} | _registered


def _make_declared_kind(prefix: str, points: Sequence[EntryPoint]) -> _AddedKind:
    names = sorted(point.dist.name if point.dist is not None else point.module for point in points)
    packages = escape_line(" and ".join(names))

    def find_loader() -> ModelLoader:
        if len(points) > 1:
            raise ModelError(f"{prefix}: is claimed by the packages {packages}: uninstall one of them")
        loader: ModelLoader = points[0].load()
        return loader

    kind = ModelSpelling(f"{prefix}:NAME", f"a network of the package {packages}", f"{prefix}:")
    return _AddedKind(kind, f"the package {packages}", find_loader)
