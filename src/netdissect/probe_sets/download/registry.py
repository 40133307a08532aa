"""The registry: a text file that says what can be downloaded, from where, and how to know it is the right thing."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError, suggest_nearest
from netdissect.io.names import find_name_problem
from netdissect.io.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_KINDS = ("probe set", "source", "table", "network")
_DIGEST_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64}
_LARGEST = 1 << 20

#: How it is known that an address holds a file: its publisher says so, another public page says so, or nobody is known to.
EVIDENCE = ("published", "named", "guess")


@dataclass(frozen=True)
class Mirror:
    """An address that may give a file.

    Attributes:
        url: the address.
        evidence: one of `EVIDENCE`.
        why: who names it, or what a guess rests on.
        digest: kind and hex digits of a checksum that is known of this address's file only; None if none is.
    """

    url: str
    evidence: str = "published"
    why: str = ""
    digest: tuple[str, str] | None = None


@dataclass(frozen=True)
class RemoteFile:
    """One file that can be downloaded.

    Attributes:
        name: its name on disk.
        mirrors: where it may be had, tried in turn.
        size: its exact size in bytes, if known.
        about: roughly its size, if known.
        digest: kind and hex digits of a published checksum, such as ``("md5", "be13…")``; None if none is known.
    """

    name: str
    mirrors: tuple[Mirror, ...]
    size: int | None = None
    about: int | None = None
    digest: tuple[str, str] | None = None


@dataclass(frozen=True)
class RegistryEntry:
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
        note: what somebody should know before fetching it; may be empty.
    """

    name: str
    kind: str
    about: str
    license: str
    citation: str
    files: tuple[RemoteFile, ...] = ()
    members: tuple[str, ...] = ()
    folder: str = ""
    marker: str = ""
    photos: tuple[str, ...] = ()
    note: str = ""

    @property
    def size(self) -> int | None:
        """Its size in bytes, at least roughly; None if it is not known."""
        sizes = [file.size or file.about for file in self.files]
        return None if not sizes or None in sizes else sum(size for size in sizes if size)


def load_registry(path: Path | None = None) -> dict[str, RegistryEntry]:
    """Read the built-in registry, and on top of it one of your own.

    Args:
        path: a registry file; its entries replace built-in ones of the same name.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is no registry.
    """
    built_in = resources.files("netdissect.probe_sets.download").joinpath("registry.toml").read_text("utf-8")
    entries = parse_registry(built_in, "the built-in registry")
    _check_together(entries, "the built-in registry")
    if path is not None:
        text = read_text(path, "a registry", missing=DataNotFoundError, wrong=DataFileError, most=_LARGEST)
        entries |= parse_registry(text, str(path))
        _check_together(entries, str(path))
    return entries


def parse_registry(text: str, where: str) -> dict[str, RegistryEntry]:
    """Read a registry.

    Raises:
        DataFileError: naming the entry and what is wrong with it.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataFileError(f"{where}: not a TOML file ({error})") from error
    hosts = tables.pop("hosts", {})
    return {name: _entry(f"{where}, entry {name!r}", name, table, hosts) for name, table in tables.items()}


def find_entry(registry: dict[str, RegistryEntry], name: str, *, networks: bool) -> RegistryEntry:
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
    raise SettingsError(f"nothing called {name!r} can be downloaded: {suggest_nearest(name, names)}")


def _check_together(entries: Mapping[str, RegistryEntry], where: str) -> None:
    """Refuse entries that name members which are not there, or themselves, and files that a disk may not tell apart."""
    for entry in entries.values():
        above, level = {entry.name}, entry.members
        while level:
            for name in level:
                if name not in entries or name in above:
                    raise DataFileError(
                        f"{where}: the members of {entry.name!r} cannot be {name!r}: it is itself, or none"
                    )
            above |= set(level)
            level = tuple(inner for name in level for inner in entries[name].members)
    spelled: dict[str, str] = {}
    for file in (file for entry in entries.values() for file in entry.files):
        other = spelled.setdefault(file.name.casefold(), file.name)
        if other != file.name:
            raise DataFileError(f"{where}: the files {other!r} and {file.name!r} differ only in case, as no disk must")


def _entry(where: str, name: str, table: Any, hosts: Any) -> RegistryEntry:
    if (problem := find_name_problem(name)) is not None:
        raise DataFileError(f"{where}: an entry cannot be called so: {problem}")
    try:
        files = tuple(_file(where, file, hosts) for file in table.get("files", ()))
        texts = [table[key] for key in ("kind", "about", "licence", "citation")]
        texts += [table.get(key, "") for key in ("folder", "marker", "note")]
        lists = [table.get(key, ()) for key in ("members", "photos")]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataFileError(f"{where}: {error} is missing or of the wrong kind") from error
    if not all(isinstance(text, str) for each in ([*texts], *lists) for text in each):
        raise DataFileError(f"{where}: expected texts, and lists of texts for members and photos")
    kind, about, licence, citation, folder, marker, note = texts
    members, photos = map(tuple, lists)
    if kind not in _KINDS:
        raise DataFileError(f"{where}: kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    if bool(folder) != bool(marker) or not _plain(folder or "x") or not _plain(marker or "x"):
        raise DataFileError(f"{where}: folder and marker go together, and are relative paths")
    if not files and not members:
        raise DataFileError(f"{where}: it has neither files nor members")
    if len({file.name.casefold() for file in files}) < len(files):
        raise DataFileError(f"{where}: two of its files have one name")
    for address in photos:
        _require_address(where, address)
        if not address.endswith("/"):
            raise DataFileError(f"{where}: the address of photos {address!r} must end with a slash")
    return RegistryEntry(name, kind, about, licence, citation, files, members, folder, marker, photos, note)


def _file(where: str, table: Any, hosts: Any) -> RemoteFile:
    name = table["name"]
    if (problem := find_name_problem(name)) is not None or name.casefold() == "downloads.json":
        raise DataFileError(f"{where}: {name!r} is no plain file name ({problem or 'the record of downloads has it'})")
    told = table.get("mirrors") or [_at_host(host, name) for host in hosts[table["host"]]]
    mirrors = tuple(_mirror(where, mirror) for mirror in told)
    for size in (table.get("size"), table.get("about")):
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            raise DataFileError(f"{where}: {size!r} is no size in bytes of {name}")
    return RemoteFile(name, mirrors, table.get("size"), table.get("about"), _digest(where, table))


def _at_host(host: Any, name: str) -> Any:
    return {**host, "url": host["url"] + name} if isinstance(host, dict) else host + name


def _mirror(where: str, told: Any) -> Mirror:
    """Read a mirror: an address, or a table of ``url``, ``evidence``, ``why`` and a checksum."""
    if isinstance(told, str):
        told = {"url": told}
    mirror = Mirror(told["url"], told.get("evidence", "published"), told.get("why", ""), _digest(where, told))
    _require_address(where, mirror.url)
    if mirror.evidence not in EVIDENCE or not isinstance(mirror.why, str):
        raise DataFileError(f"{where}: evidence must be one of {', '.join(EVIDENCE)}, not {mirror.evidence!r}")
    if mirror.evidence != "published" and not mirror.why:
        raise DataFileError(f"{where}: {mirror.url} has the evidence {mirror.evidence!r}, and why is not said")
    return mirror


def _require_address(where: str, address: Any) -> None:
    try:
        parts = urlsplit(address)
        good = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and address.isprintable() and " " not in address
        )
    except (ValueError, AttributeError):
        good = False
    if not good:
        raise DataFileError(f"{where}: expected an http or https address, got {address!r}")


def _digest(where: str, table: Any) -> tuple[str, str] | None:
    for kind, length in _DIGEST_LENGTHS.items():
        if kind in table:
            digits = str(table[kind]).lower()
            if len(digits) != length or not set(digits) <= set("0123456789abcdef"):
                raise DataFileError(f"{where}: {table[kind]!r} is no {kind} checksum of {length} hex digits")
            return kind, digits
    return None


def _plain(path: str) -> bool:
    """Say whether every part of a relative path may be a file's name."""
    return all(find_name_problem(part) is None for part in path.split("/"))
