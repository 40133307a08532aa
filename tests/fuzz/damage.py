"""Changes to a file's bytes, as hypothesis draws them."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st


@st.composite
def _draw_change(draw):
    """A change: a flip, a cut, a splice, a repetition, an overwriting."""
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
    """Spoil a file for the length of a block."""
    data = path.read_bytes()
    path.write_bytes(apply_changes(data, changes))
    try:
        yield
    finally:
        path.write_bytes(data)


def check_one_sentence(error, *facts) -> None:
    """Hold an error to what every one of ours must be; one of the facts, such as the file's name, stands in it."""
    assert str(error).strip()
    assert "\n" not in str(error).strip()
    assert not facts or any(fact in str(error) for fact in facts), f"{error!r} names none of {facts}"


def keeps_length(changes) -> bool:
    """Tell whether nothing is moved by these changes: what they do not touch lies where it lay."""
    return all(kind in ("flip", "replace") for kind, *_ in changes)


def count_changed_bytes(changes) -> int:
    """Return how many bytes are touched at most by changes that keep the length."""
    return sum(len(piece) for _, _, piece, _ in changes)
