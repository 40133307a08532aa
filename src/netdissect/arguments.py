"""Check the arguments of the public functions before a network is loaded or anything is computed."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from netdissect.bounds import describe_type, format_value
from netdissect.config import Settings
from netdissect.data_loading import is_given
from netdissect.errors import DataNotFoundError, SettingsError, suggest_nearest
from netdissect.io import folders
from netdissect.io.text import escape_line
from netdissect.layers import check_file_stems
from netdissect.probe_sets.broden.not_broden import explain_not_broden
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.download.paths import resolve_probe_set
from netdissect.probe_sets.prepared.probe_folder import is_prepared_file, open_probe_folder
from netdissect.protocols import ConceptSource
from netdissect.results.run_folder import RUN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.results.run_result import Result


def merge_settings(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    """Return settings in which those passed as keywords are replaced.

    Args:
        settings: every setting; None for the defaults.
        options: the settings to replace, by name.

    Raises:
        SettingsError: if there is no such setting, or a value is out of its bounds.
    """
    if settings is not None and not isinstance(settings, Settings):
        raise SettingsError(f"settings= takes netdissect.Settings(…), not {describe_type(settings)}")
    known = sorted(Settings().as_dict())
    unknown = next((name for name in options if name not in known), None)
    if unknown is not None:
        raise SettingsError(f"there is no setting {unknown!r}: {suggest_nearest(unknown, known)}")
    return replace(settings or Settings(), **options)


def open_selected_probe_set(
    data: object, settings: Settings, *, refused: Mapping[str, object] | None = None
) -> tuple[ConceptSource, Settings]:
    """Open a probe set, and return it with settings that record its split and its limit.

    Args:
        data: a Broden folder, a prepared file, the name of either, a URL, a `Broden` or another `ConceptSource`.
        settings: every setting; a `Broden` is restricted to the split and the limit.
        refused: arguments by name that say how data in a program is read, and that apply to nothing else.

    Raises:
        DataNotFoundError: if there is no such probe set; the message says how to get or make one.
        SettingsError: if `data` is none of these, or if a split or a limit is set for another `ConceptSource`.
    """
    for name in (name for name, value in (refused or {}).items() if value is not None and data is not None):
        raise SettingsError(
            f"{name}= says how images and masks in Python are read, and {describe_type(data)} is a probe set already"
        )
    if isinstance(data, Path) or (isinstance(data, str) and "://" not in data):
        require_utf8_path("data", os.fspath(data))
        folder = resolve_probe_set(data)
        reason = None if is_prepared_file(folder) else explain_not_broden(folder)
        if reason is not None:
            raise DataNotFoundError(reason)
        return open_probe_folder(folder, split=settings.split, limit=settings.limit), settings
    if isinstance(data, str):
        return open_probe_folder(data, split=settings.split, limit=settings.limit), settings
    if type(data) is Broden or _is_prepared_set(data):
        _require_reachable(data, settings)
        narrowed = data.select(split=settings.split, limit=settings.limit)
        return narrowed, replace(settings, split=narrowed.split, limit=narrowed.limit)
    if isinstance(data, type) or not isinstance(data, ConceptSource):
        given = (
            "images and masks in Python are opened once, with netdissect.open_probe_set(data, concepts=…)"
            if is_given(data)
            else "netdissect.importers makes a probe set of your own images"
        )
        raise SettingsError(
            f"data= takes a folder in Broden's format, the name of a downloaded one, a URL, or an object with the methods "
            f"of netdissect.protocols.ConceptSource, not {describe_type(data)}: {given}"
        )
    for name, value in (("split", settings.split), ("limit", settings.limit)):
        if value is not None:
            raise SettingsError(
                f"{name}={value!r} cannot be applied to a probe set of your own ({type(data).__name__}): pass one that has "
                f"only the images you want"
            )
    return data, settings


def _is_prepared_set(data: object) -> TypeGuard[Broden]:
    """Return whether a probe set is read from a prepared file."""
    if not isinstance(data, Broden):
        return False
    from netdissect.probe_sets.prepared.prepared_set import PreparedSet

    return isinstance(data, PreparedSet)


def _require_reachable(data: Broden, settings: Settings) -> None:
    """Refuse a probe set in a temporary file of this machine for a run on a cluster."""
    if not data.path:
        require_local(settings)


def require_local(settings: Settings) -> None:
    """Refuse a run on a cluster over images that a program holds.

    Raises:
        SettingsError: if the run is on a cluster.
    """
    if settings.runtime == "ray":
        raise SettingsError(
            "runtime='ray': the images that were given in Python are in a temporary file of this machine, which other nodes cannot read: "
            "write them with netdissect.open_probe_set(data, …, out='SHARED/NAME.arrow')"
        )


def resolve_layer_names(
    layers: object, network: Network | None, choose_size: Callable[[], tuple[int, int]] | None = None
) -> list[str]:
    """Return the names of layers, each once.

    Args:
        layers: a layer's name or a pattern (`expand_layer_patterns`), a module of the network, or a sequence of these; None for the
            suggested layers.
        network: the network; None where layers can only be named, and patterns stay as they are.
        choose_size: returns height and width of the network's input in pixels, for patterns; None takes its own, or 224 x 224.

    Raises:
        SettingsError: if no layer is named, or one is neither a name nor a module of the network.
        UnknownLayerError: if a pattern matches no layer.
    """
    names = _list_layer_words(layers, network)
    if network is None:
        return list(dict.fromkeys(names))
    from netdissect.networks.layer_patterns import expand_layer_patterns

    return expand_layer_patterns(network, names or None, choose_size or (lambda: network.input_size or (224, 224)))


def check_layers_early(layers: object, network: Network, *, latents: bool = False) -> list[str] | None:
    """Return the names and patterns of layers, after refusing those that cannot be right without running the network.

    Args:
        layers: as for `resolve_layer_names`.
        network: the network.
        latents: whether ``LAYER+NAME`` stands for latents of a layer.

    Returns:
        names and patterns; None for the suggested layers.

    Raises:
        SettingsError: if no layer is named, one is neither a name nor a module of the network, or two have the same files.
        UnknownLayerError: if the network can have no such layer.
    """
    from netdissect.networks.layer_patterns import is_layer_pattern, require_possible_layers

    words = _list_layer_words(layers, network)
    require_possible_layers(network, words, latents=latents)
    check_file_stems([word for word in words if not is_layer_pattern(word)])
    return words or None


def choose_run_layers(run: Result, layers: Sequence[str] | str | None) -> list[str]:
    """Return the names of layers of a finished run, each once; all of them for None.

    Args:
        run: the run.
        layers: names, or patterns such as ``layer4.*``, ``*`` or ``last``.

    Raises:
        UnknownLayerError: if the run has no such layer.
        SettingsError: if none is named.
    """
    words = list(run.layers) if layers is None else resolve_layer_names(layers, None)
    return list(dict.fromkeys(name for word in words for name in _match_run_layers(run, word)))


def _match_run_layers(run: Result, word: str) -> list[str]:
    """Return the layers of a finished run that a word stands for."""
    from netdissect.networks.layer_patterns import LAST, is_layer_pattern, match_names

    names = list(run.layers)
    if word in names or not is_layer_pattern(word):
        return [run[word].name]
    return names[-1:] if word == LAST else match_names(word, names) or [run[word].name]


def require_preprocess(preprocess: object) -> Preprocess | None:
    """Return what an argument says about how images become a network's input: a `Preprocess`, a transform or None.

    Raises:
        SettingsError: if it is anything else, or a transform that does more than a `Preprocess` can.
    """
    from netdissect.networks.transforms import read_preprocess

    return read_preprocess(preprocess)


def require_run_folder(out: object) -> Path | None:
    """Return the run folder after checking that it can be created and written to; None for None.

    Raises:
        SettingsError: if it is not a path, or its name cannot be stored in ``run.json``.
        FolderTakenError: if it holds anything but a run.
        OSError: if it cannot be written.
    """
    if out is None:
        return None
    if not isinstance(out, (str, os.PathLike)) or not isinstance(os.fspath(out), str):
        raise SettingsError(f"out= takes the run folder, not {describe_type(out)}")
    if out == "":
        raise SettingsError("out= is empty: name a folder, or a dot for the current one")
    require_utf8_path("out", os.fspath(out))
    folder = Path(out)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(existing))
    if not os.access(existing, os.W_OK | os.X_OK):
        read_only = hasattr(os, "statvfs") and os.statvfs(existing).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), str(existing))
    folders.require_free(folder, RUN_FOLDER)
    return folder


def require_utf8_path(option: str, given: str) -> None:
    """Check that a path can be stored in ``run.json``.

    Args:
        option: the option, for the error message.
        given: the path.

    Raises:
        SettingsError: if it has a NUL character or bytes that are not UTF-8; the message shows them.
    """
    if "\0" in given:
        raise SettingsError(f"--{option} {escape_line(given)}: a file name cannot contain a NUL character")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        advice = "the name has bytes that are not UTF-8, which a run's files cannot store; rename it, or link to it under another name"
        with contextlib.suppress(UnicodeDecodeError):
            os.fsencode(given).decode()
            advice = "the locale has only ASCII, and the name has other characters: set PYTHONUTF8=1, or LC_ALL=C.UTF-8"
        raise SettingsError(f"--{option} {escape_line(given)}: {advice}") from error


def _list_layer_words(layers: object, network: Network | None) -> list[str]:
    """Return the names and patterns of layers; none for None, if there is a network that suggests some."""
    several: Any = layers
    if isinstance(layers, str) or not hasattr(layers, "__iter__") or _is_module(layers):
        several = [layers]
    names = [_find_layer_name(layer, network) for layer in several if layer is not None]
    if not names and (layers is not None or network is None):
        raise SettingsError("no layer was named: name at least one; netdissect layers MODEL lists them")
    return names


def _find_layer_name(layer: object, network: Network | None) -> str:
    if isinstance(layer, str):
        return layer
    if _is_module(layer):
        named = getattr(getattr(network, "module", None), "named_modules", dict)
        found: str | None = next((name for name, part in named() if part is layer and name), None)
        if found is not None:
            return found
        raise SettingsError(
            f"the layer {describe_type(layer)} is not a module of {network.name if network else 'the network'}: pass a module of the network itself, or its name"
        )
    raise SettingsError(f"layers= takes names, such as 'layer4', or modules of the network, not {format_value(layer)}")


def _is_module(value: object) -> bool:
    from torch import nn

    return isinstance(value, nn.Module)
