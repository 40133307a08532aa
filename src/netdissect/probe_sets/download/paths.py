"""Find downloaded probe sets and networks by name.

Probe sets and sources are in ``dataset/`` of the current folder, networks in ``zoo/``, as in the released code;
``NETDISSECT_DATA`` and ``NETDISSECT_ZOO`` name other folders, which projects may share.
"""

from __future__ import annotations

import os
from pathlib import Path

from netdissect.errors import DataNotFoundError, ModelNotFoundError, suggest_nearest
from netdissect.probe_sets.download.registry import RegistryEntry, load_registry


def get_data_folder(into: Path | None = None) -> Path:
    """Return the folder of probe sets and sources: `into`, else ``NETDISSECT_DATA``, else ``dataset/``."""
    return into or Path(os.environ.get("NETDISSECT_DATA") or "dataset")


def get_zoo_folder(into: Path | None = None) -> Path:
    """Return the folder of networks: `into`, else ``NETDISSECT_ZOO``, else ``zoo/``."""
    return into or Path(os.environ.get("NETDISSECT_ZOO") or "zoo")


def resolve_probe_set(name_or_path: str | Path) -> Path:
    """Return the folder of a probe set, given its path or the name of a downloaded or built one.

    An existing path comes first, then ``dataset/NAME`` in the current folder, then ``NAME`` in ``NETDISSECT_DATA``; a prepared
    file ``NAME.arrow`` is found where there is no such folder.

    Raises:
        DataNotFoundError: if there is none; the message says how to get it.
    """
    path = Path(name_or_path)
    if path.exists():
        return path
    name = str(name_or_path)
    last = path.name
    if len(path.parts) == 1:
        for place in dict.fromkeys((Path("dataset"), get_data_folder())):
            for path in (place / name, place / f"{name}.arrow"):
                if path.is_dir() or (path.suffix == ".arrow" and path.is_file()):
                    return path
    sets = [entry.name for entry in load_registry().values() if entry.kind == "probe set"]
    if last in sets:
        raise DataNotFoundError(
            f"the probe set {name} has not been downloaded: netdissect data download {last} fetches it"
        )
    raise DataNotFoundError(
        f"there is no probe set {name!r}: expected a Broden folder, or the name of one in dataset/; "
        f"of those that can be downloaded, {suggest_nearest(last, sets)}"
    )


def resolve_network(name: str) -> Path | None:
    """Return the path of a network in the zoo: the stem of its two Caffe files, or its only file.

    Args:
        name: name of a downloaded network, or of any pair of Caffe files in ``zoo/``.

    Returns:
        the path; None if neither the zoo nor the registry has such a network.

    Raises:
        ModelNotFoundError: if the registry has it and it was not downloaded; the message says how to.
    """
    entry = load_registry().get(name)
    known = entry is not None and entry.kind == "network"
    for place in dict.fromkeys((Path("zoo"), get_zoo_folder())):
        files = [place / file.name for file in entry.files] if entry is not None and known else []
        if files and all(file.is_file() for file in files):
            return place / name if len(files) == 2 else files[0]
        if (place / f"{name}.prototxt").is_file():
            return place / name
    if known:
        raise ModelNotFoundError(
            f"the network {name} has not been downloaded: netdissect zoo download {name} fetches it"
        )
    return None


def require_downloaded(model: str) -> None:
    """Refuse a path to a network of the registry that was not downloaded.

    Args:
        model: the MODEL argument: a stem, one of its files, or both with a comma between them.

    Raises:
        ModelNotFoundError: if the registry has it and none of its files exists there; the message says how to get it.
    """
    first = Path(model.split(",", maxsplit=1)[0])
    stem = first.name.removesuffix(".prototxt").removesuffix(".caffemodel")
    entry = next((one for one in load_registry().values() if _is_network(one, stem, first.name)), None)
    if entry is None or any(path.exists() for path in (first, *(first.with_name(file.name) for file in entry.files))):
        return
    raise ModelNotFoundError(
        f"the network {first} has not been downloaded: netdissect zoo download {entry.name} fetches it"
    )


def _is_network(entry: RegistryEntry, stem: str, file: str) -> bool:
    return entry.kind == "network" and (entry.name == stem or file in {one.name for one in entry.files})
