"""The commands ``netdissect data`` and ``netdissect zoo``."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from tests import small_probe_set
from tests.unit.probe_sets import originals
from tests.unit.probe_sets.download.server import Server

from netdissect.cli import main
from netdissect.demo import world
from netdissect.probe_sets.broden.reader import Broden

SIZE = (24, 32)


def run(capsys, *words):
    with pytest.raises(SystemExit) as leave:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return leave.value.code, captured.out, captured.err


def said(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    "words",
    [
        ["data", "--help"], ["data", "build", "--help"], ["data", "from-masks", "--help"], ["data", "from-words", "--help"], ["data", "prepare", "--help"],
        ["data", "download", "--help"], ["zoo", "--help"], ["data", "list"], ["zoo", "list"], ["data", "synonyms"],
    ],
)  # fmt: skip
def test_help_and_lists_answer_without_heavy_libraries(words):
    script = (
        "import sys\n"
        "from netdissect.cli import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as leave: assert not leave.code, leave.code\n"
        "heavy = {'torch', 'numba', 'matplotlib', 'pyarrow', 'scipy', 'transformers', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_build_then_build_again_then_check(capsys, tmp_path):
    sources = originals.write_all_sources(tmp_path / "sources")
    words = [
        "data", "build", "--sources", sources, "--out", tmp_path / "out", "--size", "32", "--min-frequency", "1",
        "--min-coverage", "0", "--workers", "2",
    ]  # fmt: skip
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "12 images" in out
    assert f"netdissect data check {tmp_path / 'out'}" in said(out)
    code, out, _ = run(capsys, *words)
    assert (code, "this probe set is already complete there" in said(out)) == (0, True)
    code, out, _ = run(capsys, "data", "check", tmp_path / "out", "--workers", "1")
    assert code == 0
    assert "12 images" in out
    assert "No problem was found." in out
    assert "fabric" in out


def test_build_takes_some_sources_a_limit_and_a_table_of_ones_own(capsys, tmp_path):
    sources = originals.write_all_sources(tmp_path / "sources")
    np.save(tmp_path / "colors.npy", np.full((32, 32, 32), 8, np.uint8))
    (tmp_path / "mine.txt").write_text("stripy <- striped\n")
    code, out, _ = run(
        capsys, "data", "build", "--sources", sources, "--only", "dtd", "pascal", "--limit", "2", "--size", "32",
        "--color-table", tmp_path / "colors.npy", "--synonyms", tmp_path / "mine.txt", "--min-frequency", "1",
        "--min-coverage", "0", "--workers", "1", "--out", tmp_path / "out",
    )  # fmt: skip
    assert (code, "4 images" in out) == (0, True)
    names = Broden(tmp_path / "out").vocabulary.names
    assert [name for name in names if name.endswith("-c")] == ["red-c"]
    assert "stripy" in names


def test_what_is_wrong_is_one_sentence_and_code_2(capsys, tmp_path):
    code, _, err = run(capsys, "data", "build", "--sources", tmp_path)
    assert (code, "none of Broden's sources" in said(err)) == (2, True)
    code, _, err = run(capsys, "data", "check", "broden1_999")
    assert (code, "did you mean broden1_" in said(err)) == (2, True)
    code, _, err = run(capsys, "data", "download", "brodem")
    assert (code, "nothing called 'brodem' can be downloaded: did you mean" in said(err)) == (2, True)
    code, _, err = run(capsys, "zoo", "download", "dtd")
    assert (code, "netdissect data download dtd" in said(err)) == (2, True)
    assert "Traceback" not in err


def test_a_check_that_finds_problems_lists_them_and_leaves_with_2(capsys, tmp_path):
    sources = originals.write_all_sources(tmp_path / "sources")
    run(capsys, "data", "build", "--sources", sources, "--out", tmp_path / "out", "--size", "32", "--min-frequency", "1",
        "--min-coverage", "0", "--workers", "1")  # fmt: skip
    (tmp_path / "out" / "images" / "dtd" / "banded_1.jpg").unlink()
    code, out, err = run(capsys, "data", "check", tmp_path / "out", "--workers", "1")
    assert code == 2
    assert "banded_1.jpg, named in index.csv, does not exist" in said(out)
    assert "1 problem found" in said(err)


def test_a_download_is_typed_and_then_found_by_its_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETDISSECT_DATA", raising=False)
    sources = originals.write_all_sources(tmp_path / "sources")
    run(capsys, "data", "build", "--sources", sources, "--out", "made", "--size", "32", "--min-frequency", "1",
        "--min-coverage", "0", "--workers", "1")  # fmt: skip
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path in sorted((tmp_path / "made").rglob("*")):
            archive.write(path, f"mini/{path.relative_to(tmp_path / 'made')}")
    with Server() as server:
        url = server.serve("mini.zip", body.getvalue(), cut=[5000])
        weights = server.serve("net.bin", b"weights")
        (tmp_path / "own.toml").write_text(
            f'[mini]\nkind = "probe set"\nabout = "a set"\nlicence = "free"\ncitation = "me"\nfolder = "mini"\n'
            f'marker = "index.csv"\nfiles = [{{ name = "mini.zip", mirrors = ["{url}"] }}]\n'
            f'[net]\nkind = "network"\nabout = "a net"\nlicence = "free"\ncitation = "me"\n'
            f'files = [{{ name = "net.bin", mirrors = ["{weights}"] }}]\n'
        )
        code, out, _ = run(capsys, "data", "download", "mini", "--registry", "own.toml")
        assert code == 0
        assert hashlib.sha256(body.getvalue()).hexdigest() in said(out).replace(" ", "")
        assert "License: free. Cite: me." in said(out)
        code, out, _ = run(capsys, "zoo", "download", "net", "--registry", "own.toml")
        assert (code, (tmp_path / "zoo" / "net.bin").read_bytes()) == (0, b"weights")
    code, out, _ = run(capsys, "data", "list", "--registry", "own.toml")
    assert code == 0
    assert re.search(r"^  mini +here  a set; license: free$", out, re.MULTILINE)
    code, out, _ = run(capsys, "data", "check", "mini", "--workers", "1")
    assert (code, "No problem was found." in out) == (0, True)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lists_fit_the_terminal_and_never_break_a_name(capsys, monkeypatch, width):
    from rich.console import Console

    from netdissect.cli import console, downloads
    from netdissect.probe_sets.download.registry import load_registry

    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=width, highlight=False, soft_wrap=True, no_color=True)
    for module in (console, downloads):
        monkeypatch.setattr(module, "stdout", terminal)
    for room in ("data", "zoo"):
        assert run(capsys, room, "list")[0] == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).splitlines()
    names = {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}
    assert names == set(load_registry())
    if width > 40:
        assert max(len(line) for line in lines if line.startswith("  ")) <= width


def test_interrupting_a_download_leaves_with_130_and_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    from netdissect.probe_sets.download import fetch as fetching

    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "transfer_file", pressed)
    code, _, err = run(capsys, "data", "download", "dtd", "--into", tmp_path)
    assert code == 130
    assert "run the same command again to continue" in said(err)


def test_the_synonym_table_is_printed_to_start_ones_own(capsys, tmp_path):
    code, out, _ = run(capsys, "data", "synonyms")
    assert code == 0
    from netdissect.probe_sets.compile.synonyms import load_synonyms, parse_synonyms

    assert parse_synonyms(out, "out").fingerprint() == load_synonyms("broden1").fingerprint()


def test_the_synthetic_set_is_drawn_at_any_size_and_count(capsys, tmp_path):
    words = ["data", "synthetic", "--images", "3", "--size", "64", "--out", tmp_path / "out", "--workers", "1"]
    code, out, _ = run(capsys, *words)
    assert (code, "3 images of 64 x 64 pixels" in out) == (0, True)
    assert Broden(tmp_path / "out").image_size == (64, 64)
    code, out, _ = run(capsys, *words)
    assert (code, "holds these 3 images of 64 x 64 pixels already" in said(out)) == (0, True)
    code, _, err = run(capsys, *words, "--seed", "1")
    assert (code, "holds a probe set already" in said(err)) == (2, True)
    (tmp_path / "out/index.csv").unlink()
    assert not world.has_probe_set(tmp_path / "out", images=3, size=64, seed=0)


# ── Own sets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def photos(tmp_path):
    for number in range(3):
        originals.write_image(tmp_path / "photos" / f"{number}.jpg", SIZE, seed=number)
        mask = Image.fromarray(originals.make_halves(SIZE, 1, 2).astype(np.uint8))
        (tmp_path / "masks").mkdir(exist_ok=True)
        mask.save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    return tmp_path / "photos"


def made(capsys, tmp_path, *words):
    code, out, err = run(capsys, "data", *words, "--out", tmp_path / "out", "--size", "32", "--workers", "1")
    assert code == 0, err
    assert "preview.html shows a few labeled images" in said(out)
    assert (tmp_path / "out" / "preview.html").is_file()
    return Broden(tmp_path / "out")


def test_from_masks_with_every_option(capsys, photos, tmp_path):
    (tmp_path / "rename.csv").write_text("name,as,category\ncat,lynx,\n")
    source = made(
        capsys, tmp_path, "from-masks", photos, tmp_path / "masks", "--classes", tmp_path / "classes.txt", "--no-colors",
        "--rename", tmp_path / "rename.csv", "--category", "part", "--name", "mine", "--train", "1", "--limit", "2",
        "--preview", "1", "--min-frequency", "1", "--quiet",
    )  # fmt: skip
    assert source.vocabulary.names == ("dog", "lynx")
    assert source.vocabulary.categories == ("part",)
    assert {row.split for row in source.rows} == {"train"}


def test_from_voc_from_labels_from_ade_and_from_coco(capsys, photos, tmp_path):
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "JPEGImages").symlink_to(photos)
    (tmp_path / "voc" / "SegmentationClass").symlink_to(tmp_path / "masks")
    assert "airplane" in made(capsys, tmp_path, "from-voc", tmp_path / "voc").vocabulary.names
    (tmp_path / "folders").mkdir()
    (tmp_path / "folders" / "attic").symlink_to(photos)
    for photo in photos.iterdir():
        target = tmp_path / "classes" / "attic" / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(photo.read_bytes())
    assert "attic-s" in made(capsys, tmp_path, "from-labels", tmp_path / "classes").vocabulary.names
    assert "door" in made(capsys, tmp_path, "from-ade", originals.write_ade20k(tmp_path)).vocabulary.names
    told = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 24, "width": 32}],
        "categories": [{"id": 3, "name": "wheel"}],
        "annotations": [{"image_id": 1, "category_id": 3, "area": 9, "segmentation": [[0, 0, 31, 0, 31, 23]]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(told))
    assert "wheel" in made(capsys, tmp_path, "from-coco", tmp_path / "coco.json", photos).vocabulary.names


def test_from_hf(capsys, photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    rows = {
        "image": [str(path) for path in sorted(photos.iterdir())],
        "mask": [str(path) for path in sorted((tmp_path / "masks").iterdir())],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "saved"))
    source = made(capsys, tmp_path, "from-hf", tmp_path / "saved", "--classes", tmp_path / "classes.txt")
    assert {"cat", "dog"} <= set(source.vocabulary.names)


def test_from_segmenter_with_a_module_of_ones_own(capsys, photos, tmp_path, monkeypatch):
    (tmp_path / "mymodel.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x[:, :2]\n"
    )
    monkeypatch.chdir(tmp_path)  # a module of the current folder is found, however the command is started
    source = made(
        capsys, tmp_path, "from-segmenter", "python:mymodel:Net", photos, "--classes", tmp_path / "classes.txt",
        "--threshold", "0.1",
    )  # fmt: skip
    assert set(source.vocabulary.names) & {"cat", "dog"}
    readme = said((tmp_path / "out" / "README.txt").read_text())
    assert "python:mymodel:Net; pixels below a probability of 0.1 get no label" in readme


def test_from_words_asks_for_the_words_with_commas_between_them(capsys, photos, tmp_path, monkeypatch):
    from netdissect.networks.labelers import open_vocabulary as of_words

    asked = {}

    class Pretend:
        about = "a pretended network"

        def __init__(self, words):
            self.classes = words

        def fingerprint(self):
            return "pretended"

        def __call__(self, picture):
            return np.ones(picture.shape[:2], np.uint16)

    def words(concepts, **options):
        asked.update(options, concepts=concepts)
        return Pretend(concepts)

    monkeypatch.setattr(of_words, "load_open_vocabulary", words)
    source = made(
        capsys, tmp_path, "from-words", photos, "--concepts", "wheel, watermark, zebra stripes", "--threshold", "0.3"
    )
    assert asked["concepts"] == ["wheel", "watermark", "zebra stripes"]
    assert (asked["threshold"], asked["model"]) == (0.3, "hf:CIDAS/clipseg-rd64-refined")
    assert "wheel" in source.vocabulary.names


def test_prepare_check_and_run_by_name_then_back_to_a_folder(capsys, tmp_path, monkeypatch):
    small_probe_set.write_probe_set(tmp_path / "dataset" / "mine", images=20)
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "data", "prepare", "mine", "--quiet", "--workers", "2")
    assert code == 0
    assert re.search(r"mine\.arrow: 20 images, 0\.\d MB", said(out))
    assert "this file is already complete and current" in said(run(capsys, "data", "prepare", "mine")[1])
    (tmp_path / "dataset" / "mine").rename(tmp_path / "moved")
    code, out, _ = run(capsys, "data", "check", "mine", "--quiet", "--workers", "1")
    assert code == 0
    assert "mine.arrow: 20 images, 6 concepts No problem was found." in said(out)
    code, out, _ = run(capsys, "data", "from-hf", "dataset/mine.arrow", "--out", "back", "--quiet")
    assert code == 0
    assert "back: 20 images, 6 concepts in object, part, color, scene, texture" in said(out)
    assert Broden("back").fingerprint == Broden("moved").fingerprint


def test_a_damaged_prepared_file_is_one_sentence_and_code_2(capsys, tmp_path):
    small_probe_set.write_probe_set(tmp_path / "mine", images=20)
    run(capsys, "data", "prepare", tmp_path / "mine", "--quiet")
    file = tmp_path / "mine.arrow"
    data = bytearray(file.read_bytes())
    data[data.find((tmp_path / "mine/images/a/image 1.jpg").read_bytes()) + 300] ^= 1
    file.write_bytes(data)
    code, out, err = run(capsys, "data", "check", file, "--quiet")
    assert code == 2
    assert "the checksum of the image of row 1 is wrong" in said(out)
    assert "1 problem found" in said(err)
    file.write_bytes(data[:-50])
    code, _, err = run(capsys, "data", "check", file, "--quiet")
    assert code == 2
    assert "cannot be read as a prepared probe set" in said(err)
    code, _, err = run(capsys, "data", "prepare", tmp_path / "mine", "--images", "huge")
    assert code == 2
    assert "images must be original or a side in pixels, such as 224, not 'huge'" in said(err)
