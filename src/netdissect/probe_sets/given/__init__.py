"""Probe sets from what Python programs hold: data sets, loaders, tensors and pairs of images and masks (docs/broden.md, Data from Python)."""
