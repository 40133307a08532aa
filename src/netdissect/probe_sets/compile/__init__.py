"""Compile a probe set from sources: Broden from its four sources, or another one from any source (docs/broden.md).

A *source* yields images and their labels. Five phases make a probe set of one or several sources: statistics, names,
numbers, label tables, images.
"""
