"""MATLAB files, read as plain Python values; a damaged one is one sentence."""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

# What scipy's reader is known to raise on files that are cut off, overwritten, or something else altogether.
_DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, OverflowError, MemoryError,
    UnicodeDecodeError, struct.error, zlib.error,
)  # fmt: skip


def read(path: Path, name: str) -> Any:
    """Read one variable of a .mat file: structures as dictionaries, cells as arrays.

    Raises:
        DataNotFoundError: if the file is not there.
        DataFileError: if it is damaged, of the HDF5 kind (version 7.3), or has no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            variables = loadmat(path, simplify_cells=True, variable_names=[name])
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path} does not exist") from error
    except NotImplementedError as error:
        raise DataFileError(f"{path}: expected a MATLAB file up to version 7, got version 7.3 (HDF5)") from error
    except (*_DAMAGE, MatReadError, Warning) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataFileError(f"{path}: the MATLAB file is cut off or damaged ({reason})") from error
    if name not in variables:
        raise DataFileError(f"{path}: expected a variable {name!r}, and it holds none")
    return variables[name]


def as_list(value: Any) -> list[Any]:
    """Return a cell array or an array of structures as a list: one element may stand alone, none may be empty."""
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    if isinstance(value, list):
        return value
    return [value]


def as_text(value: Any) -> str:
    """Return a string; MATLAB's empty string is an empty array."""
    return value if isinstance(value, str) else ""


def field(structure: Any, name: str, path: Path) -> Any:
    """Return a field of a structure.

    Raises:
        DataFileError: if it is no structure, or has no such field.
    """
    if not isinstance(structure, dict) or name not in structure:
        raise DataFileError(f"{path}: expected a structure with the field {name!r}")
    return structure[name]
