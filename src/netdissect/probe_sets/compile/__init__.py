"""Broden from its sources, and any probe set from any source (docs/broden.md).

A *source* yields images and what is labeled in them; five phases make a probe set of one or several sources:
statistics, names, numbers, label files, images.
"""
