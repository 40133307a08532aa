"""Small made-up signatures and units, and formulas counted one signature after another, for tests of the formula search."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from netdissect.stats.signatures import Signatures

JOINS = {"or": lambda a, b: a or b, "and": lambda a, b: a and b, "and not": lambda a, b: a and not b}


def make_signatures(random, rows=60, concepts=12, categories=3):
    """Return distinct random signatures, whose images have labels of one to all categories."""
    primary = np.sort(np.arange(concepts) % categories)
    keys = set()
    for _ in range(rows):
        presence = int(random.integers(1, 2**categories))
        chosen = [c for c in range(concepts) if presence >> primary[c] & 1 and random.random() < 0.3]
        keys.add((tuple(chosen), presence))
    keys = sorted(keys)
    start = np.cumsum([0, *(len(columns) for columns, _ in keys)])
    columns = np.array([column for columns, _ in keys for column in columns], np.int32)
    pixels = random.integers(1, 40, len(keys))
    return Signatures(start, columns, np.array([presence for _, presence in keys]), pixels, primary)


def make_unit(random, signatures):
    """Return the signatures that a random unit's masks meet, and how often; masks prefer one concept."""
    rows = np.repeat(np.arange(signatures.pixels.size), np.diff(signatures.start))
    liked = np.isin(
        np.arange(signatures.pixels.size), rows[signatures.columns == random.integers(signatures.primary.size)]
    )
    met = random.random(signatures.pixels.size) < np.where(liked, 0.9, 0.2)
    count = np.where(met, random.integers(0, signatures.pixels + 1), 0)
    return np.flatnonzero(count), count[count > 0]


def compute_iou(signatures, unit, columns, operators):
    """Return a formula's exact IoU, read from left to right, over the images that have all its categories."""
    mask = dict(zip(*(part.tolist() for part in unit), strict=True))
    named = {int(signatures.primary[column]) for column in columns}
    both = union = 0
    for row, pixels in enumerate(signatures.pixels.tolist()):
        if all(signatures.presence[row] >> category & 1 for category in named):
            has = set(signatures.columns[signatures.start[row] : signatures.start[row + 1]].tolist())
            truth = columns[0] in has
            for column, operator in zip(columns[1:], operators, strict=True):
                truth = JOINS[operator](truth, column in has)
            both += mask.get(row, 0) * truth
            union += pixels if truth else mask.get(row, 0)
    return Fraction(both, union) if union else Fraction(0)


def list_formulas(concepts, length):
    """Yield the columns and operators of every formula of exactly so many concepts, in every order."""
    for columns in itertools.permutations(range(concepts), length):
        for operators in itertools.product(JOINS, repeat=length - 1):
            yield columns, operators


class DenseFormulas:
    """All formulas of one set of signatures as truth tables, to be scored for many units at once."""

    def __init__(self, signatures, length):
        size = signatures.pixels.size
        has = np.zeros((signatures.primary.size, size), bool)
        has[signatures.columns, np.repeat(np.arange(size), np.diff(signatures.start))] = True
        tables = {}
        for count in range(1, length + 1):
            for columns, operators in list_formulas(signatures.primary.size, count):
                bits = sum({1 << int(signatures.primary[column]) for column in columns})
                within = (signatures.presence & bits) == bits
                truth = has[columns[0]]
                for column, operator in zip(columns[1:], operators, strict=True):
                    other = has[column]
                    truth = truth | other if operator == "or" else truth & (other if operator == "and" else ~other)
                tables.setdefault((truth & within).tobytes() + within.tobytes(), (truth & within, within))
        self.signatures = signatures
        self.truth, self.within = (np.array(part, np.int64) for part in zip(*tables.values(), strict=True))

    def find_best(self, unit):
        """Return the highest exact IoU with a unit's masks."""
        mask = np.zeros(self.signatures.pixels.size, np.int64)
        mask[unit[0]] = unit[1]
        both = self.truth @ mask
        union = self.within @ mask + self.truth @ self.signatures.pixels - both
        return max(Fraction(int(a), int(b)) for a, b in zip(both, np.maximum(union, 1), strict=True))
