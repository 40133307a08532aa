"""Dissect a network while it is trained: in a plain loop, with Lightning and with Hugging Face's Trainer (docs/training.md)."""

from netdissect.callbacks.dissect_callback import Dissect

__all__ = ["Dissect"]
