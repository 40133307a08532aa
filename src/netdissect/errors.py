"""All errors that this project raises on purpose, in one class hierarchy.

::

    NetdissectError                 the command line prints its one sentence and exits with 2
    ├── SettingsError               an option out of its range, or options that contradict each other
    │   └── UnknownColumnError      a table has no column of that name
    ├── MissingExtraError           an optional library is not installed
    ├── ModelError                  the network
    │   ├── ModelNotFoundError      no such file, name or function
    │   ├── ModelFileError          a file that is damaged, of another kind, or unsafe to open
    │   ├── UnsupportedLayerError   a probed blob depends on a layer that is not implemented
    │   ├── UnknownLayerError       the network has no layer of that name
    │   └── ActivationError         a layer gave NaN or infinity, or no units at all
    ├── DataError                   the probe set
    │   ├── DataNotFoundError       no such folder or file
    │   ├── DataFileError           a file that is damaged or impossible
    │   └── LabelError              a label number beyond the list, or an 8-bit label map
    ├── DownloadError               no mirror has the file, or another file than expected
    └── RunError                    the run's folder
        ├── RunNotFoundError        no finished run in it
        ├── RunFileError            a result file is damaged or of another version
        ├── RunBusyError            another process is writing into it
        └── FolderTakenError        it holds another run, or something that is not a run

A message is one sentence: what was expected, what was found, where, and what to do.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class NetdissectError(Exception):
    """Base of all errors that this project raises on purpose."""


class SettingsError(NetdissectError, ValueError):
    """An option is out of its range, or options contradict each other."""


class UnknownColumnError(SettingsError, KeyError):
    """A table has no column of that name."""

    def __str__(self) -> str:
        # KeyError would print the sentence in quotes.
        return str(self.args[0]) if self.args else ""


class MissingExtraError(NetdissectError, ImportError):
    """An optional library is needed and not installed."""


class ModelError(NetdissectError):
    """Something is wrong with the network."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """There is no model file, model name or function of that name."""


class ModelFileError(ModelError, ValueError):
    """A model file is damaged, of another kind, or unsafe to open."""


class UnsupportedLayerError(ModelError, ValueError):
    """A probed blob depends on a layer that is not implemented."""


class UnknownLayerError(ModelError, KeyError):
    """The network has no layer of that name."""

    def __str__(self) -> str:
        # KeyError would print the sentence in quotes.
        return str(self.args[0]) if self.args else ""


class ActivationError(ModelError, ValueError):
    """A layer returned NaN or infinity, or has no units."""


class DataError(NetdissectError):
    """Something is wrong with the probe set."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A probe set, or one of its files, does not exist."""


class DataFileError(DataError, ValueError):
    """A file of the probe set is damaged or impossible."""


class LabelError(DataError, ValueError):
    """A label number is not in label.csv, or a label map is not 24-bit RGB."""


class DownloadError(NetdissectError, OSError):
    """No mirror has the file, or a mirror sent another file."""


class RunError(NetdissectError):
    """Something is wrong with a run's folder."""


class RunNotFoundError(RunError, FileNotFoundError):
    """The folder holds no finished run."""


class RunFileError(RunError, ValueError):
    """A result file is damaged or was written by a newer version."""


class RunBusyError(RunError):
    """Another process is writing into the folder."""


class FolderTakenError(RunError):
    """The folder holds another run, or something that is not a run."""


def root_message(error: BaseException) -> str:
    """Return the first line of the message of an error's root cause, at most 160 characters.

    >>> root_message(RuntimeError("no such operator."))
    'no such operator'
    """
    while error.__cause__ is not None:
        error = error.__cause__
    message = "it ends too early" if isinstance(error, EOFError) else str(error)
    line = next(iter(message.strip().splitlines()), "") or type(error).__name__
    return line.rstrip(".: ") if len(line) <= 160 else f"{line[:159]}…"


def describe_exit(stop: SystemExit) -> str:
    """Return the beginning of an error sentence about loaded code that called ``sys.exit``.

    >>> describe_exit(SystemExit(3))
    'code that was loaded or run ended the program itself (sys.exit(3))'
    """
    code = "" if stop.code is None else repr(stop.code)
    return f"code that was loaded or run ended the program itself (sys.exit({code[:80]}))"


def suggest_nearest(word: str, choices: Iterable[str], *, most: int = 5) -> str:
    """Return the end of an error sentence, which suggests the choices nearest to a misspelled word.

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
