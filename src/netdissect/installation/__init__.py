"""What is installed on this machine and works: ``netdissect doctor``."""

from __future__ import annotations

from netdissect.installation.diagnosis import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
