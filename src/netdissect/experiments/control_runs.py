"""Dissect untrained networks of one architecture, as controls of a trained one (docs/trust.md)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from netdissect import api, arguments, model_loading
from netdissect.bounds import describe_type, require_integer
from netdissect.errors import SettingsError
from netdissect.experiments.checkpoint_series import dissect_members, require_series_folder
from netdissect.progress import require_progress, show_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import nn

    from netdissect.config import Settings, SettingsDict
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.run_result import Result

#: The most untrained networks of one call.
MAX_SEEDS = 100


def control(
    model: str | nn.Module | Network | Callable[[int], nn.Module | Network],
    layers: str | nn.Module | Sequence[str | nn.Module] | None,
    data: str | Path | ConceptSource,
    *,
    seeds: int = 3,
    preprocess: PreprocessLike | None = None,
    arch: str | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
    settings: Settings | None = None,
    **options: Unpack[SettingsDict],
) -> dict[str, Result]:
    """Dissect untrained networks of an architecture over one probe set; images and labels are decoded once.

    The weights of the s-th network are drawn from seed s, as the architecture draws them before training. Each gets its own run
    folder below `out`: finished runs are not computed again, and an interrupted one is continued. Pass the runs to
    ``dissect(reference=…)``, which tests units against them.

    Args:
        model: anything that the shell takes for MODEL; a module or a network, whose weights are drawn again in a copy; or a
            function that returns the untrained network, given a seed, which is torch's seed too while it is called.
        layers: the layers to dissect, as for `netdissect.dissect`.
        data: the probe set, as for `dissect`.
        seeds: number of untrained networks, from 1 to 100; `reference` takes at least two.
        preprocess: as for `dissect`.
        arch: as for `dissect`: the architecture of a file of weights, which are not read.
        out: folder of the run folders ``seed-1``, ``seed-2``, …; None writes nothing.
        fresh: replace the runs that the folders hold.
        progress: shows how far each run is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        settings: all settings; None takes the paper's.
        options: single settings by name, such as ``quantile=0.01``.

    Returns:
        the results by the names of the run folders.

    Raises:
        ModelError: if nothing says how the network's weights are drawn, such as those of an ONNX file.
        NetdissectError: as `dissect` does.

    Example::

        import netdissect as nd

        untrained = nd.control("torchvision:alexnet", ["features.11"], "dataset/broden1_224", seeds=3)
        {name: run.detectors()["features.11"].unique for name, run in untrained.items()}
    """
    preparation = arguments.require_preprocess(preprocess)
    require_progress(progress)
    concepts, settings, _ = api.check_inputs(data, arguments.merge_settings(settings, options), None)
    draw, trained = _make_drawer(model, preparation, arch)
    members = name_untrained(draw, seeds)
    where = None if out is None else require_series_folder(out, members)
    names = layers if trained is None else arguments.resolve_layer_names(layers, trained)
    with show_progress(progress) as shown:
        return dict(
            dissect_members(
                members.items(), names, concepts, settings, out=where, total=seeds, fresh=fresh, progress=shown
            )
        )


def name_untrained(draw: Callable[[int], Network], seeds: int) -> dict[str, Callable[[], Network]]:
    """Return a function for every untrained network, by the name of its run folder.

    Args:
        draw: returns the network of a seed.
        seeds: number of networks.

    Raises:
        SettingsError: if the number is out of bounds.
    """
    count = require_integer("seeds", seeds, 1, MAX_SEEDS)
    return {f"seed-{seed}": partial(draw, seed) for seed in range(1, count + 1)}


def _make_drawer(
    model: Any, preprocess: Preprocess | None, arch: str | None
) -> tuple[Callable[[int], Network], Network | None]:
    """Return a function that returns the untrained network of a seed, and the network whose modules may name layers.

    Raises:
        SettingsError: if the model is neither a MODEL nor a network nor a function.
    """
    from torch import nn

    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.sources.torchvision import call_with_seed
    from netdissect.networks.untrained import draw_untrained

    if isinstance(model, str):
        return lambda seed: _adapt(
            model_loading.load_untrained(model, LoadOptions(seed=seed, arch=arch)), preprocess
        ), None
    if isinstance(model, nn.Module) or hasattr(model, "probe"):
        network = model_loading.as_network(model, preprocess, arch=arch)
        return lambda seed: draw_untrained(network, seed), network
    if callable(model):
        return lambda seed: _adapt(call_with_seed(seed, lambda: model(seed)), preprocess), None
    raise SettingsError(
        f"control takes MODEL as the shell does, a torch.nn.Module or a function that returns one, not {describe_type(model)}"
    )


def _adapt(model: nn.Module | Network, preprocess: Preprocess | None) -> Network:
    return model_loading.as_network(model, preprocess)
