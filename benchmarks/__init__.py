"""Benchmarks: `python -m benchmarks NAME …` runs them; each prints a table (docs/performance.md, docs/report.md)."""
