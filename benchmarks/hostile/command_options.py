"""Impossible values of options, and the released code's names of options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import add_attempt, check_printed, expect_either, expect_error, expect_success
from benchmarks.hostile.sample_files import prepare_from_masks

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import AttemptFolder, Expected

OPTIONS = "options"

for _words, _sentence in (
    (("--seed", "-1"), "seed"),
    (("--seed", "99999999999999999999999"), "seed"),
    (("--threads", "0"), "threads"),
    (("--threads", "-3"), "threads"),
    (("--threads", "1000000"), "threads"),
    (("--workers", "0"), "workers"),
    (("--workers", "1000000"), "workers"),
    (("--resolution", "0"), "resolution"),
    (("--resolution", "-7"), "resolution"),
    (("--resolution", "1000000"), "resolution|memory"),
    (("--batch-size", "0"), "batch"),
    (("--batch-size", "-1"), "batch"),
    (("--quantile", "0"), "quantile"),
    (("--quantile", "nan"), "quantile"),
    (("--quantile", "1e400"), "quantile"),
    (("--quantile", "0,005"), "quantile"),
    (("--threshold", "nan"), "threshold"),
    (("--threshold", "-1"), "threshold"),
    (("--threshold", "2"), "threshold"),
    (("--limit", "0"), "limit"),
    (("--limit", "-5"), "limit"),
    (("--split", "nowhere"), "split"),
    (("--images-per-unit", "1000000000000"), "images-per-unit|images_per_unit|memory"),
    (("--shard-size", "0"), "shard"),
    (("--device", "mps"), "mps"),
    (("--device", "cuda:99"), "cuda"),
    (("--device", "toaster"), "toaster"),
    (("--colordepth", "2"), "colordepth"),
    (("--memory", "much"), "memory"),
    (("--memory", "-4GB"), "memory"),
    (("--mean", "1", "2"), "mean"),
    (("--mean", "a b c"), "mean"),
    (("--mean", "nan", "1", "2"), "mean"),
    (("--std", "0", "1", "1"), "std"),
    (("--std", "nan", "1", "1"), "std"),
    (("--scale", "nan"), "scale"),
    (("--scale", "0"), "scale"),
    (("--precision", "bf17"), "precision"),
    (("--runtime", "slurm"), "runtime"),
    (("--color", "red"), "color"),
    (("--layers", "nowhere"), "nowhere"),
    (("--layers", "conv1\x1b[2J"), "conv1"),
    (("--projection", "nowhere.pt"), "nowhere"),
    (("--artifacts", "/proc/nowhere"), "/proc|artifacts"),
    (("--rotation_seed", "-1"), "seed"),
    (("--rotation_seed", "1", "--rotation_power", "nan"), "power|nan"),
):  # fmt: skip

    @add_attempt(OPTIONS, " ".join(_words).encode("unicode_escape").decode(), expect_error(_sentence))
    def _(folder: AttemptFolder, words: tuple[str, ...] = _words) -> object:
        return folder.make_run_command(*words)


@add_attempt(OPTIONS, "no network", expect_error("network"))
def _(_folder: AttemptFolder) -> object:
    return ["run"]


@add_attempt(OPTIONS, "no layers", expect_error("layers"))
def _(folder: AttemptFolder) -> object:
    return ["run", folder.network, "--data", folder.probe_set]


@add_attempt(OPTIONS, "no probe set", expect_error("probe set|--data"))
def _(folder: AttemptFolder) -> object:
    return ["run", folder.network, "--layers", "conv1"]


@add_attempt(OPTIONS, "a command that does not exist", expect_error("dissect"))
def _(_folder: AttemptFolder) -> object:
    return ["dissect"]


@add_attempt(OPTIONS, "a probe set that is a folder of photos", expect_error("data from-|from-labels|from-masks"))
def _(folder: AttemptFolder) -> object:
    folder.write("photos/a.jpg", b"x")
    return folder.make_run_command(data=folder.path / "photos")


@add_attempt(OPTIONS, "a downloadable network that is not downloaded", expect_error("zoo download"))
def _(folder: AttemptFolder) -> object:
    return folder.make_run_command(model="zoo/caffe_reference_places205")


@add_attempt(OPTIONS, "the folder above runs is compared", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    import shutil

    (folder.path / "runs").mkdir()
    shutil.copytree(folder.base / "run", folder.path / "runs/a")
    shutil.copytree(folder.base / "run", folder.path / "runs/b")
    folder.out.mkdir()
    return ["compare", folder.path / "runs", "--out", folder.out / "c.svg"]


for _name, _words, _expected in (
    ("--size 0", ("--size", "0"), expect_error("size")),
    ("--size 1000000", ("--size", "1000000"), expect_error("size")),
    ("--train 2", ("--train", "2"), expect_error("train")),
    ("--train nan", ("--train", "nan"), expect_error("train")),
    ("--limit 0", ("--limit", "0"), expect_error("limit")),
    ("--workers 0", ("--workers", "0"), expect_error("workers")),
    ("--min-frequency -1", ("--min-frequency", "-1"), expect_error("frequency")),
    ("--min-coverage nan", ("--min-coverage", "nan"), expect_error("coverage")),
    ("--name with a path out of the folder", ("--name", "../../x"), expect_success()),
    ("--preview -1", ("--preview", "-1"), expect_error("preview")),
    ("--rename nowhere", ("--rename", "nowhere.csv"), expect_error("nowhere")),
):

    @add_attempt("importers' options", _name, _expected)
    def _(folder: AttemptFolder, words: tuple[str, ...] = _words) -> object:
        return prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n", *words)


SPELLINGS = "the released code's spellings"


def _add_spelling(name: str, *words: str, expected: Expected | None = None) -> None:
    @add_attempt(SPELLINGS, name, expected or expect_success(check_printed("conv1")))
    def _(folder: AttemptFolder) -> object:
        return folder.make_run_command(*words)


_add_spelling("--mean in quotes", "--mean", "109 118 124")
_add_spelling("--probebatch", "--probebatch", "4")
_add_spelling("--tallydepth", "--tallydepth", "16")
_add_spelling("--force", "--force", "probe", expected=expect_either("force", check_printed("force")))
_add_spelling("--gpu none", "--gpu", "none")


@add_attempt(SPELLINGS, "--network --proto --weights", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    words = [
        "run",
        "--proto",
        f"{folder.network}.prototxt",
        "--weights",
        f"{folder.network}.caffemodel",
        "--layers",
        "conv1",
    ]
    return [*words, "--dataset", folder.probe_set, "--out", folder.out, "--no-pictures"]


@add_attempt(SPELLINGS, "--workdir W writes W/MODEL", expect_success())
def _(folder: AttemptFolder) -> object:
    words = [
        "run",
        folder.network,
        "--layers",
        "conv1",
        "--data",
        folder.probe_set,
        "--no-pictures",
        "--workdir",
        folder.out,
    ]

    def call() -> str | None:
        from netdissect.cli import main

        try:
            main([str(word) for word in words])
        except SystemExit as left:
            if left.code:
                raise RuntimeError(f"left with {left.code}") from left
        return None if (folder.out / "small/run.json").exists() else "W/MODEL/run.json is not there"

    return call
