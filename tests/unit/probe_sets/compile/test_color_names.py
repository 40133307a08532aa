"""Color naming: the built-in model, and the published table as a file."""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.io import savemat

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.probe_sets.compile.color_names import (
    AGREEMENT,
    COLOR_NAMES,
    evaluate_color_model,
    load_built_in_colors,
    read_color_table,
)


def names_of(pixels):
    return [COLOR_NAMES[label - 1] for label in load_built_in_colors().label_pixels(np.array([pixels], np.uint8))[0]]


def test_plain_colors_have_their_plain_names():
    pure = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 160, 0), (0, 0, 255), (255, 255, 0)]
    assert names_of(pure) == ["black", "white", "grey", "red", "green", "blue", "yellow"]
    assert names_of([(255, 140, 0), (255, 150, 190), (130, 30, 150), (110, 70, 30)]) == [
        "orange", "pink", "purple", "brown",
    ]  # fmt: skip


def test_a_color_is_named_by_its_value_without_the_last_three_bits():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    labels = load_built_in_colors().label_pixels(pixels)
    assert labels.shape == (5, 7)
    assert (labels == load_built_in_colors().label_pixels(pixels | 7)).all()
    assert (labels == load_built_in_colors().table[tuple((pixels >> 3).reshape(-1, 3).T)].reshape(5, 7)).all()


@pytest.mark.shared
def test_the_built_in_model_agrees_with_the_published_table_as_it_says(shared):
    published = read_color_table(shared / "reference" / "broden" / "w2color.npy").table
    agreement = (load_built_in_colors().table == published).mean()
    print(f"\ncolour names: {100 * agreement:.2f} % of 32,768 cells agree")
    assert agreement >= 0.98
    assert agreement == pytest.approx(AGREEMENT, abs=5e-5)


def test_scores_are_whole_numbers_so_that_every_machine_finds_the_same_names():
    model = {"layers": [{"weights": [[1, 0, 0], [-1, 0, 0]], "biases": [0, 0]}]}
    scores = evaluate_color_model(model)
    assert scores.dtype == np.int64
    assert scores[0].tolist() == [-31, 31]
    assert scores[-1].tolist() == [31, -31]


def test_the_published_table_is_read_in_both_of_its_forms(tmp_path):
    table = np.arange(32**3, dtype=np.uint8).reshape(32, 32, 32) % 11
    np.save(tmp_path / "w2color.npy", table)
    assert (read_color_table(tmp_path / "w2color.npy").table == table + 1).all()
    chances = np.zeros((32768, 11))
    # The .mat lists cells with red running fastest.
    chances[np.arange(32768), table.transpose(2, 1, 0).reshape(-1)] = 1
    savemat(tmp_path / "w2c.mat", {"w2c": chances})
    assert (read_color_table(tmp_path / "w2c.mat").table == table + 1).all()


def test_a_file_that_is_no_color_table_is_one_sentence(tmp_path):
    with pytest.raises(DataNotFoundError, match="there is no color table"):
        read_color_table(tmp_path / "gone.npy")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DataFileError, match=r"expected a .npy table"):
        read_color_table(tmp_path / "cut.npy")
    np.save(tmp_path / "small.npy", np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(DataFileError, match="32 x 32 x 32 whole numbers from 0 to 10"):
        read_color_table(tmp_path / "small.npy")
    complex_numbers = np.zeros((32768, 11), complex)
    for wrong in (np.zeros((5, 11)), np.full((32768, 11), np.nan), complex_numbers, np.full((5, 11), "a", object)):
        savemat(tmp_path / "other.mat", {"w2c": wrong}, do_compression=True)
        with pytest.raises(DataFileError, match="32768 x 11"):
            read_color_table(tmp_path / "other.mat")


def test_names_are_counted_as_the_plane_has_them():
    pixels = np.random.default_rng(1).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    counted = load_built_in_colors().count_pixels(pixels)
    assert counted.tolist() == np.bincount(load_built_in_colors().label_pixels(pixels).ravel(), minlength=12).tolist()
    assert counted[0] == 0


def test_a_table_that_claims_to_be_huge_is_refused_by_its_header(tmp_path):
    path = tmp_path / "w2c.npy"
    for shape in ((10**12,), (1 << 31, 1 << 31), (32, 32, 32), (-1, 32, 32)):
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
            file.write(bytes(100))
        with pytest.raises(DataFileError, match=r"32 x 32 x 32"):
            read_color_table(path)
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataFileError, match="it has 1,099,511,627,776 bytes, and at most 278,528 are read"):
        read_color_table(path)


def test_a_table_that_is_no_regular_file_or_no_array_is_reported(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(DataFileError, match="cannot be read as a color table: expected a regular file, got a named"):
        read_color_table(tmp_path / "pipe.npy")
    np.savez(tmp_path / "several.npz", a=np.zeros(3))
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    with pytest.raises(DataFileError, match=r"expected a \.npy table of 32 x 32 x 32 color names"):
        read_color_table(tmp_path / "several.npy")
    np.save(tmp_path / "objects.npy", np.full((32, 32, 32), None), allow_pickle=True)
    with pytest.raises(
        DataFileError, match="expected a .npy table of 32 x 32 x 32 color names .it is an array of object"
    ):
        read_color_table(tmp_path / "objects.npy")


def test_a_table_in_fortran_order_names_the_same(tmp_path):
    table = np.random.default_rng(0).integers(0, 11, (32, 32, 32), np.int64)
    np.save(tmp_path / "f.npy", np.asfortranarray(table))
    assert (read_color_table(tmp_path / "f.npy").table == table + 1).all()
