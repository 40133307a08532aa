"""The table of annotation tools; the tool of a file or folder is recognized by content, not by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.json_files import read_json
from netdissect.io.reading import is_regular, read_bytes
from netdissect.probe_sets.importers.annotations import (
    cvat,
    hasty,
    label_studio,
    labelme,
    supervisely,
    unsupported,
    via,
    yolo,
)
from netdissect.probe_sets.importers.annotations.image_finder import find_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.records import AnnotationSet

#: Bytes at the head of a text or XML by which its tool is recognized.
_HEAD = 2**16


@dataclass(frozen=True)
class AnnotationTool:
    """An annotation tool.

    Attributes:
        title: its name.
        read: reads its files into an `AnnotationSet`.
        wrote: returns whether a JSON is the tool's; None if the tool writes no JSON.
        one_each: whether it writes a JSON for every image.
    """

    title: str
    read: Callable[[Path, AnnotationSet], None]
    wrote: Callable[[Any], bool] | None = None
    one_each: bool = False


TOOLS = {
    "cvat": AnnotationTool("CVAT", cvat.read_cvat_xml),
    "hasty": AnnotationTool("Hasty", hasty.read_hasty, hasty.is_hasty),
    "labelme": AnnotationTool("labelme", labelme.read_labelme, labelme.is_labelme, one_each=True),
    "label-studio": AnnotationTool("Label Studio", label_studio.read_label_studio, label_studio.is_label_studio),
    "supervisely": AnnotationTool(
        "Supervisely", supervisely.read_supervisely, supervisely.is_supervisely, one_each=True
    ),
    "via": AnnotationTool("VGG VIA", via.read_via, via.is_via),
    "yolo": AnnotationTool("YOLO", yolo.read_yolo),
}
_TOOL_TITLES = ", ".join(tool.title for tool in TOOLS.values())


def recognize_tool(where: Path, out: Path | None) -> tuple[AnnotationTool, Path]:
    """Return the tool that wrote a file or folder, and the path to give its reader.

    Raises:
        DataNotFoundError: if there is no such file or folder.
        DataFileError: if it has an unknown or unsupported format; for the latter, the error says what to do.
    """
    if where.is_dir():
        return _recognize_folder(where, out)
    if not where.exists():
        raise DataNotFoundError(f"there is no file or folder {where}")
    if not is_regular(where):
        raise DataFileError(f"{where}: expected a file or folder of annotations, and it is neither")
    return _recognize_file(where)


def find_tool_export(name: str, where: Path, out: Path | None) -> tuple[AnnotationTool, Path]:
    """Return a tool by name, and the path to give its reader: in a folder, the only file that the tool wrote.

    Raises:
        DataNotFoundError: if there is no such file or folder.
        DataFileError: if a folder holds no file of the tool, or several.
    """
    tool = TOOLS[name]
    if not where.exists():
        raise DataNotFoundError(f"there is no file or folder {where}")
    if where.is_dir() and tool.wrote is not None and not tool.one_each:
        files = [path for path in find_files(where, "*.json", out) if tool.wrote(_read_json(path))]
        files = files or (find_files(where, "*.csv", out) if name == "via" else [])
        if len(files) != 1:
            raise DataFileError(
                f"{where}: expected one file that {tool.title} wrote, got {len(files) or 'none'}: name it"
            )
        return tool, files[0]
    return tool, where


def _recognize_folder(folder: Path, out: Path | None) -> tuple[AnnotationTool, Path]:
    unsupported.refuse_unsupported_folder(folder)
    if (folder / "annotations.xml").is_file():
        return _recognize_file(folder / "annotations.xml")
    if any(folder.glob("ann/*.json")) or any(folder.glob("*/ann/*.json")) or any(folder.glob("datasets/*/ann/*.json")):
        return TOOLS["supervisely"], folder
    if any((folder / name).is_file() for name in ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")):
        return TOOLS["yolo"], folder
    files = find_files(folder, "*.json", out)
    if files:
        least = min(len(path.parts) for path in files)
        return _recognize_jsons(folder, [path for path in files if len(path.parts) == least])
    for suffix in ("csv", "xml", "yaml", "yml", "ndjson", "jsonl", "manifest", "zip", "pkl", "tfrecord"):
        for path in find_files(folder, f"*.{suffix}", out):
            return (TOOLS["yolo"], folder) if suffix.startswith("y") else _recognize_file(path)
    if any(folder.glob("**/labels/**/*.txt")):
        raise DataNotFoundError(f"{folder}: expected YOLO's data.yaml with names, or classes.txt, and there is neither")
    raise _make_format_error(folder)


def _recognize_jsons(folder: Path, files: list[Path]) -> tuple[AnnotationTool, Path]:
    """Return the tool that wrote the JSON files of a folder, and the path: that of a JSON of all images, or the folder."""
    known: list[tuple[AnnotationTool, Path]] = []
    for path in files[:12]:
        tool = _find_writer(path)
        if tool is not None and tool.one_each:
            return tool, folder
        if tool is not None:
            known.append((tool, path))
    if len(known) > 1:
        raise DataFileError(
            f"{folder} holds several files of annotations, such as {known[0][1].name} and {known[1][1].name}: name one"
        )
    if known:
        return known[0]
    raise _make_format_error(files[0])


def _recognize_file(path: Path) -> tuple[AnnotationTool, Path]:
    unsupported.refuse_unsupported_file(path)
    ending = path.suffix.lower()
    if ending == ".json":
        tool = _find_writer(path)
        if tool is not None:
            return tool, path
    elif ending == ".xml":
        head = _read_head(path)
        if "<annotations" in head:
            return TOOLS["cvat"], path
        unsupported.refuse_unsupported_xml(path, head)
    elif ending == ".csv":
        if set(_read_head(path).partition("\n")[0].strip().removeprefix("#").split(",")) >= via.VIA_COLUMNS:
            return TOOLS["via"], path
    elif ending in (".yaml", ".yml"):
        return TOOLS["yolo"], path
    raise _make_format_error(path)


def _find_writer(path: Path) -> AnnotationTool | None:
    """Return the tool that wrote a JSON; None if it is unknown. Raise DataFileError for an unsupported tool."""
    content = _read_json(path)
    for tool in TOOLS.values():
        if tool.wrote is not None and tool.wrote(content):
            return tool
    unsupported.refuse_unsupported_json(path, content)
    return None


def _read_json(path: Path) -> Any:
    return read_json(path, "annotations", missing=DataNotFoundError, wrong=DataFileError, lenient=True)


def _read_head(path: Path) -> str:
    try:
        return read_bytes(path)[:_HEAD].decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error


def _make_format_error(path: Path) -> DataFileError:
    return DataFileError(
        f"{path}: expected a file of an annotation tool ({_TOOL_TITLES}), and none of them is recognized: name the tool with "
        f"--tool; netdissect data from-coco reads COCO's JSON, from-masks reads masks"
    )
