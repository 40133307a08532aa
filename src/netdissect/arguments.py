"""What callers give, checked: everything that can be, before a network is loaded or a byte is computed."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.bounds import describe_type, format_value
from netdissect.config import Settings
from netdissect.errors import DataNotFoundError, SettingsError, suggest_nearest
from netdissect.io import folders
from netdissect.io.text import escape_line
from netdissect.probe_sets.broden.not_broden import explain_not_broden
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.download.paths import resolve_probe_set
from netdissect.protocols import ConceptSource
from netdissect.results.run_folder import RUN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess


def merge_settings(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    """Return the settings with single ones in their place.

    Raises:
        SettingsError: if there is no such setting, or a value means nothing.
    """
    if settings is not None and not isinstance(settings, Settings):
        raise SettingsError(f"settings= takes netdissect.Settings(…), not {describe_type(settings)}")
    known = sorted(Settings().as_dict())
    unknown = next((name for name in options if name not in known), None)
    if unknown is not None:
        raise SettingsError(f"there is no setting {unknown!r}: {suggest_nearest(unknown, known)}")
    return replace(settings or Settings(), **options)


def open_probe_set(data: object, settings: Settings) -> tuple[ConceptSource, Settings]:
    """Return the probe set that was given, and the settings with the split and the limit that it really has.

    Args:
        data: a Broden folder, the name of a downloaded one, a URL, or a ConceptSource.
        settings: their split and limit hold for what is opened here; a Broden is narrowed to them.

    Raises:
        DataNotFoundError: if there is no such probe set; the sentence says how to get or make one.
        SettingsError: if it is nothing of the kind, or another ConceptSource and a split or limit is asked for.
    """
    if isinstance(data, Path) or (isinstance(data, str) and "://" not in data):
        require_utf8_path("data", os.fspath(data))
        folder = resolve_probe_set(data)
        why = explain_not_broden(folder)
        if why is not None:
            raise DataNotFoundError(why)
        return Broden(folder, split=settings.split, limit=settings.limit), settings
    if isinstance(data, str):
        return Broden(data, split=settings.split, limit=settings.limit), settings
    if type(data) is Broden:
        narrowed = data.select(split=settings.split, limit=settings.limit)
        return narrowed, replace(settings, split=narrowed.split, limit=narrowed.limit)
    if isinstance(data, type) or not isinstance(data, ConceptSource):
        raise SettingsError(
            f"data= takes a folder in Broden's format, the name of a downloaded one, a URL, or an object with the methods "
            f"of netdissect.protocols.ConceptSource, not {describe_type(data)}: netdissect data from-masks, from-labels and others "
            f"make a probe set of your own images"
        )
    for name, value in (("split", settings.split), ("limit", settings.limit)):
        if value is not None:
            raise SettingsError(
                f"{name}={value!r} does not go with a probe set of your own ({type(data).__name__}): give one that has "
                f"only the images you want"
            )
    return data, settings


def resolve_layer_names(layers: object, network: Network) -> list[str]:
    """Return layers by name, each once; a module that is part of the network stands for its name.

    Raises:
        SettingsError: if none is named, or something is neither a name nor a part of the network.
    """
    several = [layers] if isinstance(layers, str) or not hasattr(layers, "__iter__") or _is_module(layers) else layers
    names = [_layer_name(layer, network) for layer in several if layer is not None]
    if not names:
        raise SettingsError("no layer was named: give at least one, netdissect layers MODEL shows them")
    return list(dict.fromkeys(names))


def require_preprocess(preprocess: object) -> Preprocess | None:
    """Return a preprocessing, or refuse what is none.

    Raises:
        SettingsError: saying what takes its place.
    """
    from netdissect.networks.preprocess import Preprocess

    if preprocess is None or isinstance(preprocess, Preprocess):
        return preprocess
    raise SettingsError(
        f"preprocess= takes netdissect.Preprocess(mean=…, std=…), not {describe_type(preprocess)}: whole images "
        f"are scaled to the input, so that labels stay where they are, and only their numbers are prepared"
    )


def require_run_folder(out: object) -> Path | None:
    """Return the folder of a run, where a folder can be made and written.

    Raises:
        SettingsError: if it is no path, or one whose name cannot be recorded.
        FolderTakenError: if it holds something that is no run.
        OSError: if nothing can be written there.
    """
    if out is None:
        return None
    if not isinstance(out, (str, os.PathLike)) or not isinstance(os.fspath(out), str):
        raise SettingsError(f"out= takes the folder of the run, not {describe_type(out)}")
    if out == "":
        raise SettingsError("out= was given no name: say which folder, or a dot for the one you are in")
    require_utf8_path("out", os.fspath(out))
    folder = Path(out)
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        read_only = hasattr(os, "statvfs") and os.statvfs(there).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), str(there))
    folders.require_free(folder, RUN_FOLDER)
    return folder


def require_utf8_path(option: str, given: str) -> None:
    """Refuse a path that run.json cannot hold.

    Raises:
        SettingsError: showing its bytes.
    """
    if "\0" in given:
        raise SettingsError(f"--{option} {escape_line(given)}: no file's name holds a NUL character")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        way = "the name has bytes that are no UTF-8, and a run's files could not hold it; rename it, or make a link of another name"
        with contextlib.suppress(UnicodeDecodeError):
            os.fsencode(given).decode()
            way = (
                "the locale here knows only ASCII, and the name has other letters: set PYTHONUTF8=1, or LC_ALL=C.UTF-8"
            )
        raise SettingsError(f"--{option} {escape_line(given)}: {way}") from error


def _layer_name(layer: object, network: Network) -> str:
    if isinstance(layer, str):
        return layer
    if _is_module(layer):
        named = getattr(getattr(network, "module", None), "named_modules", dict)
        found: str | None = next((name for name, part in named() if part is layer and name), None)
        if found is not None:
            return found
        raise SettingsError(
            f"the layer {describe_type(layer)} is no part of {network.name}: give a module of the network itself, or its name"
        )
    raise SettingsError(
        f"layers are given by name, such as 'layer4', or as modules of the network, not {format_value(layer)}"
    )


def _is_module(value: object) -> bool:
    from torch import nn

    return isinstance(value, nn.Module)
