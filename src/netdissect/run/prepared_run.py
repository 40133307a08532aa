"""Prepare a run before the first image is read: choose the device, input size and precision, and probe the layers."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ActivationError, SettingsError
from netdissect.networks.execution import Execution
from netdissect.results import run_match
from netdissect.run.batch_choice import choose_batch_size
from netdissect.run.chance_settings import settle_chance
from netdissect.runtime.cluster import RayCluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from netdissect.config import Settings
    from netdissect.networks.network import Network
    from netdissect.protocols import ActivationSource, ConceptSource

_LOG = logging.getLogger("netdissect")


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run that can begin.

    Attributes:
        network: the network.
        source: its probed layers.
        concepts: the probe set.
        settings: the settings, with what is left to the run chosen.
        input_size: height and width of the network's input in pixels.
        device: where the network runs.
        execution: its precision, whether it is compiled, and its linear layers.
        cluster: the Ray cluster, if the run is carried out on one.
        fingerprint: the network's fingerprint.
        notes: what a reader of the result should know.
    """

    network: Network
    source: ActivationSource
    concepts: ConceptSource
    settings: Settings
    input_size: tuple[int, int]
    device: torch.device
    execution: Execution
    cluster: RayCluster | None
    fingerprint: str
    notes: tuple[str, ...]

    @property
    def layers(self) -> list[str]:
        """Names of the probed layers."""
        return [layer.name for layer in self.source.layers]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that decides the result: two runs with the same facts have the same result."""
        return run_match.collect_facts(
            self.fingerprint, self.layers, self.concepts.fingerprint, self.settings, self.input_size
        )


@contextlib.contextmanager
def prepare_run(
    network: Network, layers: Sequence[str], concepts: ConceptSource, settings: Settings, folder: Path | None = None
) -> Iterator[PreparedRun]:
    """Return a context manager that chooses the device, input and batch size and probes the layers.

    Inside the block, a run on Ray is connected to its cluster.

    Args:
        network: the network.
        layers: names of the layers to probe.
        concepts: the probe set.
        settings: all settings of the run.
        folder: folder of the run; if it holds this run, finished or not, what that has chosen is kept.

    Raises:
        SettingsError: if the device does not exist.
        ActivationError: if a layer has no units or no cells.
    """
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(RayCluster(settings.address)) if settings.runtime == "ray" else None
        device = resolve_device(settings.device, cluster)
        size, notes = _describe_input_size(network, concepts.image_size, settings.resolution)
        if settings.precision != "fp32":
            notes.append(f"the network ran in {settings.precision}, which changes some labels")
        fingerprint = network.fingerprint()
        if folder is not None:
            settings = _adopt_choices(folder, fingerprint, layers, concepts, settings, size)
        settings = settle_chance(settings, concepts)
        execution = Execution(settings.precision, settings.compile, settings.linear)
        source = network.probe(layers, size, geometry=settings.geometry, device=device, execution=execution)
        settings, execution = _settle_linear(settings, execution, source)
        if settings.linear == "packed":
            notes.append("linear layers ran with packed weights, which changes the last bits of activations")
        empty = next((layer for layer in source.layers if 0 in (layer.units, *layer.grid)), None)
        if empty is not None:
            raise ActivationError(
                f"layer {empty.name} of {network.name} has {empty.units} units on a grid of {empty.grid[0]} x "
                f"{empty.grid[1]} cells, so there is nothing to dissect: choose another layer"
            )
        if settings.batch_size is None:
            settings = replace(settings, batch_size=choose_batch_size(source, concepts, device))
        if network.batch is not None and network.batch != settings.batch_size:
            notes.append(f"{network.name} takes {network.batch} image(s) at a time, whatever the batch size")
        run = PreparedRun(
            network, source, concepts, settings, size, device, execution, cluster, fingerprint, tuple(notes)
        )
        _log_choices(run)
        yield run


def _log_choices(run: PreparedRun) -> None:
    """Log what was typed and what was chosen, for ``--verbose``."""
    height, width = run.input_size
    _LOG.debug("%s (%s): input of %d x %d pixels, %s", run.network.name, run.network.source, height, width, run.device)
    for layer in run.source.layers:
        _LOG.debug("layer %s: %d units on %d x %d cells, %s", layer.name, layer.units, *layer.grid, layer.geometry)
    _LOG.debug(
        "probe set %s: %d images, %d concepts", run.concepts.name, len(run.concepts), len(run.concepts.vocabulary)
    )
    for name, value in run.settings.as_dict().items():
        _LOG.debug("setting %s: %s", name, value)
    for note in run.notes:
        _LOG.debug("%s", note)


def _adopt_choices(
    folder: Path,
    fingerprint: str,
    layers: Sequence[str],
    concepts: ConceptSource,
    settings: Settings,
    size: tuple[int, int],
) -> Settings:
    """Return the settings with what the same run, if the folder holds it, has chosen."""

    def collect(chosen: Settings) -> dict[str, Any]:
        names = list(dict.fromkeys(layers))
        return run_match.collect_facts(fingerprint, names, concepts.fingerprint, chosen, size)

    return run_match.adopt_choices(folder, settings, collect) or settings


def resolve_device(name: str, cluster: RayCluster | None = None) -> torch.device:
    """Return the device that ``--device`` means on this machine, or on the nodes of a cluster.

    Raises:
        SettingsError: if it does not exist.
    """
    device = None if name == "auto" else torch.device(name)
    available = torch.cuda.is_available() if cluster is None else cluster.gpus > 0
    if device is None:
        return torch.device("cuda" if available else "cpu")
    if cluster is not None and str(device) != device.type:
        raise SettingsError(
            f"--device {name} names one GPU of one machine: use --device cuda, and Ray assigns the GPUs"
        )
    if device.type == "cuda" and not available:
        where = "torch sees no CUDA device here" if cluster is None else "the cluster has no GPU"
        raise SettingsError(f"--device {name} was requested, but {where}: use --device cpu")
    if cluster is None and device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingsError(f"--device {name} was requested, but torch sees {count} CUDA devices here, numbered from 0")
    return device


def _settle_linear(settings: Settings, execution: Execution, source: ActivationSource) -> tuple[Settings, Execution]:
    """Return settings and execution with what a probe chose for its linear layers; sources without a choice run torch's."""
    linear = getattr(source, "execution", Execution()).linear
    if settings.linear == "packed" != linear:
        raise SettingsError(
            "--linear packed: this network runs no linear layers that can be packed here: leave --linear out, and add --fresh "
            "if --out holds a run whose layers were packed on another machine"
        )
    return replace(settings, linear=linear), replace(execution, linear=linear)


def choose_input_size(network: Network, image_size: tuple[int, int], resolution: int | None) -> tuple[int, int]:
    """Return height and width of the network's input for images of a size, or as ``--resolution`` asks."""
    return (resolution, resolution) if resolution else network.size_for(image_size)


def _describe_input_size(
    network: Network, image_size: tuple[int, int], resolution: int | None
) -> tuple[tuple[int, int], list[str]]:
    """Return height and width of the network's input, and notes if it differs from the images' or the network's own."""
    size = choose_input_size(network, image_size, resolution)
    own_size, notes = network.input_size, list(network.remarks())
    if size != image_size:
        given = network.preprocess
        asked = f"as {given.note} does" if given.note else "as its preprocessing says"
        own = asked if given.input_size == size else f"the only size {network.name} takes as it is"
        why = "as --resolution asks" if resolution else own
        notes.append(
            f"images of {_format_size(image_size)} are scaled to {_format_size(size)}, {why}; labels stay as they are"
        )
    if own_size is not None and size != own_size:
        notes.append(f"{network.name} was made for {_format_size(own_size)} and sees {_format_size(size)}")
    return size, notes


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
