"""Compile functions with numba.njit and cache the machine code.

Compiling everything takes about half a minute, so the machine code is cached: in ``NUMBA_CACHE_DIR`` if it is set, else in the
package's ``__pycache__``, else in the user's cache folder. If none of them can be written (a read-only installation, another
user, no home), it is cached in a private folder until this process and its workers end, with a warning. Numba unpickles
cached files, so a folder that belongs to another user, or one named by a relative path, is never used.
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
from numba.core import caching as _numba_caching

from netdissect.io import caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

caching: Any = _numba_caching  # only some versions of numba have types
_LOG = logging.getLogger("netdissect")
_VARIABLE = "NUMBA_CACHE_DIR"


def cached_njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function with `numba.njit` at its first call, and caches the machine code.

    Args:
        options: options of `numba.njit`; ``nogil`` is always set.

    Example:
        >>> @cached_njit()
        ... def twice(x):
        ...     return 2 * x
        >>> twice(21)
        42
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(nogil=True, **options)(function)
        with contextlib.suppress(RuntimeError, OSError):  # without a folder nothing is cached
            dispatcher._cache = _FunctionCache(function)  # noqa: SLF001 - as enable_caching() does, with our own class
        return dispatcher

    return decorate


class _CacheLocator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):  # type: ignore[misc]  # noqa: SLF001
    """The folder in which one function's machine code is cached."""

    def __init__(self, function: Any, file: str, folder: Path) -> None:
        self._py_file = file
        self._lineno = function.__code__.co_firstlineno
        self._folder = folder

    def get_cache_path(self) -> str:
        return str(self._folder)

    @classmethod
    def from_function(cls, function: Any, file: str) -> _CacheLocator | None:
        if not Path(file).exists():  # the function was typed into an interpreter
            return None
        for folder, trusted in _list_cache_folders(file):
            locator = cls(function, file, folder)
            with contextlib.suppress(OSError):
                locator.ensure_cache_path()
                if trusted or caches.is_owned_by_user(folder):
                    return locator
        private = caches.make_temporary_cache()
        _warn_once()
        if private is None:
            return None
        os.environ[_VARIABLE] = str(private)  # for the functions that follow, and for workers
        locator = cls(function, file, _join_cache_folder(private, file))
        locator.ensure_cache_path()
        return locator


class _CacheImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_CacheLocator]  # noqa: RUF012 - the type numba expects


class _FunctionCache(caching.FunctionCache):  # type: ignore[misc]
    """Machine code on disk; a function whose file is damaged is compiled again."""

    _impl_class = _CacheImpl

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return super().load_overload(*arguments)
        except Exception:  # noqa: BLE001 - unpickling a damaged file can fail with any error
            with contextlib.suppress(OSError):
                self.flush()  # else the damaged index would be used again
            return None

    def save_overload(self, *arguments: Any) -> None:
        try:
            super().save_overload(*arguments)
        except OSError:  # a full disk must not end a run
            self.disable()


def _list_cache_folders(file: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folders in which a file's functions could be cached, best first, and whether each is trusted unchecked."""
    chosen = os.environ.get(_VARIABLE, "")
    if chosen:
        yield _join_cache_folder(Path(chosen).absolute(), file), True
    yield Path(file).absolute().parent / "__pycache__", True  # whoever can write there can write the package
    home = caches.find_user_cache()
    if home is not None:
        yield _join_cache_folder(home / "compiled", file), False


def _join_cache_folder(folder: Path, file: str) -> Path:
    return folder / str(_CacheLocator.get_suitable_cache_subpath(file))


@functools.cache
def _warn_once() -> None:
    if multiprocessing.parent_process() is None:  # a worker's parent has warned already
        _LOG.warning(
            "compiled code cannot be cached: neither the package's folder nor the user's cache folder can be written; it is "
            "compiled again at every start, which takes about half a minute. Set %s to a folder that can be written",
            _VARIABLE,
        )
