"""Dissect the checkpoints of one architecture over one probe set, whose images and labels are decoded once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from netdissect import api, arguments, model_loading
from netdissect.bounds import describe_type
from netdissect.errors import FolderTakenError, SettingsError
from netdissect.experiments.checkpoint_files import find_checkpoints, require_fit
from netdissect.experiments.checkpoint_loader import CheckpointLoader
from netdissect.io.names import make_portable_name
from netdissect.progress import TitledProgress, require_progress, show_progress
from netdissect.protocols import Progress
from netdissect.results.run_folder import is_run_started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import nn

    from netdissect.config import Settings, SettingsDict
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.networks.units.projection import Projections
    from netdissect.protocols import ConceptSource
    from netdissect.results.run_result import Result

    #: The members of a series: a name, and a function that loads the network when its turn comes.
    Members: TypeAlias = Iterable[tuple[str, Callable[[], Network]]]

_LOG = logging.getLogger("netdissect")


def dissect_series(
    model: str | nn.Module | Callable[[str], nn.Module | Network] | Iterable[tuple[str, nn.Module | Network]],
    weights: str | Path | Sequence[str | Path] | None,
    layers: str | Sequence[str] | None,
    data: str | Path | ConceptSource,
    *,
    preprocess: PreprocessLike | None = None,
    arch: str | None = None,
    projection: Projections | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
    settings: Settings | None = None,
    **options: Unpack[SettingsDict],
) -> dict[str, Result]:
    """Dissect many checkpoints of one architecture over one probe set; images and labels are decoded once.

    Each checkpoint gets its own run folder below `out`, the same that `dissect` would write: finished runs are not computed
    again, and an interrupted one is continued. `netdissect.track` draws the training curve.

    Args:
        model: the architecture: anything that the shell takes for MODEL and ``--weights``, or a module, whose weights are
            replaced in a copy; or a function that returns the network of a checkpoint, given its path. With
            ``weights=None``, names and networks: each is dissected before the next is asked for, so a training loop can
            yield one module again and again.
        weights: checkpoints: paths, or patterns such as ``"runs/*.ckpt"``, taken in natural order (epoch_2 before epoch_10).
        layers: the layers to dissect, by name or by patterns, as for `netdissect.dissect`.
        data: the probe set, as for `dissect`.
        preprocess: as for `dissect`.
        arch: architecture of files of weights, as for `dissect`, which are then given as `model`, with ``weights=None``.
        projection: as for `dissect`.
        out: folder of the run folders, which are named after the checkpoints; None writes nothing.
        fresh: replace the runs that the folders hold.
        progress: shows how far each run is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        settings: all settings; None takes the paper's. Decoded images take as much memory as the setting ``memory`` allows,
            and then a temporary file in `out`; workers decode images anew for each checkpoint.
        options: single settings by name, such as ``quantile=0.01``.

    Returns:
        the results by the names of the run folders, in the order of the checkpoints.

    Raises:
        SettingsError: if no file matches, or two checkpoints would get one run folder.
        ModelError: or a subclass, if a checkpoint does not fit the architecture; where that can be seen from its keys and
            shapes, before anything is dissected.
        NetdissectError: as `dissect` does.

    Example::

        import netdissect as nd

        results = nd.dissect_series("torchvision:resnet18", "runs/*.ckpt", ["layer4"], "dataset/broden1_224", out="series")
        {name: run.detectors()["layer4"].unique for name, run in results.items()}
    """
    settings = arguments.merge_settings(settings, options)
    preparation = arguments.require_preprocess(preprocess)
    require_progress(progress)
    if arch is not None:
        model, weights = arch, _require_files(model, weights)
    concepts, settings, _ = api.check_inputs(data, settings, None)
    paths = None if weights is None else find_checkpoints(weights)
    where = None if out is None else require_series_folder(out, paths or ())
    members = (
        _name_modules(model, preparation) if paths is None else open_members(paths, _make_loader(model, preparation))
    )
    total = None if paths is None else len(paths)
    with show_progress(progress) as shown:
        return dict(
            dissect_members(
                members, layers, concepts, settings, out=where, total=total, projection=projection, fresh=fresh,
                progress=shown,
            )
        )  # fmt: skip


def _require_files(model: Any, weights: object) -> Any:
    """Return the checkpoints that are given as the model, whose architecture has a name."""
    from torch import nn

    if weights is not None or isinstance(model, nn.Module) or callable(model):
        raise SettingsError(
            "arch= is the architecture of files of weights that are given as the model, such as 'runs/*.ckpt', with weights=None: leave "
            "arch= out where the model is the architecture"
        )
    return model


def open_members(paths: Mapping[str, str], load: Callable[[str], Network]) -> Members:
    """Yield the name of every checkpoint and a function that loads it, after checking that all of them fit.

    Args:
        paths: the checkpoints' paths by name.
        load: loads one.
    """
    first, *others = paths.values()
    waiting = [load(first)]
    require_fit(waiting[0], others, load)
    for name, path in paths.items():
        yield name, waiting.pop if waiting else partial(load, path)


def dissect_members(
    members: Members,
    layers: str | nn.Module | Sequence[str | nn.Module] | None,
    concepts: ConceptSource,
    settings: Settings,
    *,
    out: Path | None,
    total: int | None = None,
    projection: Projections | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
) -> Iterator[tuple[str, Result]]:
    """Dissect networks one after the other, and yield the name and the result of each as it is finished.

    Args:
        members: names and loaders of the networks.
        layers: the layers, as for `netdissect.dissect`.
        concepts: the probe set, as `netdissect.api.check_inputs` returned it.
        settings: the settings that it returned.
        out: folder of the run folders.
        total: number of networks, if it is known.
        projection: as for `netdissect.dissect`.
        fresh: replace the runs that the folders hold.
        progress: as for `netdissect.dissect`; a Progress gets the name of each network too.
    """
    with contextlib.ExitStack() as stack:
        concepts = stack.enter_context(share_decoded(concepts, settings, out))
        of = "" if total is None else f" of {total}"
        for done, (name, load) in enumerate(members):
            folder = None if out is None else arguments.require_run_folder(out / name)
            _LOG.info("%s (%d%s)", name, done + 1, of)
            shown = TitledProgress(progress, name) if isinstance(progress, Progress) else progress
            try:
                result = api.dissect_checked(
                    load(), layers, concepts, settings, folder, projection=projection, fresh=fresh, progress=shown
                )
            except KeyboardInterrupt as interrupt:
                raise KeyboardInterrupt(
                    f"interrupted at {name}; finished networks: {done}{of}"
                    + ("" if out is None else "; the same command continues from there")
                ) from interrupt
            yield name, result


def require_series_folder(out: object, names: Iterable[str] = ()) -> Path:
    """Return the folder of a series after checking that the run folders below it can be written.

    Args:
        out: the folder.
        names: names of the run folders, as far as they are known.

    Raises:
        SettingsError: if it is not a path.
        FolderTakenError: if it holds a run, or a run folder holds something else.
        OSError: if it cannot be written.
    """
    if not isinstance(out, (str, Path)) or out == "":
        raise SettingsError(f"out= takes the folder of the series, not {describe_type(out)}")
    folder = Path(out)
    if is_run_started(folder) or (folder / "run.json").exists():
        raise FolderTakenError(
            f"{folder} holds a run, and several networks get one run folder each below --out: choose another folder"
        )
    for name in names:
        arguments.require_run_folder(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def share_decoded(concepts: ConceptSource, settings: Settings, folder: Path | None) -> Iterator[ConceptSource]:
    """Yield a probe set that decodes every image once, unless worker processes read it, which cannot share it."""
    from netdissect import run
    from netdissect.probe_sets.decoded import decode_once

    if settings.workers > 1 or settings.runtime == "ray":
        _LOG.info("workers decode images anew for every network: only one process decodes them once")
        yield concepts
        return
    with decode_once(concepts, run.find_memory_budget(settings), folder) as decoded:
        yield decoded


def _make_loader(model: Any, preprocess: Preprocess | None) -> Callable[[str], Network]:
    """Return a function that returns the network of a checkpoint, given its path."""
    from torch import nn

    if isinstance(model, str):
        load = CheckpointLoader(lambda path: model_loading.load_network(model, weights=path))
        return lambda path: _adapt(load(path), preprocess)
    if isinstance(model, nn.Module):
        return lambda path: _adapt(model_loading.fill_copy(model, path), preprocess)
    if callable(model):
        return lambda path: _adapt(model(path), preprocess)
    raise SettingsError(
        f"dissect_series takes MODEL as the shell does, a torch.nn.Module or a function that returns one, not {describe_type(model)}"
    )


def _adapt(model: nn.Module | Network, preprocess: Preprocess | None) -> Network:
    return model_loading.as_network(model, preprocess)


def _name_modules(pairs: Any, preprocess: Preprocess | None) -> Members:
    """Yield portable names and loaders of networks.

    Raises:
        SettingsError: if an entry is not a name and a network, or two have one name.
    """
    from torch import nn

    if isinstance(pairs, (str, nn.Module)) or not isinstance(pairs, Iterable):
        raise SettingsError(
            f"without weights=, dissect_series takes pairs of a name and a network, not {describe_type(pairs)}: name "
            f"checkpoints with weights=, such as 'runs/*.ckpt'"
        )
    taken: set[str] = set()
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise SettingsError(
                f"dissect_series takes pairs of a name and a network, such as ('epoch_1', model), not {describe_type(pair)}"
            )
        name = make_portable_name(pair[0])
        if name.casefold() in taken:
            raise SettingsError(f"two networks of the series would get the run folder {name}: give each its own name")
        taken.add(name.casefold())
        yield name, partial(_adapt, pair[1], preprocess)
