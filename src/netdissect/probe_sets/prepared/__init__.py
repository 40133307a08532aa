"""Probe sets prepared once: tables, images and decoded labels in one Arrow file (docs/broden.md, Prepared probe sets)."""
