import pytest

from netdissect.concepts import Concept, Vocabulary
from netdissect.errors import SettingsError
from netdissect.results.concept_words import match_word

NAMES = ["person", "bus", "dress", "living_room-s", "street", "street-s", "grey-c", "fire place", "t-shirt", "leaf", "harbor-s", "car wheel", "grass", "horse", "men"]  # fmt: skip
WORDS = Vocabulary(("object",), tuple(Concept(n, name, "object") for n, name in enumerate(NAMES, 1)))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("person", ["person"]), ("Person", ["person"]), (" person ", ["person"]), ("living room", ["living_room-s"]),
        ("living-room", ["living_room-s"]), ("living_room-s", ["living_room-s"]), ("street", ["street", "street-s"]),
        ("street-s", ["street-s"]), ("grey", ["grey-c"]), ("fireplace", ["fire place"]), ("tshirt", ["t-shirt"]), ("grass", ["grass"]),
    ],
)  # fmt: skip
def test_a_name_is_found_as_people_write_it(word, found):
    match = match_word(word, WORDS, {}, "here")
    assert [NAMES[column] for column in match.columns] == found
    assert match.remark is None


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("people", "person"), ("persons", "person"), ("buses", "bus"), ("dresses", "dress"), ("gray", "grey"), ("leaves", "leaf"),
        ("harbour", "harbor"), ("fireplaces", "fire place"), ("horses", "horse"), ("man", "men"), ("T-shirts", "t-shirt"),
    ],
)  # fmt: skip
def test_plurals_and_other_spellings_are_understood(word, found):
    match = match_word(word, WORDS, {}, "here")
    assert match.remark == f"{word!r} is understood as {found}"


def test_a_name_comes_before_a_synonym_and_a_synonym_before_another_form():
    synonyms = {"person": ("human being", "grass"), "horse": ("mens",)}
    assert match_word("grass", WORDS, synonyms, "here").columns == (NAMES.index("grass"),)
    assert match_word("Human Being", WORDS, synonyms, "here").remark == "'Human Being' is a synonym of person"
    assert (
        match_word("human beings", WORDS, synonyms, "here").remark
        == "'human beings' is understood as a synonym of person"
    )
    assert match_word("mens", WORDS, synonyms, "here").remark == "'mens' is a synonym of horse"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("wheel", "here labels no 'wheel': did you mean car wheel?"),
        ("hors", "here labels no 'hors': did you mean horse or harbor?"),
        ("zzzz", "here labels no 'zzzz': it has 15 concepts, which netdissect units RUN lists"),
        ("", "here labels no '': it has 15 concepts, which netdissect units RUN lists"),
        ("-", "here labels no '-': it has 15 concepts, which netdissect units RUN lists"),
    ],
)
def test_an_unknown_word_is_an_error_that_names_the_nearest(word, says):
    with pytest.raises(SettingsError) as error:
        match_word(word, WORDS, {}, "here")
    assert str(error.value) == says
