"""A kind of MODEL: how it is typed, what it is in a line, and the way from there to a Network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdissect.models.network import Network
    from netdissect.models.options import LoadOptions

    Build = Callable[[str, LoadOptions], Network]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of MODEL.

    Attributes:
        typed: how a person types it, such as ``timm:NAME`` or ``FILE.onnx``.
        what: what it is, in a line.
        fits: whether what was typed is of this kind.
        build: returns the Network of what was typed, less the prefix.
        prefix: what stands before it, with its colon; empty for files.
        takes: the options that mean something to it.
    """

    typed: str
    what: str
    fits: Callable[[str], bool]
    build: Build
    prefix: str = ""
    takes: frozenset[str] = frozenset()

    def __call__(self, model: str, options: LoadOptions) -> Network:
        """Load a model of this kind.

        Raises:
            SettingsError: if an option was given that means nothing to it.
        """
        idle = sorted(options.given() - self.takes - {"seed"})
        if idle:
            raise SettingsError(f"--{idle[0]} does not go with {self.typed}, {self.what}")
        return self.build(model.removeprefix(self.prefix), options)


def named(prefix: str, typed: str, what: str, build: Build, takes: frozenset[str]) -> Kind:
    """Return a kind that is typed with a prefix, as in ``torchvision:resnet18``."""
    lead = f"{prefix}:"
    return Kind(
        typed=f"{lead}{typed}",
        what=what,
        fits=lambda model: model.startswith(lead),
        build=build,
        prefix=lead,
        takes=takes,
    )


def files(endings: tuple[str, ...], typed: str, what: str, build: Build, takes: frozenset[str]) -> Kind:
    """Return a kind that is known by the ending of its file's name."""
    return Kind(
        typed=typed, what=what, fits=lambda model: Path(model).name.lower().endswith(endings), build=build, takes=takes
    )
