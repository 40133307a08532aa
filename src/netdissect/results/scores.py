"""Compute scores, which say how well a unit fits a concept, from pixel counts or from sums of activations.

IoU, F1, Pearson's correlation and the cosine are built in; other packages register their own scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

import numpy as np

from netdissect.errors import SettingsError, root_message, suggest_nearest
from netdissect.io.text import escape_line
from netdissect.results.activation_sums import ActivationSums, compute_cosine, compute_pearson
from netdissect.results.counts import Counts, compute_f1, compute_iou

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary

#: Name of the paper's score, and the entry-point group under which installed packages name theirs.
IOU, ENTRY_POINTS = "iou", "netdissect.scores"
#: The most letters of a title, which heads a column.
_MAX_TITLE = 24


@dataclass(frozen=True)
class Score:
    """A measure of how well units fit concepts (provisional).

    Attributes:
        name: its name in ``--score`` and ``run.json``, such as ``"iou"``.
        title: its name in tables, pages and figures, such as ``"IoU"``.
        function: maps the pixel counts of a layer (`Counts`: ``I`` and ``A`` of shape (U, C), ``G`` of shape (C,)) and
            the `Vocabulary` of its C concepts to an array of shape (U, C) between 0, unrelated, and 1.
        of: ``"masks"``; or ``"activations"`` if the function takes `ActivationSums` instead of counts. Such a score takes no
            threshold, and the network runs twice.
    """

    name: str
    title: str
    function: Callable[..., NDArray[np.floating]]
    of: Literal["masks", "activations"] = "masks"

    def __post_init__(self) -> None:
        for field, value in (("name", self.name), ("title", self.title)):
            if not (isinstance(value, str) and value.strip() == value != "" and value.isprintable()):
                raise SettingsError(f"the {field} of a score must be one or a few printable words, not {value!r}")
        if len(self.title) > _MAX_TITLE:
            raise SettingsError(
                f"the title of score {self.name} must have at most {_MAX_TITLE} letters: {self.title!r}"
            )
        if not callable(self.function):
            raise SettingsError(f"the function of score {self.name} must be callable, not {self.function!r}")
        if self.of not in ("masks", "activations"):
            raise SettingsError(f"score {self.name} must be of masks or of activations, not {self.of!r}")

    def compute(self, counts: Counts | ActivationSums, vocabulary: Vocabulary) -> NDArray[np.float64]:
        """Return the score of every unit with every concept, shape (U, C), from what it is a score of.

        Raises:
            SettingsError: if the function fails, or returns anything but one number between 0 and 1 for each.
        """
        expected = f"expected one number between 0 and 1 for every unit and concept, shape {counts.shape}"
        try:
            with np.errstate(all="ignore"):  # the values are checked below
                values = np.asarray(self.function(counts, vocabulary), np.float64)
        except Exception as error:  # another package's code
            raise SettingsError(f"score {self.name} fails ({type(error).__name__}: {root_message(error)})") from error
        if values.shape != counts.shape:
            raise SettingsError(f"score {self.name}: {expected}, got shape {values.shape}")
        if (
            self.name in _BUILT_IN
        ):  # above 1 where several label planes give a pixel one label, which then counts several times
            values = np.minimum(values, 1)
        outside = ~((values >= 0) & (values <= 1))
        if outside.any():
            unit, column = (int(place) for place in np.argwhere(outside)[0])
            concept = escape_line(vocabulary.names[column])
            raise SettingsError(
                f"score {self.name}: {expected}, got {values[unit, column]:g} for unit {unit + 1} and {concept}"
            )
        return values

    def try_out(self, vocabulary: Vocabulary) -> None:
        """Compute the scores of a unit with an empty mask, so that a wrong function is refused before any work.

        Raises:
            SettingsError: as `compute`.
        """
        width = len(vocabulary)
        counts = Counts(*(np.zeros(shape, np.int64) for shape in ((1, width), (1, width), width)))
        sums = ActivationSums(*(np.zeros(shape) for shape in (*[(1, width)] * 3, width, width)))
        self.compute(counts if self.of == "masks" else sums, vocabulary)


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The scores of a layer whose score is not IoU.

    Attributes:
        title: the score's title.
        values: the score of every unit with every concept, float64, shape (U, C).
    """

    title: str
    values: NDArray[np.float64]


_REGISTRY = {
    score.name: score
    for score in (
        Score(IOU, "IoU", lambda counts, _: compute_iou(counts)),
        Score("f1", "F1", lambda counts, _: compute_f1(counts)),
        Score("pearson", "Pearson", lambda sums, _: compute_pearson(sums), "activations"),
        Score("cosine", "Cosine", lambda sums, _: compute_cosine(sums), "activations"),
    )
}
#: The scores that cannot be replaced.
_BUILT_IN = tuple(_REGISTRY)


def register_score(score: Score) -> None:
    """Register a score under its name, for ``score=`` in Python (provisional).

    A package registers its scores for the shell too through the entry-point group ``netdissect.scores``: the entry point
    has the score's name, and its object is a `Score`.

    Raises:
        SettingsError: if it is not a `Score`, or would replace one that is built in.

    Example:
        >>> register_score(Score("precision", "Precision", lambda counts, _: counts.I / counts.A.clip(1)))
        >>> find_score("precision").title
        'Precision'
    """
    if not isinstance(score, Score):
        raise SettingsError(f"register_score takes a netdissect.Score, not {type(score).__name__}")
    if score.name in _BUILT_IN:
        raise SettingsError(f"the score {score.name} is built in and cannot be replaced: choose another name")
    _require_own_words(score)
    _REGISTRY[score.name] = score


def _require_own_words(score: Score) -> None:
    """Refuse a score that tables and pages would show as one that is built in."""
    built_in = {word.casefold() for name in _BUILT_IN for word in (name, _REGISTRY[name].title)}
    taken = next((word for word in (score.name, score.title) if word.casefold() in built_in), None)
    if taken is not None:
        raise SettingsError(
            f"score {score.name} ({score.title}): {taken} is a score that is built in, and readers would take this one for it: choose "
            f"another name and title"
        )


def find_score(name: str) -> Score:
    """Return the score with a name: a registered one, or one that an installed package provides.

    Raises:
        SettingsError: if there is no such score, or a package's score cannot be loaded.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    found = {entry.name: entry for entry in metadata.entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise SettingsError(f"there is no score {name!r}: {suggest_nearest(name, [*_REGISTRY, *found])}")
    try:
        score = found[name].load()
    except Exception as error:  # another package's code
        raise SettingsError(f"score {name}: {found[name].value} cannot be loaded ({root_message(error)})") from error
    if not isinstance(score, Score) or score.name != name:
        raise SettingsError(f"score {name}: expected {found[name].value} to be a netdissect.Score of that name")
    _require_own_words(score)
    return score
