"""Images that belong together: by a column, by names, and identical files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine.forward import ReadingLog, run_batches
from netdissect.engine.image_groups import find_groups, read_group_names
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.tasks import find_receipt
from netdissect.engine.worker_context import WorkerContext
from netdissect.errors import DataError, SettingsError
from netdissect.layers import FieldMap
from netdissect.runtime.array_store import Store


class Photos(fakes.ArrayConcepts):
    """Photographs, of which some may be the same file; it counts how many files are read."""

    def __init__(self, shown, names=None, columns=None):
        labels = Labels(np.zeros((0, 2, 2), np.uint16), np.zeros(0, np.int64))
        super().__init__(fakes.make_vocabulary(2), [labels] * len(shown), (16, 16))
        self.shown, self.names, self.table = shown, names, columns
        self.files_read = []

    def image_name(self, index):
        return self.names[index] if self.names else super().image_name(index)

    def read_image(self, index, size=None):
        return np.random.default_rng(self.shown[index]).integers(0, 255, (16, 16, 3)).astype(np.uint8)

    def read_image_file(self, index):
        self.files_read.append(index)
        return super().read_image_file(index)


class Tables(Photos):
    """The same with an index."""

    @property
    def columns(self):
        return ("image", *self.table)

    def read_column(self, column):
        return self.table[column]


def take_fingerprints(concepts):
    """Return the fingerprints of all images, as a scan takes them."""
    array = np.zeros((len(concepts), 1, 2, 2), np.float32)
    layer = fakes.make_layer("a", array, FieldMap((8, 8), (1, 1), (0, 0)))
    source = fakes.ArraySource((layer,), {"a": array}, (16, 16))
    source.activations = lambda inputs: {"a": fakes.torch.zeros((len(inputs), 2, 2, 1))}
    log = ReadingLog()
    with RowThreads(2) as threads:
        context = WorkerContext(source, concepts, threads, Store(), lambda _: None)
        list(run_batches(context, np.array_split(np.arange(len(concepts)), 3), log))
    assert list(log.fingerprints) == list(range(len(concepts)))
    return np.fromiter(log.fingerprints.values(), np.uint32)


def find(concepts, group_by=None, order=None):
    order = np.arange(len(concepts)) if order is None else order
    return find_groups(concepts, order, group_by, take_fingerprints(concepts)[order])


def test_images_that_differ_have_no_groups_and_no_file_is_read():
    concepts = Photos([1, 2, 3, 4, 5, 6])
    assert find(concepts) == (None, None)
    assert concepts.files_read == []


def test_identical_files_are_a_group_and_only_their_files_are_read():
    concepts = Photos([1, 2, 3, 1, 4, 3, 1, 5])
    groups, note = find(concepts)
    assert groups.tolist() == [0, 1, 2, 0, 3, 2, 0, 4]
    assert groups.dtype == np.int64
    assert note == "5 images count as 2, because they belong together (identical files)"
    assert sorted(concepts.files_read) == [0, 2, 3, 5, 6]


def test_images_with_one_fingerprint_and_other_files_are_no_group():
    class Alike(Photos):
        def read_image(self, index, size=None):
            image = np.full((16, 16, 3), 7, np.uint8)
            image[3] = index  # a row that the fingerprint does not cover
            return image

    concepts = Alike([1, 2, 3])
    assert len(set(take_fingerprints(concepts).tolist())) == 1
    assert find(concepts) == (None, None)
    assert concepts.files_read == [0, 1, 2]


def test_one_image_saved_as_two_formats_is_no_group():
    class TwoFormats(Photos):
        def read_image_file(self, index):
            out = io.BytesIO()
            Image.fromarray(self.read_image(index)).save(out, format=("PNG", "BMP")[index])
            return out.getvalue()

    assert find(TwoFormats([1, 1])) == (None, None)


def test_a_copy_that_was_skipped_makes_no_group():
    concepts = Photos([1, 2, 1])
    assert find(concepts, order=np.array([1, 0])) == (None, None)


def test_a_file_that_is_gone_after_the_scan_is_an_image_of_its_own():
    class Gone(Photos):
        def read_image_file(self, index):
            if index == 2:
                raise DataError("gone")
            return super().read_image_file(index)

    assert find(Gone([1, 1, 1, 2]))[0].tolist() == [0, 0, 1, 2]


def test_the_column_group_says_which_images_belong_together():
    concepts = Tables([1, 1, 2, 3, 4], columns={"group": ["x", "y", "x", "", ""]})
    groups, note = find(concepts)
    assert groups.tolist() == [0, 1, 0, 2, 3]  # images 0 and 1 are identical, and their index says otherwise
    assert note == "2 images count as 1, because they belong together (the column group)"


def test_an_empty_column_group_leaves_identical_files():
    concepts = Tables([1, 1, 2], columns={"group": ["", "", ""]})
    assert find(concepts)[0].tolist() == [0, 0, 1]


def test_another_column_can_be_named():
    concepts = Tables([1, 2, 3], columns={"group": ["x", "x", "x"], "video": ["a", "b", "a"]})
    groups, note = find(concepts, "video")
    assert groups.tolist() == [0, 1, 0]
    assert "(--group-by video)" in note


def test_a_regular_expression_groups_by_what_its_first_group_matches():
    concepts = Photos([1, 2, 3, 4], names=["clip1_001.jpg", "clip1_002.jpg", "clip2_001.jpg", "other.jpg"])
    groups, _ = find(concepts, r"(clip\d+)_")
    assert groups.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("group_by", "message"),
    [
        ("video", r"'video' is not a column of arrays \(image, group\); a regular expression needs parentheses"),
        ("(clip", r"'\(clip' is neither a column of arrays \(image, group\) nor a regular expression \(missing \)"),
        ("(a{99999999999999})", r"nor a regular expression \(the repetition number is too large\)"),
        ("(" * 5000 + ")" * 5000, r"nor a regular expression \("),
        ("(film)", r"'\(film\)' matches the name of no image of arrays; the first is image0.png"),
    ],
)
def test_what_is_neither_column_nor_fitting_expression_is_refused(group_by, message):
    with pytest.raises(SettingsError, match=message):
        read_group_names(Tables([1], columns={"group": ["x"]}), group_by)


def test_a_probe_set_without_an_index_has_no_columns():
    with pytest.raises(SettingsError, match="'video' is not a column of arrays, which has none; a regular"):
        read_group_names(Photos([1]), "video")


def test_receipts_keep_the_fingerprints_of_images_that_were_read(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.random((60, 2, 2, 2)).astype(np.float32)
    layer = fakes.make_layer("a", array, FieldMap((8, 8), (1, 1), (0, 0)))
    labels = Labels(np.zeros((0, 16, 16), np.uint16), np.array([1]))
    found = {}
    for skipped in (frozenset(), frozenset({3, 7})):
        concepts = fakes.ArrayConcepts(fakes.make_vocabulary(2), [labels] * 60, (16, 16), unreadable=skipped)
        source = fakes.ArraySource((layer,), {"a": array}, (16, 16))
        folder = tmp_path / str(len(skipped))
        plan = fakes.Plan(60, 4, 16, 8, 0)
        fakes.dissect_arrays(source, concepts, plan=plan, folder=folder, on_error="skip", quantile=0.1)
        store = Store(folder)
        for shard in plan.shards:
            receipt = find_receipt(store, shard, ["a"])
            read = [image for image in shard.images.tolist() if image not in receipt.skipped]
            assert receipt.fingerprints.dtype == np.uint32
            assert receipt.fingerprints.size == receipt.images == len(read)
            for image, fingerprint in zip(read, receipt.fingerprints.tolist(), strict=True):
                assert found.setdefault(image, fingerprint) == fingerprint
    assert len(set(found.values())) == len(found) == 60
