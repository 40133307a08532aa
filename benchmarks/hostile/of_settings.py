"""Options that cannot be, and options in other people's spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import attempt, either, gives, refused, says
from benchmarks.hostile.make import masked

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import Expected, Place

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
    (("--artefacts", "/proc/nowhere"), "/proc|artefacts"),
    (("--rotation_seed", "-1"), "seed"),
    (("--rotation_seed", "1", "--rotation_power", "nan"), "power|nan"),
):  # fmt: skip

    @attempt(OPTIONS, " ".join(_words).encode("unicode_escape").decode(), refused(_sentence))
    def _(place: Place, words: tuple[str, ...] = _words) -> object:
        return place.run(*words)


@attempt(OPTIONS, "no network", refused("network"))
def _(_place: Place) -> object:
    return ["run"]


@attempt(OPTIONS, "no layers", refused("layers"))
def _(place: Place) -> object:
    return ["run", place.net, "--data", place.set]


@attempt(OPTIONS, "no probe set", refused("probe set|--data"))
def _(place: Place) -> object:
    return ["run", place.net, "--layers", "conv1"]


@attempt(OPTIONS, "a command that does not exist", refused("dissect"))
def _(_place: Place) -> object:
    return ["dissect"]


@attempt(OPTIONS, "a probe set that is a folder of photos", refused("data from-|from-labels|from-masks"))
def _(place: Place) -> object:
    place.write("photos/a.jpg", b"x")
    return place.run(data=place.folder / "photos")


@attempt(OPTIONS, "a downloadable network before it is downloaded", refused("zoo download"))
def _(place: Place) -> object:
    return place.run(model="zoo/caffe_reference_places205")


@attempt(OPTIONS, "the folder above runs is compared", gives(says("conv1")))
def _(place: Place) -> object:
    import shutil

    (place.folder / "runs").mkdir()
    shutil.copytree(place.base / "run", place.folder / "runs/a")
    shutil.copytree(place.base / "run", place.folder / "runs/b")
    place.out.mkdir()
    return ["compare", place.folder / "runs", "--out", place.out / "c.svg"]


for _name, _words, _expected in (
    ("--size 0", ("--size", "0"), refused("size")),
    ("--size 1000000", ("--size", "1000000"), refused("size")),
    ("--train 2", ("--train", "2"), refused("train")),
    ("--train nan", ("--train", "nan"), refused("train")),
    ("--limit 0", ("--limit", "0"), refused("limit")),
    ("--workers 0", ("--workers", "0"), refused("workers")),
    ("--min-frequency -1", ("--min-frequency", "-1"), refused("frequency")),
    ("--min-coverage nan", ("--min-coverage", "nan"), refused("coverage")),
    ("--name out of the folder", ("--name", "../../x"), gives()),
    ("--preview -1", ("--preview", "-1"), refused("preview")),
    ("--rename nowhere", ("--rename", "nowhere.csv"), refused("nowhere")),
):

    @attempt("importers' options", _name, _expected)
    def _(place: Place, words: tuple[str, ...] = _words) -> object:
        return masked(place, "c.txt", "1: herring\n2: gull\n", *words)


SPELLINGS = "the released code's spellings"


def _spelled(name: str, *words: str, expected: Expected | None = None) -> None:
    @attempt(SPELLINGS, name, expected or gives(says("conv1")))
    def _(place: Place) -> object:
        return place.run(*words)


_spelled("--mean in quotes", "--mean", "109 118 124")
_spelled("--probebatch", "--probebatch", "4")
_spelled("--tallydepth", "--tallydepth", "16")
_spelled("--force", "--force", "probe", expected=either("force", says("force")))
_spelled("--gpu none", "--gpu", "none")


@attempt(SPELLINGS, "--network --proto --weights", gives(says("conv1")))
def _(place: Place) -> object:
    words = ["run", "--proto", f"{place.net}.prototxt", "--weights", f"{place.net}.caffemodel", "--layers", "conv1"]
    return [*words, "--dataset", place.set, "--out", place.out, "--no-pictures"]


@attempt(SPELLINGS, "--workdir W writes W/MODEL", gives())
def _(place: Place) -> object:
    words = ["run", place.net, "--layers", "conv1", "--data", place.set, "--no-pictures", "--workdir", place.out]

    def call() -> str | None:
        from netdissect.cli import main

        try:
            main([str(word) for word in words])
        except SystemExit as left:
            if left.code:
                raise RuntimeError(f"left with {left.code}") from left
        return None if (place.out / "small/run.json").exists() else "W/MODEL/run.json is not there"

    return call
