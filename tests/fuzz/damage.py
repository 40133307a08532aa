"""Changes to a file's bytes, as hypothesis draws them."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st


@st.composite
def _one(draw):
    """A change: a flip, a cut, a splice, a repetition, an overwriting."""
    kind = draw(st.sampled_from(["flip", "cut", "insert", "repeat", "replace"]))
    return kind, draw(st.floats(0, 1)), draw(st.binary(min_size=1, max_size=12)), draw(st.integers(1, 40))


#: One to three changes.
damages = st.lists(_one(), min_size=1, max_size=3)


def damaged(data: bytes, changes) -> bytes:
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
def spoilt(path, changes):
    """Spoil a file for the length of a block."""
    data = path.read_bytes()
    path.write_bytes(damaged(data, changes))
    try:
        yield
    finally:
        path.write_bytes(data)


def one_sentence(error) -> None:
    """Hold an error to what every one of ours must be."""
    assert str(error).strip()
    assert "\n" not in str(error).strip()
