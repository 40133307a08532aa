"""Measurements: each module prints its table (docs/performance.md, docs/report.md)."""
