"""Publish a report: copy what a site needs, and nothing else, into a folder that can be served as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netdissect.errors import DataNotFoundError, FolderTakenError, RunBusyError, SettingsError
from netdissect.io import atomic, folders
from netdissect.io.json_files import parse_json
from netdissect.io.names import is_below
from netdissect.io.reading import read_bytes
from netdissect.report.html import page
from netdissect.report.link_preview import draw_preview, summarize_run
from netdissect.report.panels import FIGURE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netdissect.results.run_result import Result

#: The list of a site's files, by which its folder is known.
SITE_FILE = "netdissect-site.json"
PREVIEW = "preview.png"
_MAX_BYTES = 2**28


def _is_site(data: bytes) -> bool:
    try:
        record = parse_json(data)
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("kind") == "netdissect site"


SITE_FOLDER = folders.FolderKind(
    "published report", {SITE_FILE: _is_site}, ".work", FolderTakenError, RunBusyError, "published by another command", "--publish",
)  # fmt: skip


def publish_report(
    result: Result, html: Path, folder: Path, read_file: Callable[[int], bytes | None], address: str = ""
) -> Path:
    """Copy a report into a folder as a static site, with a preview for links to it.

    Strips, tables and figures are left out. Files of an earlier site in the folder that the new one does not have are removed.

    Args:
        result: the run.
        html: its report's folder.
        folder: the site's folder: empty, missing, or that of an earlier site.
        read_file: returns an image file by its row in ``index.csv``, or None if it is not available.
        address: the URL at which the folder will be served; empty if it is not known, and then some sites show no preview.

    Returns:
        the site's first page.

    Raises:
        SettingsError: if the address is not a URL of the web.
        FolderTakenError: if the folder holds something else.
        DataNotFoundError: if the run has no report.
        OSError: if a file cannot be written.
    """
    address = check_address(address)
    if not atomic.is_regular_below(html, "index.html"):
        raise DataNotFoundError(
            f"expected a report to publish in {html}, got none: write it with netdissect report {html.parent}"
        )
    with folders.lock_folder(folder, SITE_FOLDER):
        earlier = _list_earlier(folder)
        index = page.render_site_index(result, summarize_run(result), address, PREVIEW)
        own = {
            "index.html": index.encode(),
            PREVIEW: draw_preview(result, read_file),
            "robots.txt": b"User-agent: *\nAllow: /\n",
            ".nojekyll": b"",
        }
        names = [*list_site_files(result, html), *own]
        record = json.dumps({"kind": "netdissect site", "files": sorted(names)}, indent=1) + "\n"
        atomic.write_text(folder / SITE_FILE, record)  # first, so that an interrupted site is known as one
        with atomic.write_together() as write:
            for name in names:
                write(folder / name, own[name] if name in own else read_bytes(html / name, most=_MAX_BYTES))
        atomic.remove_files_below(folder, sorted(earlier - set(names)))
    return folder / "index.html"


def list_site_files(result: Result, html: Path) -> Iterator[str]:
    """Yield the paths, relative to a report's folder, of the files that its page loads."""
    yield from (f"app/{name}" for name in page.list_page_files())
    kept = {f"{row:06d}" for row in result.image_names}
    for folder, suffixes in (
        ("data", (".js",)),
        ("data/labels", (".js",)),
        ("image/probe", (".jpg", ".png")),
        (FIGURE_FOLDER, (".svg",)),
    ):
        if atomic.is_real_folder(html / folder):
            for path in sorted((html / folder).iterdir()):
                of_image = folder in ("data/labels", "image/probe")
                if path.suffix in suffixes and (path.stem in kept or not of_image):
                    yield f"{folder}/{path.name}"


def check_address(address: str) -> str:
    """Return the URL of a site with a slash at its end; empty if there is none.

    Raises:
        SettingsError: if it is not a URL of the web.
    """
    if not address:
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or parts.query
        or parts.fragment
        or not address.isprintable()
    ):
        raise SettingsError(
            f"--address takes the URL of a site, such as https://name.github.io/report/, not {address!r}"
        )
    return address if address.endswith("/") else f"{address}/"


def _list_earlier(folder: Path) -> set[str]:
    """Return the files that an earlier site has written into a folder."""
    if not atomic.is_regular_below(folder, SITE_FILE):
        return set()
    names = parse_json(read_bytes(folder / SITE_FILE, most=_MAX_BYTES)).get("files", [])
    return {name for name in names if isinstance(name, str) and is_below(name)} if isinstance(names, list) else set()
