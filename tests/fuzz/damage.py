"""Damage files in ways that Hypothesis draws, and check the errors."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st


@st.composite
def _draw_change(draw):
    """Draw a change: flip, cut, insert, repeat or replace."""
    kind = draw(st.sampled_from(["flip", "cut", "insert", "repeat", "replace"]))
    return kind, draw(st.floats(0, 1)), draw(st.binary(min_size=1, max_size=12)), draw(st.integers(1, 40))


#: One to three changes.
changes_of_bytes = st.lists(_draw_change(), min_size=1, max_size=3)


def apply_changes(data: bytes, changes) -> bytes:
    """Return the bytes after the changes."""
    for kind, where, piece, length in changes:
        at = int(where * max(len(data) - 1, 0))
        if kind == "flip" and data:
            data = data[:at] + bytes([data[at] ^ (piece[0] | 1)]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "insert":
            data = data[:at] + piece + data[at:]
        elif kind == "repeat":
            data = data[:at] + data[at : at + length] * 3 + data[at:]
        else:
            data = data[:at] + piece + data[at + len(piece) :]
    return data


@contextlib.contextmanager
def damage_file(path, changes):
    """Damage a file while the block runs."""
    data = path.read_bytes()
    path.write_bytes(apply_changes(data, changes))
    try:
        yield
    finally:
        path.write_bytes(data)


def check_one_sentence(error, *facts) -> None:
    """Check that an error is one line and contains one of the facts, such as the file's name."""
    assert str(error).strip()
    assert "\n" not in str(error).strip()
    assert not facts or any(fact in str(error) for fact in facts), f"{error!r} names none of {facts}"


def keeps_length(changes) -> bool:
    """Return whether the changes keep every other byte in its place."""
    return all(kind in ("flip", "replace") for kind, *_ in changes)


def count_changed_bytes(changes) -> int:
    """Return the largest number of bytes that changes of this kind can alter."""
    return sum(len(piece) for _, _, piece, _ in changes)
