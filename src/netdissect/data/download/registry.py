"""The registry: a text file that says what can be downloaded, from where, and how to know it is the right thing."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError, nearest

_KINDS = ("probe set", "source", "table", "network")
_DIGEST_LENGTHS = {"md5": 32, "sha256": 64}


@dataclass(frozen=True)
class RemoteFile:
    """One file that can be downloaded.

    Attributes:
        name: its name on disk.
        mirrors: addresses, tried in turn.
        size: its exact size in bytes, if known.
        about: roughly its size, if known.
        digest: kind and hex digits of a published checksum, such as ``("md5", "be13…")``; None if none is known.
    """

    name: str
    mirrors: tuple[str, ...]
    size: int | None = None
    about: int | None = None
    digest: tuple[str, str] | None = None


@dataclass(frozen=True)
class Entry:
    """One thing that can be downloaded.

    Attributes:
        name: what is typed.
        kind: ``probe set``, ``source``, ``table`` or ``network``.
        about: what it is.
        licence: under which terms it was published, as far as that is stated.
        citation: what to cite.
        files: its files.
        members: other entries that come with its name.
        folder: where its archive goes, relative; empty if its files are kept as they are.
        marker: what shows an unpacked archive to be the right one.
        photos: addresses of a server from which photos are fetched one by one afterwards.
    """

    name: str
    kind: str
    about: str
    licence: str
    citation: str
    files: tuple[RemoteFile, ...] = ()
    members: tuple[str, ...] = ()
    folder: str = ""
    marker: str = ""
    photos: tuple[str, ...] = ()

    @property
    def size(self) -> int | None:
        """Its size in bytes, at least roughly; None if it is not known."""
        sizes = [file.size or file.about for file in self.files]
        return None if not sizes or None in sizes else sum(size for size in sizes if size)


def load_registry(path: Path | None = None) -> dict[str, Entry]:
    """Read the built-in registry, and on top of it one of your own.

    Args:
        path: a registry file; its entries replace built-in ones of the same name.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is no registry.
    """
    built_in = resources.files("netdissect.data.download").joinpath("registry.toml").read_text("utf-8")
    entries = parse_registry(built_in, "the built-in registry")
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise DataNotFoundError(f"there is no registry {path}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise DataFileError(f"{path}: expected a registry in UTF-8 ({error})") from error
        entries |= parse_registry(text, str(path))
    return entries


def parse_registry(text: str, where: str) -> dict[str, Entry]:
    """Read a registry.

    Raises:
        DataFileError: naming the entry and what is wrong with it.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(f"{where}: not a TOML file ({error})") from error
    hosts = tables.pop("hosts", {})
    return {name: _entry(f"{where}, entry {name}", name, table, hosts) for name, table in tables.items()}


def find(registry: dict[str, Entry], name: str, *, networks: bool) -> Entry:
    """Return an entry.

    Raises:
        SettingsError: if there is none of that name, or it is a network where none was asked for, or the other way.
    """
    names = [key for key, entry in registry.items() if (entry.kind == "network") == networks]
    if name in names:
        return registry[name]
    if name in registry:
        command = "data" if networks else "zoo"
        raise SettingsError(f"{name} is a {registry[name].kind}: netdissect {command} download {name} fetches it")
    raise SettingsError(f"nothing called {name!r} can be downloaded: {nearest(name, names)}")


def _entry(where: str, name: str, table: Any, hosts: dict[str, list[str]]) -> Entry:
    try:
        files = tuple(_file(where, file, hosts) for file in table.get("files", ()))
        entry = Entry(
            name, table["kind"], table["about"], table["licence"], table["citation"], files,
            tuple(table.get("members", ())), table.get("folder", ""), table.get("marker", ""),
            tuple(table.get("photos", ())),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise DataFileError(f"{where}: {error} is missing or of the wrong kind") from error
    if entry.kind not in _KINDS:
        raise DataFileError(f"{where}: kind must be one of {', '.join(_KINDS)}, not {entry.kind!r}")
    if bool(entry.folder) != bool(entry.marker) or not _plain(entry.folder or "x") or not _plain(entry.marker or "x"):
        raise DataFileError(f"{where}: folder and marker go together, and are relative paths")
    if not entry.files and not entry.members:
        raise DataFileError(f"{where}: it has neither files nor members")
    return entry


def _file(where: str, table: Any, hosts: dict[str, list[str]]) -> RemoteFile:
    name = table["name"]
    mirrors = tuple(table.get("mirrors", ())) or tuple(base + name for base in hosts[table["host"]])
    if not _plain(name) or "/" in name:
        raise DataFileError(f"{where}: {name!r} is no plain file name")
    for mirror in mirrors:
        if urlsplit(mirror).scheme not in ("http", "https"):
            raise DataFileError(f"{where}: expected an http or https address, got {mirror!r}")
    digest = None
    for kind, length in _DIGEST_LENGTHS.items():
        if kind in table:
            digest = kind, str(table[kind]).lower()
            if len(digest[1]) != length or not set(digest[1]) <= set("0123456789abcdef"):
                raise DataFileError(f"{where}: {table[kind]!r} is no {kind} checksum of {length} hex digits")
    return RemoteFile(name, mirrors, table.get("size"), table.get("about"), digest)


def _plain(path: str) -> bool:
    """Say whether a path stays inside the folder it starts in."""
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path
