"""Draw the report of a run from its result; neither the network nor torch is needed."""

from __future__ import annotations

from netdissect.report.cache import ReportCache
from netdissect.report.card import write_model_card
from netdissect.report.report_presenter import ReportPresenter, RunImages
from netdissect.report.report_writer import has_report, write_report

__all__ = ["ReportCache", "ReportPresenter", "RunImages", "has_report", "write_model_card", "write_report"]
