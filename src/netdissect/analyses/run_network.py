"""Open the network of a finished run again, and check that it is the same."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

from netdissect.errors import ModelNotFoundError, SettingsError
from netdissect.io.text import escape_line
from netdissect.model_loading import as_network, load_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import nn

    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.results.run_result import NetworkCard, Result

    #: A network, a module, MODEL, or a function that loads a network when it is needed.
    NetworkLike: TypeAlias = nn.Module | str | Network | Callable[[], Network]

#: MODEL of the bundled network.
BUNDLED = "demo"


def open_run_network(
    run: Result,
    model: NetworkLike | None,
    *,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
) -> Network:
    """Return the network that a run dissected; it is never loaded because the run's file names it.

    Args:
        run: the run.
        model: the network, a module, MODEL, or a function that loads the network; None only if the run is of the bundled network.
        arch: as for `netdissect.load_network`.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.load_network`.

    Raises:
        SettingsError: if the network must be given, or is not the run's.
        NetdissectError: as `netdissect.load_network` does.
    """
    if model is None:
        if arch is not None or weights is not None:
            raise SettingsError(
                "arch= and weights= say how a network is loaded: give the network too, or leave them out"
            )
        network = _open_bundled(run)
    else:
        network = open_given_network(model, arch=arch, weights=weights, trust=trust)
    if network.fingerprint() != run.network.fingerprint:
        raise SettingsError(_describe_difference(network, run.network, list(run.layers)))
    return network


def open_given_network(
    model: NetworkLike,
    preprocess: Preprocess | None = None,
    *,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
) -> Network:
    """Return a network that was given as `as_network` takes it, or as a function that loads it."""
    from torch import nn

    given: Any = model
    if callable(model) and not isinstance(model, (str, nn.Module)) and not hasattr(model, "probe"):
        given = model()
    return as_network(given, preprocess, arch=arch, weights=weights, trust=trust)


def _open_bundled(run: Result) -> Network:
    """Return the bundled network if the run is of it."""
    with contextlib.suppress(ModelNotFoundError):
        network = load_network(BUNDLED)
        if network.fingerprint() == run.network.fingerprint:
            return network
    name = escape_line(run.network.source or run.network.name)
    raise SettingsError(
        f"which network? this run dissected {name}: give it as MODEL, with the options that it was loaded with"
    )


def _describe_difference(network: Network, card: NetworkCard, layers: Sequence[str]) -> str:
    """Return in words how a network differs from the run's."""
    name = escape_line(card.name)
    latents = next((layer for layer in layers if "+" in layer), None)
    if latents is not None:
        return (
            f"this run dissected latents of a projection ({escape_line(latents)}), and {network.name} was given without it: only "
            f"a run that was made with --keep can be asked about latents"
        )
    preprocessing = network.preprocess.describe()
    if preprocessing != card.preprocessing:
        return (
            f"{network.name} is not the network of this run, {name}: its images are prepared as {preprocessing}, and the run's "
            f"were as {escape_line(card.preprocessing)}: load it with the run's options"
        )
    return (
        f"{network.name} is not the network of this run, {name}: its weights or its structure differ: give the network that "
        f"was dissected ({escape_line(card.source)})"
    )
