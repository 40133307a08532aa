"""``from-annotations``: import the files of annotation tools, with one module per tool.

`tool_table` lists the tools and recognizes their files; a tool's reader fills an `AnnotationSet`; `annotated_images` draws
the shapes.
"""

from __future__ import annotations

from netdissect.probe_sets.importers.annotations.annotated_images import from_annotations

__all__ = ["from_annotations"]
