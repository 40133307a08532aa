"""What search and the pages of concepts load: synonyms, numbers of images, best scores, companions."""

import dataclasses

import numpy as np
from tests import made_up_runs

from netdissect.report.html import concept_data, script_data
from netdissect.report.label_maps import COMPANIONS, LabelCache, find_companions
from netdissect.results.concept_words import VocabularyNotes


class Notes:
    """Analyses that know synonyms and numbers of images of one concept."""

    folder = None

    def __init__(self, name):
        self.name = name

    def read_notes(self, run):
        return VocabularyNotes({self.name: ["other_word", "other_word", "third-s"]}, {self.name: 7})


def make_cache(concepts):
    none = np.zeros((concepts, COMPANIONS), np.int64)
    return LabelCache({}, none, np.zeros(concepts, np.int64), none - 1, none)


def unpack(result):
    text = concept_data.pack_concepts(result, make_cache(len(result.probe_set.vocabulary)))
    return script_data.unpack_script(script_data.format_script(text))


def test_a_run_says_the_synonyms_and_images_that_its_probe_set_says():
    result, _ = made_up_runs.make_run((3, 5), 6, pictures=4)
    names = result.probe_set.vocabulary.names
    _, facts, arrays = unpack(dataclasses.replace(result, analyses=Notes(names[2])))
    assert facts["synonyms"] == [[], [], ["other word", "third"], [], [], []]
    assert arrays["images"].tolist() == [-1, -1, 7, -1, -1, -1]


def test_a_run_without_notes_has_the_best_score_of_every_layer():
    result, _ = made_up_runs.make_run((3, 5), 6, pictures=4)
    _, facts, arrays = unpack(result)
    assert facts["synonyms"] == [[]] * 6
    assert arrays["images"].tolist() == [-1] * 6
    best = [layer.scores.max(axis=0) for layer in result.layers.values()]
    assert np.array_equal(arrays["best"], np.array(best, np.float32))


def test_companions_are_those_whose_images_are_most_nearly_the_same():
    counts = np.array([[5, 1, 0, 2], [5, 0, 0, 2], [3, 1, 0, 0], [0, 0, 4, 9]])
    companions, together = find_companions(counts)
    assert companions[0, :3].tolist() == [1, 3, -1]  # 2 of 3 images, and 2 of 4
    assert together[0, :3].tolist() == [2, 2, 0]
    assert companions[2, :2].tolist() == [3, -1]
    assert together[2, 0] == 1


def test_a_concept_without_images_has_no_companions():
    companions, together = find_companions(np.array([[0, 1], [0, 2]]))
    assert (companions == -1).all()
    assert not together.any()


def test_companions_are_at_most_as_many_as_there_is_room_for():
    companions, together = find_companions(np.ones((2, COMPANIONS + 5), np.int64))
    assert companions.shape == together.shape == (COMPANIONS + 5, COMPANIONS)
    assert (together == 2).all()
    assert all(concept not in row for concept, row in enumerate(companions.tolist()))
