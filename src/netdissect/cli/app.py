"""``netdissect``: every command, and how errors reach a person.

Exit code 0: done. 2: a mistake of the user's, told in one sentence. 130: interrupted.
"""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError

import netdissect
from netdissect.cli.compare import compare
from netdissect.cli.console import complain
from netdissect.cli.data import data
from netdissect.cli.demo import demo
from netdissect.cli.layers import layers
from netdissect.cli.report import report
from netdissect.cli.run import run
from netdissect.cli.zoo import zoo
from netdissect.errors import NetdissectError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = App(
    name="netdissect",
    help="Network Dissection for any vision network: which human concept does every unit see?",
    help_epilogue="Any command takes --debug, which shows the traceback of an error.",
    version=netdissect.__version__,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app.command(demo)
app.command(run)
app.command(layers)
app.command(report)
app.command(compare)
app.command(data)
app.command(zoo)
app.register_install_completion_command()

_SYSTEM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    given = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in given
    sys.exit(_run([word for word in given if word != "--debug"], debug=debug))


def _run(words: Sequence[str], *, debug: bool) -> int:
    try:
        app(words, exit_on_error=False, print_error=False)
    except KeyboardInterrupt as interrupt:
        complain(str(interrupt) or "interrupted; nothing half-written was left, the same command starts again")
        return 130
    except (CycloptsError, NetdissectError, OSError, MemoryError) as error:
        if debug:
            raise
        complain(_sentence(error))
        return 2
    return 0


def _sentence(error: BaseException) -> str:
    if isinstance(error, NetdissectError):
        return str(error)
    if isinstance(error, OSError):
        what = _SYSTEM.get(error.errno or 0, error.strerror or str(error))
        return f"{error.filename}: {what}" if error.filename else what
    if isinstance(error, MemoryError):
        return "memory ran out: try a smaller --batch-size, fewer layers at once, or --memory"
    text = " ".join(str(error).split())
    return f"{text} (netdissect --help, or netdissect COMMAND --help, shows what can be typed)"
