"""``netdissect``: every command, and how errors are printed.

Exit codes: 0 for success; 2 for a user error, which is printed in one sentence; 130 after Ctrl-C, 143 after SIGTERM and
129 after SIGHUP. After a signal, neither half-written files nor worker processes are left.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
import threading
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

import netdissect
from netdissect.cli import environment
from netdissect.cli.ablate import ablate
from netdissect.cli.compare import compare
from netdissect.cli.config_file import hold_config, read_config
from netdissect.cli.console import print_error
from netdissect.cli.control import control
from netdissect.cli.data import data
from netdissect.cli.demo import demo
from netdissect.cli.discriminate import discriminate
from netdissect.cli.dissect import dissect
from netdissect.cli.doctor import doctor
from netdissect.cli.explain import explain
from netdissect.cli.export import export
from netdissect.cli.help_screen import EPILOGUE, HelpScreen
from netdissect.cli.init import init
from netdissect.cli.layers import layers
from netdissect.cli.log_words import log_command, print_log, take_log_words
from netdissect.cli.look import look
from netdissect.cli.option_groups import OPTIONS
from netdissect.cli.report import report
from netdissect.cli.rotate import rotate
from netdissect.cli.run import run
from netdissect.cli.series import series
from netdissect.cli.track import track
from netdissect.cli.typed_words import convert_words, expand_paths
from netdissect.cli.units import units
from netdissect.cli.zoo import zoo
from netdissect.consoles import SafeConsole
from netdissect.errors import NetdissectError, describe_exit
from netdissect.io.text import make_streams_lenient
from netdissect.runtime.allocator import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType


app = App(
    name="netdissect",
    help="Network Dissection for any vision network: which concept does each unit detect?",
    help_epilogue=EPILOGUE,
    version=netdissect.__version__,
    version_flags=["--version", "-V"],
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    console=SafeConsole(),
    default_parameter=Parameter(converter=convert_words),
    group_parameters=OPTIONS,
    config=[expand_paths, read_config, expand_paths, hold_config],
)
app.command(demo)
app.command(run, usage="Usage: netdissect run MODEL --layers NAME … --data DATA [OPTIONS]")
app.command(series, usage="Usage: netdissect series MODEL --weights FILE … --layers NAME … --data DATA [OPTIONS]")
app.command(control, usage="Usage: netdissect control MODEL --layers NAME … --data DATA [OPTIONS]")
app.command(dissect, usage="Usage: netdissect dissect PHOTOS MODEL --layers NAME … --words WORD … [OPTIONS]")
app.command(init)
app.command(doctor)
app.command(layers)
app.command(report)
app.command(look, usage="Usage: netdissect look RUN [MODEL] IMAGE … [OPTIONS]")
app.command(compare, usage="Usage: netdissect compare SOURCE … [OPTIONS]")
app.command(units, usage="Usage: netdissect units RUN [CONCEPT …] [OPTIONS]")
app.command(track, usage="Usage: netdissect track RUN … [OPTIONS]")
app.command(explain, usage="Usage: netdissect explain RUN [MODEL] [OPTIONS]")
app.command(discriminate, usage="Usage: netdissect discriminate RUN [MODEL] [OPTIONS]")
app.command(ablate, usage="Usage: netdissect ablate RUN [MODEL] [OPTIONS]")
app.command(export, usage="Usage: netdissect export RUN [MODEL] --out DIR [OPTIONS]")
app.command(rotate, usage="Usage: netdissect rotate MODEL --layers NAME … --data DATA [OPTIONS]")
app.command(data)
app.command(zoo)
app.register_install_completion_command()

_RESUME_HINT = "and run the same command again: finished work is kept"
_SYSTEM_ERRORS = {
    errno.ENOSPC: f"the disk is full: make room {_RESUME_HINT}",
    errno.EDQUOT: f"the disk quota is used up: make room {_RESUME_HINT}",
    errno.EFBIG: f"the file would be larger than the file size limit: raise it (ulimit -f) {_RESUME_HINT}",
    errno.EIO: f"the disk cannot be read or written (input/output error): check it {_RESUME_HINT}",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EACCES: "permission is denied: choose another place, or ask for permission",
    errno.EPERM: "permission is denied: choose another place, or ask for permission",
    errno.EMFILE: f"too many files are open: raise the limit (ulimit -n) {_RESUME_HINT}",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.ENOTDIR: "part of the path is a file, not a folder",
    errno.EEXIST: "a file of that name is already there, where a folder is expected: choose another place",
    errno.EISDIR: "it is a folder, not a file",
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its exit code."""
    make_streams_lenient(*(stream for stream in (sys.stdout, sys.stderr) if stream is not None))
    if words is None:  # else the process belongs to the caller
        keep_freed_memory()
    arguments = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in arguments
    HelpScreen.show_all = "--help-all" in arguments
    arguments = ["--help" if word == "--help-all" else word for word in arguments if word != "--debug"]
    sys.exit(_run(arguments, debug=debug))


def _run(words: Sequence[str], *, debug: bool) -> int:
    """Run a command and return its exit code."""
    missing = environment.find_missing_resource()
    if missing is not None:
        print_error(missing)
        return 2
    received = [signal.SIGINT]
    try:
        log, words = take_log_words(words)
        with environment.collect_garbage_rarely(), _convert_signals_to_interrupts(received), print_log(log):
            return _run_command(words, received, debug=debug)
    except (NetdissectError, OSError) as error:  # of the log file
        if debug:
            raise
        print_error(_describe_error(error))
        return 2


def _run_command(words: Sequence[str], received: Sequence[signal.Signals], *, debug: bool) -> int:
    """Run a command whose log is printed; return its exit code."""
    log_command(words)
    try:
        app(words, exit_on_error=False, print_error=False)
    except KeyboardInterrupt as interrupt:
        print_error(str(interrupt) or "interrupted; run the same command again: finished work is kept")
        return 128 + received[-1]
    except RuntimeError as error:
        if debug or "start new thread" not in str(error):
            raise
        print_error(environment.NO_THREADS)
        return 2
    except SystemExit as exit_request:
        if debug:
            raise
        print_error(f"{describe_exit(exit_request)}: --debug shows where")
        return 2
    except SystemError:  # CPython raises it in some places where an allocation failed
        if debug or not environment.is_memory_limited():
            raise
        print_error(_describe_error(MemoryError()))
        return 2
    except (CycloptsError, NetdissectError, OSError, MemoryError) as error:
        if debug:
            raise
        print_error(_describe_error(error))
        return 2
    return 0


@contextlib.contextmanager
def _convert_signals_to_interrupts(received: list[signal.Signals]) -> Iterator[None]:
    """Return a context manager in which SIGTERM and SIGHUP raise KeyboardInterrupt, so that everything is cleaned up.

    Args:
        received: the signals received are appended to it.
    """

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    changed = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]  # nohup ignores them
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _describe_error(error: BaseException) -> str:
    """Return an error as one sentence."""
    if isinstance(error, NetdissectError):
        return str(error)
    if isinstance(error.__cause__, NetdissectError):  # wrapped by cyclopts, which adds nothing to it
        return str(error.__cause__)
    if isinstance(error, OSError):
        what = _SYSTEM_ERRORS.get(error.errno or 0, error.strerror or str(error))
        if what.startswith("No usable temporary directory"):
            return f"no folder for temporary files is writable (tried {what.partition('in ')[2]}): set TMPDIR to one that is"
        return f"{error.filename}: {what}" if error.filename else what
    if isinstance(error, MemoryError):
        return "memory ran out: try a smaller --batch-size, fewer layers at once, or --memory"
    if isinstance(error, UnusedCliTokensError):
        words = " ".join(map(repr, error.unused_tokens or []))
        return f"nothing takes {words} here: a value with spaces needs quotes, and the command's --help says which options take a value"
    text = " ".join(str(error).split())
    return f"{text} (netdissect --help, or netdissect COMMAND --help, lists the options)"
