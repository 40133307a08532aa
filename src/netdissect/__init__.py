"""Network Dissection for any vision network: which human concept does every unit see?

Bau, Zhou, Khosla, Oliva, Torralba: "Network Dissection", CVPR 2017.

    >>> import netdissect as nd
    >>> result = nd.dissect(model, layers=["layer4"], data="dataset/broden1_224")  # doctest: +SKIP
    >>> result["layer4"].units                                                     # doctest: +SKIP

Names are loaded when they are first used, so that ``import netdissect`` costs nothing and loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netdissect.api import dissect, load
    from netdissect.config import Settings
    from netdissect.errors import NetdissectError
    from netdissect.model_loading import list_layers, load_network
    from netdissect.networks.plugins import register_model_kind
    from netdissect.networks.preprocess import Preprocess
    from netdissect.probe_sets.broden.reader import Broden
    from netdissect.results.run_result import Result
    from netdissect.results.scores import Score, register_score

__version__ = "0.1.0"

_HOME = {
    "Broden": "netdissect.probe_sets.broden.reader",
    "NetdissectError": "netdissect.errors",
    "Preprocess": "netdissect.networks.preprocess",
    "Result": "netdissect.results.run_result",
    "Score": "netdissect.results.scores",
    "Settings": "netdissect.config",
    "dissect": "netdissect.api",
    "list_layers": "netdissect.model_loading",
    "load": "netdissect.api",
    "load_network": "netdissect.model_loading",
    "register_model_kind": "netdissect.networks.plugins",
    "register_score": "netdissect.results.scores",
}

__all__ = [
    "Broden", "NetdissectError", "Preprocess", "Result", "Score", "Settings", "__version__", "dissect", "list_layers", "load",
    "load_network", "register_model_kind", "register_score",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
