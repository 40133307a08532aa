"""Functions compiled to machine code: one decorator, and one decision where the machine code is kept between runs.

Compiling takes about half a minute in all, so what was compiled is kept: in ``NUMBA_CACHE_DIR`` if that is set, else
beside the package, else in the user's folder for caches. Where none of them can be written (a read-only installation,
another user, no home), it is kept in a private folder for as long as this process and its workers live, and that is
said. Numba unpickles what it finds there, so a folder that belongs to somebody else, or that is named relative to the
folder one happens to stand in, is never used.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba import njit
from numba.core import caching as _numbas

from netdissect.io import caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

caching: Any = _numbas  # numba says of some versions that it is typed
_LOG = logging.getLogger("netdissect")
_VARIABLE = "NUMBA_CACHE_DIR"


def cached_njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that has numba compile a function when it is first called, and keeps the machine code.

    Args:
        options: as `numba.njit` takes them; the interpreter's lock is always released.

    Example:
        >>> @cached_njit()
        ... def twice(x):
        ...     return 2 * x
        >>> twice(21)
        42
    """

    def decorate(function: Callable[..., Any]) -> Any:
        made = njit(nogil=True, **options)(function)
        with contextlib.suppress(RuntimeError, OSError):  # where there is no place for it, nothing is kept
            made._cache = _FunctionCache(function)  # noqa: SLF001 - as its enable_caching() does, with a cache of our own
        return made

    return decorate


class _CacheLocator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):  # type: ignore[misc]  # noqa: SLF001
    """Where one function's machine code is kept."""

    def __init__(self, function: Any, file: str, folder: Path) -> None:
        self._py_file = file
        self._lineno = function.__code__.co_firstlineno
        self._folder = folder

    def get_cache_path(self) -> str:
        return str(self._folder)

    @classmethod
    def from_function(cls, function: Any, file: str) -> _CacheLocator | None:
        if not Path(file).exists():  # typed into an interpreter
            return None
        for folder, trusted in _list_cache_folders(file):
            place = cls(function, file, folder)
            with contextlib.suppress(OSError):
                place.ensure_cache_path()
                if trusted or caches.is_owned_by_user(folder):
                    return place
        private = caches.make_temporary_cache()
        _warn_once()
        if private is None:
            return None
        os.environ[_VARIABLE] = str(private)  # of the functions that follow, and of workers
        place = cls(function, file, _join_cache_folder(private, file))
        place.ensure_cache_path()
        return place


class _CacheImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_CacheLocator]  # noqa: RUF012 - numba's


class _FunctionCache(caching.FunctionCache):  # type: ignore[misc]
    """Machine code on disk; whatever is wrong with a file of it, the function is compiled anew."""

    _impl_class = _CacheImpl

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return super().load_overload(*arguments)
        except Exception:  # noqa: BLE001 - a damaged pickle fails in any way
            with contextlib.suppress(OSError):
                self.flush()  # or the index would stand in the way of what is made now
            return None

    def save_overload(self, *arguments: Any) -> None:
        try:
            super().save_overload(*arguments)
        except OSError:  # a full disk, a quota: a run does not end over what it could have kept
            self.disable()


def _list_cache_folders(file: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folders in which a function of a file could be kept, best first, and whether to trust them as named."""
    chosen = os.environ.get(_VARIABLE, "")
    if chosen:
        yield _join_cache_folder(Path(chosen).absolute(), file), True
    yield Path(file).absolute().parent / "__pycache__", True  # whoever writes there writes the package
    home = caches.find_user_cache()
    if home is not None:
        yield _join_cache_folder(home / "compiled", file), False


def _join_cache_folder(folder: Path, file: str) -> Path:
    return folder / str(_CacheLocator.get_suitable_cache_subpath(file))


@functools.cache
def _warn_once() -> None:
    if multiprocessing.parent_process() is None:  # a worker's parent has said it
        _LOG.warning(
            "compiled code cannot be kept here, neither beside the package nor in a home: it is made anew on every "
            "start, which takes about half a minute; name a folder that can be written with %s",
            _VARIABLE,
        )
