"""Keep freed memory in this process, so that the system need not hand out new pages for every layer of a network.

glibc gives blocks of 32 MB and more back to the system when they are freed, and takes new ones, page by page, for the next
layer's activations. In a convolutional network this takes up to a third of the time (decision 97).
"""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's ``mallopt`` (``malloc.h``).
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
#: Bytes of the largest block that is kept.
KEPT_BLOCK = 2**28
#: Bytes of free memory at the end of the heap above which it is given back.
_KEPT_TOP = 2**30
_kept = False


def keep_freed_memory() -> bool:
    """Make this process keep freed blocks of up to 256 MB, and up to 1 GB in all, for its next allocations.

    The command line and worker processes do so; `netdissect.dissect` does not, because the process belongs to its caller.
    Call it once in a script of your own, before the first dissection: large layers are then computed in larger batches,
    about a tenth faster. It lasts until the process ends.

    Returns:
        whether memory is kept; False where the C library is not glibc, and then nothing has changed.

    Example::

        import netdissect as nd

        nd.keep_freed_memory()
        nd.dissect(model, layers=["layer4"], data="dataset/broden1_224")
    """
    global _kept  # noqa: PLW0603 - the allocator is the process's, and glibc cannot be asked for its settings
    if not _kept and sys.platform == "linux":
        try:
            library = ctypes.CDLL(None)
            _kept = bool(
                library.gnu_get_libc_version
                and library.mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK)
                and library.mallopt(_M_TRIM_THRESHOLD, _KEPT_TOP)
            )
        except (OSError, AttributeError):  # no C library to ask, or another one
            return False
    return _kept


def keeps_freed_memory() -> bool:
    """Return whether `keep_freed_memory` has taken effect in this process."""
    return _kept
