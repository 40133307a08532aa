"""Network Dissection for any vision network: which concept does each unit detect?

Bau, Zhou, Khosla, Oliva, Torralba: "Network Dissection", CVPR 2017. ::

    import netdissect as nd

    result = nd.dissect(model, layers=["layer4"], data="dataset/broden1_224")  # model: any torch.nn.Module
    print(result["layer4"].units)

``docs/api.md`` lists the public names. They are imported when they are first used, so that ``import netdissect`` is quick
and does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netdissect.analyses.ablate import ablate
    from netdissect.analyses.best_formulas import explain
    from netdissect.analyses.discriminate import discriminate
    from netdissect.analyses.export import export_activations
    from netdissect.analyses.look import LookResult, look
    from netdissect.api import add_reference, dissect, load
    from netdissect.concepts import Concept, Labels, Vocabulary
    from netdissect.config import Settings
    from netdissect.data_loading import open_probe_set
    from netdissect.errors import NetdissectError
    from netdissect.experiments.checkpoint_series import dissect_series
    from netdissect.experiments.compare_runs import compare
    from netdissect.experiments.control_runs import control
    from netdissect.experiments.generate import ImageLabeler, generate_probe_set
    from netdissect.experiments.rotation_curve import rotate
    from netdissect.experiments.track import track
    from netdissect.layers import Layer
    from netdissect.model_loading import list_layers, load_network, remove_units
    from netdissect.networks.labelers.open_vocabulary import load_open_vocabulary
    from netdissect.networks.labelers.segmenters import load_segmenter
    from netdissect.networks.network import Network
    from netdissect.networks.plugins import register_model_kind
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.units.generator import Generator
    from netdissect.probe_sets import importers
    from netdissect.probe_sets.broden.reader import Broden
    from netdissect.probe_sets.compile.build_broden import build_broden
    from netdissect.probe_sets.importers.import_options import make_probe_set
    from netdissect.probe_sets.prepared.prepare import prepare_probe_set
    from netdissect.probe_sets.source import Source, SourceImage
    from netdissect.protocols import Segmenter
    from netdissect.report.panels import PanelContent, ReportPanel, register_report_panel
    from netdissect.results.run_result import Result
    from netdissect.results.scores import Score, register_score
    from netdissect.results.units import UnitTable
    from netdissect.runtime.allocator import keep_freed_memory

__version__ = "1.0.0rc1"

#: Every public name and the module that defines it.
_MODULES = {
    "Broden": "netdissect.probe_sets.broden.reader",
    "Concept": "netdissect.concepts",
    "Generator": "netdissect.networks.units.generator",
    "ImageLabeler": "netdissect.experiments.generate",
    "Labels": "netdissect.concepts",
    "Layer": "netdissect.layers",
    "LookResult": "netdissect.analyses.look",
    "NetdissectError": "netdissect.errors",
    "Network": "netdissect.networks.network",
    "PanelContent": "netdissect.report.panels",
    "Preprocess": "netdissect.networks.preprocess",
    "ReportPanel": "netdissect.report.panels",
    "Result": "netdissect.results.run_result",
    "Score": "netdissect.results.scores",
    "Segmenter": "netdissect.protocols",
    "Settings": "netdissect.config",
    "Source": "netdissect.probe_sets.source",
    "SourceImage": "netdissect.probe_sets.source",
    "UnitTable": "netdissect.results.units",
    "Vocabulary": "netdissect.concepts",
    "ablate": "netdissect.analyses.ablate",
    "add_reference": "netdissect.api",
    "build_broden": "netdissect.probe_sets.compile.build_broden",
    "compare": "netdissect.experiments.compare_runs",
    "control": "netdissect.experiments.control_runs",
    "discriminate": "netdissect.analyses.discriminate",
    "dissect": "netdissect.api",
    "dissect_series": "netdissect.experiments.checkpoint_series",
    "explain": "netdissect.analyses.best_formulas",
    "export_activations": "netdissect.analyses.export",
    "generate_probe_set": "netdissect.experiments.generate",
    "importers": "netdissect.probe_sets.importers",
    "keep_freed_memory": "netdissect.runtime.allocator",
    "list_layers": "netdissect.model_loading",
    "load": "netdissect.api",
    "load_network": "netdissect.model_loading",
    "load_open_vocabulary": "netdissect.networks.labelers.open_vocabulary",
    "load_segmenter": "netdissect.networks.labelers.segmenters",
    "look": "netdissect.analyses.look",
    "make_probe_set": "netdissect.probe_sets.importers.import_options",
    "open_probe_set": "netdissect.data_loading",
    "prepare_probe_set": "netdissect.probe_sets.prepared.prepare",
    "register_model_kind": "netdissect.networks.plugins",
    "register_report_panel": "netdissect.report.panels",
    "register_score": "netdissect.results.scores",
    "remove_units": "netdissect.model_loading",
    "rotate": "netdissect.experiments.rotation_curve",
    "track": "netdissect.experiments.track",
}
#: Public names that may change in a minor version (docs/versioning.md); every other one stays.
PROVISIONAL = frozenset({
    "PanelContent", "ReportPanel", "Score", "Segmenter", "Source", "SourceImage", "make_probe_set", "register_model_kind",
    "register_report_panel", "register_score",
})  # fmt: skip

__all__ = [
    "Broden", "Concept", "Generator", "ImageLabeler", "Labels", "Layer", "LookResult", "NetdissectError", "Network", "PanelContent", "Preprocess",
    "ReportPanel", "Result", "Score", "Segmenter", "Settings", "Source", "SourceImage", "UnitTable", "Vocabulary", "__version__",
    "ablate", "add_reference", "build_broden", "compare", "control", "discriminate", "dissect", "dissect_series", "explain", "export_activations", "generate_probe_set", "importers",
    "keep_freed_memory", "list_layers", "load", "load_network",
    "load_open_vocabulary", "load_segmenter", "look", "make_probe_set", "open_probe_set", "prepare_probe_set", "register_model_kind", "register_report_panel", "register_score", "remove_units", "rotate", "track",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_MODULES[name])
    return module if name == "importers" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
