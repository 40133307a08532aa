"""Dissect networks and load finished runs: the functions that most users need."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from netdissect import arguments, report
from netdissect.analyses.finished_run import equip, load_finished
from netdissect.bounds import describe_type
from netdissect.data_loading import is_given, open_given_data
from netdissect.engine.image_groups import read_group_names
from netdissect.errors import ModelError, SettingsError, describe_exit
from netdissect.layers import check_file_stems
from netdissect.model_loading import as_network
from netdissect.progress import require_progress, show_progress
from netdissect.results import files
from netdissect.results.scores import find_score
from netdissect.runtime.main_program import require_importable_parts, require_importable_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from netdissect.config import Settings, SettingsDict
    from netdissect.networks.network import Network
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.networks.units.projection import Projections
    from netdissect.probe_sets.given.given_concepts import ConceptsLike
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.run_result import Result
    from netdissect.run.references import ReferenceRuns

_LOG = logging.getLogger("netdissect")


@contextlib.contextmanager
def _forbid_exit() -> Iterator[None]:
    """Return a context manager that raises a ModelError if code of the network calls ``sys.exit``."""
    try:
        yield
    except SystemExit as stop:
        raise ModelError(f"{describe_exit(stop)}: remove that call from the network's code") from stop


@_forbid_exit()
def dissect(
    model: nn.Module | str | Network,
    layers: str | nn.Module | Sequence[str | nn.Module] | None,
    data: Any,
    concepts: ConceptsLike | None = None,
    *,
    preprocess: PreprocessLike | None = None,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    projection: Projections | None = None,
    reference: ReferenceRuns | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
    settings: Settings | None = None,
    **options: Unpack[SettingsDict],
) -> Result:
    """Label the units of a network's layers with the concepts of a probe set.

    Args:
        model: any ``torch.nn.Module``, anything that the shell takes for MODEL, or a loaded Network.
        layers: the layers to dissect, by name, as modules of the network, or by patterns: ``layer4.*``, ``blocks.[0-9].mlp``, ``*``
            for all, ``last`` for the last of the suggested ones (`list_layers` marks them). None takes all suggested ones.
        data: images with their masks: a torch data set or loader, a ``datasets.Dataset``, tensors, or any iterable of pairs
            (`open_probe_set` has more options). Or a probe set: a folder in Broden's format, a prepared file, the name of a
            downloaded one, an fsspec URL, a Broden, or any other ConceptSource, to which the settings ``split`` and
            ``limit`` cannot be applied.
        concepts: what the masks mean, such as the names of the numbers 1, 2, …, as for `open_probe_set`; None for a probe set,
            which says it itself.
        preprocess: how images become the network's input: a `Preprocess`, or a transform such as ``weights.transforms()``,
            whose crop is left out; None takes the model's own, else RGB with ImageNet's mean and standard deviation.
        arch: architecture of a file of weights, such as ``torchvision:resnet18``, as for `load_network`.
        weights: weights to load instead of the model's own: a file, or what `load_network` takes. A module is not changed; a copy gets
            them.
        trust: open a file that may contain code (``.pt2``).
        projection: latents to dissect instead of the layers' units: the file of a sparse autoencoder, or a module that maps
            (…, U) to (…, L), by being called or by its method ``encode``. Give one for all layers, or a mapping from layers.
            The result's layers are named ``LAYER+NAME``.
        reference: at least two runs of untrained networks over the same probe set, which the units are tested against
            (`add_reference`): the folder of `netdissect.control`, run folders, or results.
        out: the run's folder; None writes nothing. If the same run is in it, it is continued, or returned if it is finished;
            another run is refused.
        fresh: replace the run that the folder holds.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        settings: all settings; None takes the paper's.
        options: single settings by name (docs/settings.md), such as ``quantile=0.01`` or ``batch_size=64``.

    Returns:
        the result; ``result["layer4"].units`` is the table of a layer's units.

    Raises:
        NetdissectError: one of its subclasses, if the model, the probe set or the settings are wrong.

    Example::

        import netdissect as nd

        result = nd.dissect(model, layers=["layer4"], data="dataset/broden1_224")  # any torch.nn.Module
        result["layer4"].units[0].label  # such as 'dog'
    """
    from netdissect import run as runs

    settings = arguments.merge_settings(settings, options)
    preparation = arguments.require_preprocess(preprocess)
    require_progress(progress)
    references = None if reference is None else runs.open_references(reference)
    network = None
    if is_given(data):  # reading it may take long: refuse all else before
        check_settings(settings, out)
        arguments.require_local(settings)
        if references is not None:
            references.require_basis(None, settings)
        network = as_network(model, preparation, arch=arch, weights=weights, trust=trust)
        layers = arguments.check_layers_early(layers, network, latents=projection is not None)
        data = open_given_data(data, settings, concepts, network.preprocess, progress)
    elif concepts is not None:
        raise SettingsError(
            f"concepts= says what masks in Python mean, and data={describe_type(data)} is a probe set already"
        )
    probe_set, settings, folder = check_inputs(data, settings, out)
    if references is not None:
        references.require_basis(probe_set.fingerprint, settings)
    test = None if references is None else references.test_units
    network = network or as_network(model, preparation, arch=arch, weights=weights, trust=trust)
    return dissect_checked(
        network, layers, probe_set, settings, folder, projection=projection, finish=test, fresh=fresh, progress=progress
    )


def add_reference(run: Result, reference: ReferenceRuns) -> Result:
    """Test the units of a finished run against untrained networks, without another dissection (docs/trust.md).

    Args:
        run: the run; it is not changed. `save` writes what is returned into its folder.
        reference: at least two runs of untrained networks over the same probe set: the folder of `netdissect.control`, run folders,
            or results; a mapping gives them names.

    Returns:
        the run with ``unit_trust[…].q_reference`` in every layer that the reference has too, and its counts in ``controls``.

    Raises:
        SettingsError: if the runs do not fit, or are fewer than two.
        RunNotFoundError: if a folder holds no finished run.

    Example::

        import netdissect as nd

        run = nd.dissect(model, ["layer4"], "dataset/broden1_224", out="trained")
        untrained = nd.control(model, ["layer4"], "dataset/broden1_224", seeds=3)
        nd.add_reference(run, untrained).save("trained")
    """
    from netdissect import run as runs

    return runs.open_references(reference).test_units(run)


@_forbid_exit()
def dissect_checked(
    network: Network,
    layers: str | nn.Module | Sequence[str | nn.Module] | None,
    concepts: ConceptSource,
    settings: Settings,
    folder: Path | None,
    *,
    projection: Projections | None = None,
    finish: Callable[[Result], Result] | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
) -> Result:
    """Dissect a loaded network.

    Args:
        network: the network.
        layers: as for `dissect`.
        concepts: the probe set, as `check_inputs` returned it.
        settings: the settings that it returned.
        folder: the folder that it returned.
        projection: as for `dissect`.
        finish: adds controls to the result before it is saved; if they differ from those of a finished run, this is saved again.
        fresh: as for `dissect`.
        progress: as for `dissect`.
    """
    from netdissect import run

    names = arguments.resolve_layer_names(
        layers, network, lambda: run.choose_input_size(network, concepts.image_size, settings.resolution)
    )
    if projection is not None:
        from netdissect.networks.units.projected_network import attach_projections

        network, names = attach_projections(network, names, projection)
    check_file_stems(names)  # fail before the work, not hours later
    require_importable_parts(settings.local_workers, {"the network": network, "the probe set": concepts})
    with (
        show_progress(progress) as shown,
        run.prepare_run(network, names, concepts, settings, None if fresh else folder) as prepared,
        run.lock_run(folder, prepared, fresh=fresh) as lock,
    ):
        if lock.finished is None:
            result = found = equip(run.execute_run(prepared, lock, shown), lambda: concepts, folder)
        else:
            assert folder is not None
            result = found = _return_finished(folder, lock.finished, concepts)
        if finish is not None:
            result = finish(found)
        if folder is None:
            return result
        is_new = lock.finished is None or result.controls != found.controls
        if is_new:
            files.save_run(result, folder)
        is_drawn = report.has_report(folder, result if settings.classic else None)
        if settings.pictures and (is_new or not is_drawn):
            assert result.presenter is not None
            result.presenter.write_report(result, folder, shown, classic=settings.classic or None)
    return result


def check_inputs(
    data: str | Path | ConceptSource, settings: Settings, out: str | Path | None
) -> tuple[ConceptSource, Settings, Path | None]:
    """Check the arguments of `dissect` that can be checked before a network is loaded.

    Args:
        data: as for `dissect`.
        settings: all settings.
        out: as for `dissect`.

    Returns:
        the probe set, the settings with its split and limit, and the run's folder.

    Raises:
        NetdissectError: one of its subclasses, if the probe set, the settings or the folder are wrong.
        OSError: if the folder cannot be written.
    """
    folder, score = check_settings(settings, out), find_score(settings.score)
    concepts, settings = arguments.open_selected_probe_set(data, settings)
    if settings.group_by is not None:
        read_group_names(concepts, settings.group_by)
    score.try_out(concepts.vocabulary)
    return concepts, settings, folder


def check_settings(settings: Settings, out: str | Path | None) -> Path | None:
    """Check the settings and the folder of a run, before a probe set is opened; return the folder.

    Raises:
        SettingsError: if a setting cannot be used here.
        OSError: if the folder cannot be written.
    """
    from netdissect import run

    require_importable_program(settings.local_workers)
    folder = arguments.require_run_folder(out)
    if settings.keep and folder is None and settings.artifacts is None:
        raise SettingsError("keep=True keeps intermediate results in the run's folder: give out= too")
    if settings.runtime == "local":
        run.resolve_device(settings.device)
    find_score(settings.score)
    return folder


def load(folder: str | Path) -> Result:
    """Load a finished run from its folder.

    Raises:
        RunNotFoundError: if the folder holds no finished run.
        RunFileError: if one of its files is damaged.
        SettingsError: if `folder` is not a path.
    """
    given: object = folder
    if not isinstance(given, (str, os.PathLike)):
        raise SettingsError(f"netdissect.load takes the folder of a run, not {describe_type(given)}")
    return load_finished(Path(folder))


def _return_finished(folder: Path, run: Result, concepts: ConceptSource) -> Result:
    """Write the missing CSV tables of a folder's finished run again; return the run."""
    when = str(run.journal.get("finished", ""))[:10]
    on = f" on {when}" if when else ""
    _LOG.warning(
        "%s already holds this run, finished%s: nothing is computed again; --fresh, in Python fresh=True, does",
        folder,
        on,
    )  # the shell shows it too
    files.restore_tables(run, folder)
    return equip(run, lambda: concepts, folder, report.ReportCache(run, folder))
