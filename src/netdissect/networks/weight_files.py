"""Read weights from files without unpickling: safetensors, numpy's ``.npz``, and checkpoints of tensors and plain values.

Within `replace_torch_load`, torchvision, timm and transformers read their files by the same rules.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import pathlib
import pickle
import re
import threading
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from netdissect.errors import ModelFileError, ModelNotFoundError, root_message
from netdissect.io.arrays import parse_npy
from netdissect.io.json_files import read_json
from netdissect.io.text import escape_line
from netdissect.networks import budgets
from netdissect.networks.kinds import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Suffixes of files that hold weights.
WEIGHT_SUFFIXES = SPELLINGS["weights"].endings
#: Words of torch's error for a file that holds more than tensors and plain values. Errors for damaged files have none of them.
_UNSAFE = ("GLOBAL", "reduce", "allowlisted", "allowed", "blocked")
_MAX_INDEX_BYTES = 2**26

_torch_load = torch.load
_torch_load_lock = threading.RLock()


def read_weights_file(path: Path, **options: Any) -> Any:
    """Return the contents of a weights file as they were saved.

    Args:
        path: the file.
        options: torch's ``map_location`` and ``mmap``.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, TorchScript, or holds objects that would have to be unpickled.
    """
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    check_weights_file(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    refuse_torchscript(path)
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise ModelFileError(f"{path}: expected a safetensors file, got {root_message(error)}") from error
    try:
        with torch.serialization.safe_globals(_safe_globals()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _torch_load(path, **{"map_location": "cpu", **options}, weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        if isinstance(error, pickle.UnpicklingError) and any(word in str(error) for word in _UNSAFE):
            found = re.search(r"GLOBAL ([\w.]+)", str(error))
            raise ModelFileError(
                f"{path} holds more than weights ({found[1] if found else 'a pickled model, or objects of a script'}), "
                f"and opening it would run code from the file: if you trust it, save the weights alone with "
                f"torch.save(model.state_dict(), …) or as safetensors, and name the architecture with --arch"
            ) from error
        why = root_message(error)
        if "Unsupported operand" in str(error):
            why = "it was pickled with a protocol that torch does not read safely: save it with torch.save as it is"
        raise ModelFileError(
            f"{path}: expected a PyTorch state dict, got a file that cannot be read ({why})"
        ) from error


def refuse_torchscript(path: Path) -> None:
    """Refuse a TorchScript archive, whatever its name.

    Raises:
        ModelFileError: if it is one; the sentence says how to convert it.
    """
    if not path.is_file():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name.split("/")[1:] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError):
        return
    if ["constants.pkl"] in members and any(parts[:1] == ["code"] for parts in members):
        raise ModelFileError(
            f"{path} is TorchScript, which torch deprecates and netdissect does not read: from the model in Python, save "
            f"torch.export.export(model.eval(), (x,)) with torch.export.save, or model.state_dict() for use with --arch"
        )


def check_weights_file(path: Path) -> None:
    """Check that a weights file is a regular file and needs memory in proportion to its size.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is not a regular file, or would unpack to too much.
    """
    with budgets.open_model_file(path, "weights file") as file:
        if path.suffix == ".safetensors":
            budgets.check_safetensors_header(path, file)
        else:
            budgets.check_archive_size(path, file)


def check_model_folder(folder: Path) -> None:
    """Check the weights and settings in a folder before its library reads them.

    Raises:
        ModelNotFoundError: if there is no such folder.
        ModelFileError: if a weights file is not a regular file or would unpack to too much, or if a JSON file is damaged
            or names files outside the folder.
    """
    if not folder.is_dir():
        raise ModelNotFoundError(f"there is no folder {folder}: expected one with config.json and weights")
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            continue
        if path.name.endswith(".index.json"):
            for shard in _list_shards(path):
                check_weights_file(shard)
        elif path.suffix == ".json":
            settings = read_json(path, "settings", missing=ModelFileError, wrong=ModelFileError, most=_MAX_INDEX_BYTES)
            if path.name == "config.json":
                budgets.check_layer_counts(path, settings)
        elif path.name.lower().endswith(WEIGHT_SUFFIXES):
            check_weights_file(path)


@contextlib.contextmanager
def replace_torch_load() -> Iterator[None]:
    """Return a context manager in which ``torch.load`` is `read_weights_file`, so that libraries unpickle nothing."""

    def load(file: Any, map_location: Any = None, *_: Any, **options: Any) -> Any:
        kept = {"map_location": map_location or "cpu", "mmap": options.get("mmap")}
        if isinstance(file, (str, os.PathLike)):
            return read_weights_file(Path(file), **kept)
        budgets.check_archive_size("the weights", file)
        with torch.serialization.safe_globals(_safe_globals()):
            return _torch_load(file, map_location=kept["map_location"], weights_only=True)

    with _torch_load_lock:
        torch.load = load  # type: ignore[assignment]
        try:
            yield
        finally:
            torch.load = _torch_load


def _read_npz(path: Path) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` file, such as Gemma Scope's."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): parse_npy(archive.read(name)) for name in archive.namelist()}
    except (ValueError, zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelFileError(f"{path}: expected arrays of numpy (.npz), got {root_message(error)}") from error


def _list_shards(path: Path) -> list[Path]:
    """Return the weights files that an index names; they are in its folder."""
    index = read_json(
        path, "an index of weights files", missing=ModelFileError, wrong=ModelFileError, most=_MAX_INDEX_BYTES
    )
    names = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise ModelFileError(f"{path}: expected an index of weights files: an object with a weight_map of file names")
    files = sorted(set(names.values()))
    for name in files:
        if Path(name).name != name or name.endswith(".json"):
            raise ModelFileError(f"{path}: expected weights files in its folder, got {escape_line(name)!r}")
    return [path.with_name(name) for name in files]


def _read_shards(path: Path) -> dict[str, Any]:
    """Return the state dict in all the files that an index names."""
    budgets.open_model_file(path, "weights file").close()
    state: dict[str, Any] = {}
    for shard in _list_shards(path):
        loaded = read_weights_file(shard)
        state |= loaded if isinstance(loaded, dict) else {}
    return state


def _safe_globals() -> list[Any]:
    """Return the types that training scripts save with their weights: paths, options, times, numpy's arrays.

    torch refuses them by default. None of them runs code when it is unpickled.
    """
    constructors = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.zeros(0).__reduce__()[0]}
    codes = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U1", "S1")
    return [
        argparse.Namespace, dt.datetime, dt.date, dt.timedelta,
        pathlib.PosixPath, pathlib.PurePosixPath, pathlib.PureWindowsPath, (pathlib.PureWindowsPath, "pathlib.WindowsPath"),
        np.ndarray, np.dtype, *(type(np.dtype(code)) for code in codes),
        *((maker, f"numpy.{core}.multiarray.{name}") for name, maker in constructors.items() for core in ("core", "_core")),
    ]  # fmt: skip
