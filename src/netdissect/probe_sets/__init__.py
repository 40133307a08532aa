"""Probe sets: Broden, its sources, importers for your own images, downloads."""
