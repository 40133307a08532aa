"""Read untrusted XML: document types and entity declarations are refused, and the depth is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from netdissect.io.json_files import MAX_DEPTH
from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.errors import NetdissectError

#: The largest XML file in bytes; its tree takes several times as much memory.
MAX_XML_BYTES = 2**30


def read_xml(path: Path, what: str, *, missing: type[NetdissectError], wrong: type[NetdissectError]) -> Element:
    """Read an XML file; return its root.

    Args:
        path: the file.
        what: what it is, for messages: ``"CVAT's annotations"``.
        missing: raised if it does not exist.
        wrong: raised if it cannot be read, is not XML, is nested too deeply, or declares a document type, whose entities
            could expand to any size or name other files.
    """
    try:
        data = read_bytes(path, most=MAX_XML_BYTES)
    except FileNotFoundError as error:
        raise missing(f"{what} is missing: expected {path}") from error
    except OSError as error:
        raise wrong(f"{path} cannot be read as {what}: {error.strerror or error}") from error
    try:
        return _parse(data)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise wrong(f"{path}: expected {what} as XML: {error}") from error


def _parse(data: bytes) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"its elements are nested deeper than {MAX_DEPTH} times")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    parser.Parse(data, True)
    return builder.close()


def _refuse_doctype(*_: object) -> NoReturn:
    raise ValueError("it declares a document type or entities, which no annotation file needs")
