"""Parse the registry: a TOML file of what can be downloaded, from where, and with which checksum."""

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
_MAX_BYTES = 1 << 20

#: How it is known that a mirror holds a file: from its publisher, from another public page, or not at all.
EVIDENCE = ("published", "named", "guess")


@dataclass(frozen=True)
class Mirror:
    """An address of a file.

    Attributes:
        url: the address.
        evidence: one of `EVIDENCE`.
        why: who names the address, or the reason for a guess.
        digest: kind and hex digits of a checksum that holds for this mirror only; None if there is none.
    """

    url: str
    evidence: str = "published"
    why: str = ""
    digest: tuple[str, str] | None = None


@dataclass(frozen=True)
class RemoteFile:
    """One file that can be downloaded.

    Attributes:
        name: its file name.
        mirrors: its addresses, tried in turn.
        size: its exact size in bytes, if known.
        about: its approximate size in bytes, if known.
        digest: kind and hex digits of a published checksum, such as ``("md5", "be13…")``; None if there is none.
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
        name: its name on the command line.
        kind: ``probe set``, ``source``, ``table`` or ``network``.
        about: description.
        license: terms of publication, as far as they are stated.
        citation: what to cite.
        files: its files.
        members: other entries that are downloaded with it.
        folder: folder to unpack its archive to, relative; empty to keep its files as they are.
        marker: relative path that only the right archive holds.
        photos: addresses of folders from which photos are fetched one by one afterwards.
        note: what the user should know before; may be empty.
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
        """Its size in bytes, exact or approximate; None if it is unknown."""
        sizes = [file.size or file.about for file in self.files]
        return None if not sizes or None in sizes else sum(size for size in sizes if size)


def load_registry(path: Path | None = None) -> dict[str, RegistryEntry]:
    """Read the built-in registry, and add the user's own.

    Args:
        path: a registry file; its entries replace built-in ones of the same name.

    Raises:
        DataNotFoundError: if it is missing.
        DataFileError: if it is no registry.
    """
    built_in = resources.files("netdissect.probe_sets.download").joinpath("registry.toml").read_text("utf-8")
    entries = parse_registry(built_in, "the built-in registry")
    _require_consistent(entries, "the built-in registry")
    if path is not None:
        text = read_text(path, "a registry", missing=DataNotFoundError, wrong=DataFileError, most=_MAX_BYTES)
        entries |= parse_registry(text, str(path))
        _require_consistent(entries, str(path))
    return entries


def parse_registry(text: str, where: str) -> dict[str, RegistryEntry]:
    """Parse the text of a registry.

    Args:
        text: TOML.
        where: its file, for errors.

    Raises:
        DataFileError: if an entry is invalid.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataFileError(f"{where}: not a TOML file ({error})") from error
    hosts = tables.pop("hosts", {})
    return {name: _parse_entry(f"{where}, entry {name!r}", name, table, hosts) for name, table in tables.items()}


def find_entry(registry: dict[str, RegistryEntry], name: str, *, networks: bool) -> RegistryEntry:
    """Return an entry by name.

    Args:
        registry: all entries.
        name: its name.
        networks: whether it must be a network, or must not.

    Raises:
        SettingsError: if there is none of that name, or it is of the other kind.
    """
    names = [key for key, entry in registry.items() if (entry.kind == "network") == networks]
    if name in names:
        return registry[name]
    if name in registry:
        command = "data" if networks else "zoo"
        raise SettingsError(f"{name} is a {registry[name].kind}: netdissect {command} download {name} fetches it")
    raise SettingsError(f"nothing called {name!r} can be downloaded: {suggest_nearest(name, names)}")


def _require_consistent(entries: Mapping[str, RegistryEntry], where: str) -> None:
    """Refuse entries with unknown members or themselves as members, and files that differ only in case."""
    for entry in entries.values():
        above, level = {entry.name}, entry.members
        while level:
            for name in level:
                if name not in entries or name in above:
                    raise DataFileError(
                        f"{where}: {name!r} cannot be a member of {entry.name!r}: it does not exist, or has that entry as a member"
                    )
            above |= set(level)
            level = tuple(inner for name in level for inner in entries[name].members)
    spelled: dict[str, str] = {}
    for file in (file for entry in entries.values() for file in entry.files):
        other = spelled.setdefault(file.name.casefold(), file.name)
        if other != file.name:
            raise DataFileError(
                f"{where}: the files {other!r} and {file.name!r} differ only in case, which some file systems do not distinguish"
            )


def _parse_entry(where: str, name: str, table: Any, hosts: Any) -> RegistryEntry:
    if (problem := find_name_problem(name)) is not None:
        raise DataFileError(f"{where}: an entry cannot have that name: {problem}")
    try:
        files = tuple(_parse_file(where, file, hosts) for file in table.get("files", ()))
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
    if bool(folder) != bool(marker) or not _is_plain_path(folder or "x") or not _is_plain_path(marker or "x"):
        raise DataFileError(f"{where}: folder and marker go together, and are relative paths")
    if not files and not members:
        raise DataFileError(f"{where}: it has neither files nor members")
    if len({file.name.casefold() for file in files}) < len(files):
        raise DataFileError(f"{where}: two of its files have the same name")
    for address in photos:
        _require_address(where, address)
        if not address.endswith("/"):
            raise DataFileError(f"{where}: the address of photos {address!r} must end with a slash")
    return RegistryEntry(name, kind, about, licence, citation, files, members, folder, marker, photos, note)


def _parse_file(where: str, table: Any, hosts: Any) -> RemoteFile:
    name = table["name"]
    if (problem := find_name_problem(name)) is not None or name.casefold() == "downloads.json":
        raise DataFileError(
            f"{where}: {name!r} is not a plain file name ({problem or 'the record of downloads has that name'})"
        )
    mirror_tables = table.get("mirrors") or [_join_host(host, name) for host in hosts[table["host"]]]
    mirrors = tuple(_parse_mirror(where, mirror) for mirror in mirror_tables)
    for size in (table.get("size"), table.get("about")):
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            raise DataFileError(f"{where}: {size!r} is not a size in bytes of {name}")
    return RemoteFile(name, mirrors, table.get("size"), table.get("about"), _parse_digest(where, table))


def _join_host(host: Any, name: str) -> Any:
    return {**host, "url": host["url"] + name} if isinstance(host, dict) else host + name


def _parse_mirror(where: str, mirror_table: Any) -> Mirror:
    """Parse a mirror: an address, or a table of ``url``, ``evidence``, ``why`` and a checksum."""
    if isinstance(mirror_table, str):
        mirror_table = {"url": mirror_table}
    mirror = Mirror(
        mirror_table["url"],
        mirror_table.get("evidence", "published"),
        mirror_table.get("why", ""),
        _parse_digest(where, mirror_table),
    )
    _require_address(where, mirror.url)
    if mirror.evidence not in EVIDENCE or not isinstance(mirror.why, str):
        raise DataFileError(f"{where}: evidence must be one of {', '.join(EVIDENCE)}, not {mirror.evidence!r}")
    if mirror.evidence != "published" and not mirror.why:
        raise DataFileError(f"{where}: {mirror.url} has the evidence {mirror.evidence!r}, but does not say why")
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


def _parse_digest(where: str, table: Any) -> tuple[str, str] | None:
    for kind, length in _DIGEST_LENGTHS.items():
        if kind in table:
            digits = str(table[kind]).lower()
            if len(digits) != length or not set(digits) <= set("0123456789abcdef"):
                raise DataFileError(f"{where}: {table[kind]!r} is not a {kind} checksum of {length} hex digits")
            return kind, digits
    return None


def _is_plain_path(path: str) -> bool:
    """Return whether every part of a relative path is a valid file name."""
    return all(find_name_problem(part) is None for part in path.split("/"))
