"""The report: drawn from a result alone, so that it works without the network, years later, on a laptop."""

from __future__ import annotations

from netdissect.report.cached_probe_set import ReportCache
from netdissect.report.card import write_model_card
from netdissect.report.report_writer import has_report, write_report

__all__ = ["ReportCache", "has_report", "write_model_card", "write_report"]
