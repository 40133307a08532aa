"""The report: drawn from a result alone, so that it works without the network, years later, on a laptop."""

from __future__ import annotations

from netdissect.report.card import write as write_card
from netdissect.report.kept import Kept
from netdissect.report.write import is_drawn, write

__all__ = ["Kept", "is_drawn", "write", "write_card"]
