"""The report of a run: drawn from its result alone, without the network and without torch."""

from __future__ import annotations

from netdissect.report.cache import ReportCache
from netdissect.report.card import write_model_card
from netdissect.report.report_presenter import ReportPresenter, RunImages
from netdissect.report.report_writer import has_report, write_report

__all__ = ["ReportCache", "ReportPresenter", "RunImages", "has_report", "write_model_card", "write_report"]
