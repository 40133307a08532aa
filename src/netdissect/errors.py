"""Every error this project raises on purpose, as one tree whose leaves are named after the user's mistake.

::

    NetdissectError                 anything below; the command line prints its one sentence and exits with 2
    ├── SettingsError               an option out of its range, or two that contradict each other
    ├── MissingExtraError           an optional library is not installed
    ├── ModelError                  the network
    │   ├── ModelNotFoundError      no such file, name or function
    │   ├── ModelFileError          a file that is truncated, damaged, of another kind, or unsafe to open
    │   ├── UnsupportedLayerError   a probed blob depends on a layer that is not implemented
    │   ├── UnknownLayerError       the network has no layer of that name
    │   └── ActivationError         a layer gave NaN or infinity, or no units at all
    ├── DataError                   the probe set
    │   ├── DataNotFoundError       no such folder or file
    │   ├── DataFileError           a file that is damaged or says something impossible
    │   └── LabelError              a label number beyond the list, or an 8-bit label map
    ├── DownloadError               no mirror gave the file, or it is not the file that was meant
    └── RunError                    the run's folder
        ├── RunNotFoundError        no finished run there
        ├── RunFileError            a result file is damaged or of another version
        ├── RunBusyError            another process is writing there
        └── FolderTakenError        the folder holds another run, or something that is no run

A message is one sentence for a person: what was expected, what was got, where, and what to do.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class NetdissectError(Exception):
    """Base of every error raised on purpose."""


class SettingsError(NetdissectError, ValueError):
    """An option is out of its range, or two options contradict each other."""


class MissingExtraError(NetdissectError, ImportError):
    """An optional library is asked for and not installed."""


class ModelError(NetdissectError):
    """Something is wrong with the network."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model file, name or function like the one given."""


class ModelFileError(ModelError, ValueError):
    """A model file is truncated, damaged, of another kind, or unsafe to open."""


class UnsupportedLayerError(ModelError, ValueError):
    """A probed blob depends on a layer that is not implemented."""


class UnknownLayerError(ModelError, KeyError):
    """The network has no layer of that name."""

    def __str__(self) -> str:
        # KeyError would print the sentence in quotes.
        return str(self.args[0]) if self.args else ""


class ActivationError(ModelError, ValueError):
    """A layer gave NaN or infinity, or nothing that has units."""


class DataError(NetdissectError):
    """Something is wrong with the probe set."""


class DataNotFoundError(DataError, FileNotFoundError):
    """No probe set, or no file of it, where it should be."""


class DataFileError(DataError, ValueError):
    """A file of the probe set is damaged or says something impossible."""


class LabelError(DataError, ValueError):
    """A label number lies beyond label.csv, or a label map is not 24-bit RGB."""


class DownloadError(NetdissectError, OSError):
    """No mirror gave the file, or what came is not the file that was meant."""


class RunError(NetdissectError):
    """Something is wrong with a run's folder."""


class RunNotFoundError(RunError, FileNotFoundError):
    """No finished run lies in that folder."""


class RunFileError(RunError, ValueError):
    """A result file is damaged, or was written by a newer version."""


class RunBusyError(RunError):
    """Another process is writing into that folder."""


class FolderTakenError(RunError):
    """The folder holds another run, or something that is no run."""


def root_message(error: BaseException) -> str:
    """Return the first line of what another library said; of errors raised from others, the one at the bottom.

    >>> root_message(RuntimeError("no such operator."))
    'no such operator'
    """
    while error.__cause__ is not None:
        error = error.__cause__
    said = "it ends too early" if isinstance(error, EOFError) else str(error)
    line = next(iter(said.strip().splitlines()), "") or type(error).__name__
    return line.rstrip(".: ") if len(line) <= 160 else f"{line[:159]}…"


def describe_exit(leave: SystemExit) -> str:
    """Return the beginning of a sentence about code that left the program instead of doing its work.

    >>> describe_exit(SystemExit(3))
    'code that was loaded or run ended the program itself (sys.exit(3))'
    """
    given = "" if leave.code is None else repr(leave.code)
    return f"code that was loaded or run ended the program itself (sys.exit({given[:80]}))"


def suggest_nearest(word: str, choices: Iterable[str], *, most: int = 5) -> str:
    """Return the end of a sentence that lists the choices nearest to a misspelt word.

    >>> suggest_nearest("con5", ["conv4", "conv5", "fc6"])
    'did you mean conv5 or conv4?'
    >>> suggest_nearest("x", ["conv4", "conv5", "fc6"])
    'choose from conv4, conv5, fc6.'
    """
    names = list(choices)
    close = difflib.get_close_matches(word, names, n=most, cutoff=0.5)
    if close:
        head = ", ".join(close[:-1])
        return f"did you mean {head} or {close[-1]}?" if head else f"did you mean {close[0]}?"
    if not names:
        return "there is nothing to choose from."
    shown = ", ".join(names[:12])
    return f"choose from {shown}." if len(names) <= 12 else f"choose from {shown} and {len(names) - 12} more."
