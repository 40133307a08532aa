"""``from-annotations``: what annotation tools write, one file for each tool, all read into the same records.

`whose` is the table of them and tells whose a file is; a reader makes `record.Annotated` of every image; `source` paints
them.
"""

from __future__ import annotations

from netdissect.probe_sets.importers.annotations.annotated_images import from_annotations

__all__ = ["from_annotations"]
