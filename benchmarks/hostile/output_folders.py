"""Output folders that belong to someone else or already hold a run."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import add_attempt, check_printed, expect_either, expect_error, expect_success
from benchmarks.hostile.sample_files import IMPORT_OPTIONS, prepare_from_masks, write_photo

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import AttemptFolder

KIND = "folders"


def _run_into(folder: AttemptFolder, out: object, *more: object) -> list[object]:
    return [
        "run",
        folder.network,
        "--layers",
        "conv1",
        "--data",
        folder.probe_set,
        "--out",
        out,
        "--no-pictures",
        *more,
    ]


@add_attempt(KIND, "--out is somebody's folder", expect_error("theirs"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.write_foreign_files())


@add_attempt(KIND, "--out is somebody's folder, and --fresh", expect_error("theirs"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.write_foreign_files(), "--fresh")


for _name in ("run.json", "letter.txt", ".thesis.part", "html/data/mine.js", ".work/notes", "deep/.draft.part"):

    @add_attempt(KIND, f"--out holds only somebody's {_name}", expect_error("theirs"))
    def _(folder: AttemptFolder, name: str = _name) -> object:
        folder.write(f"theirs/{name}", "mine")
        return _run_into(folder, folder.path / "theirs")


@add_attempt(KIND, "--out is empty", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    folder.out.mkdir()
    return _run_into(folder, folder.out)


@add_attempt(KIND, "--out is a file", expect_error("letter|folder"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.write("letter", "mine"))


@add_attempt(KIND, "--out is below a file", expect_error("letter|folder|file"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.write("letter", "mine") / "out")


@add_attempt(KIND, "--out is a device", expect_error("null|device|folder"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, "/dev/null")


@add_attempt(KIND, "--out is the root", expect_error("/"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, "/")


@add_attempt(KIND, "--out is the probe set", expect_error("set"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.probe_set)


@add_attempt(KIND, "--out is the network's folder", expect_error("net"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.network.parent)


@add_attempt(KIND, "--out is a link to somebody's folder", expect_error("link|theirs"))
def _(folder: AttemptFolder) -> object:
    (folder.path / "link").symlink_to(folder.write_foreign_files())
    return _run_into(folder, folder.path / "link")


@add_attempt(KIND, "--out has a name of 300 letters", expect_error("long|name"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.out / ("x" * 300))


@add_attempt(KIND, "--out has a NUL in its name", expect_error("name|NUL|null|character"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, f"{folder.out}\0x")


@add_attempt(KIND, "--out is empty text", expect_error("out|folder|name"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, "")


for _link in (".lock", "html", ".work", "run.json"):

    @add_attempt(KIND, f"{_link} in --out is a link to somebody's file", expect_error("link|out"))
    def _(folder: AttemptFolder, link: str = _link) -> object:
        folder.write_foreign_files()
        folder.out.mkdir()
        target = folder.path / "theirs" / ("letter.txt" if link in (".lock", "run.json") else "html")
        (folder.out / link).symlink_to(target)
        return _run_into(folder, folder.out)


@add_attempt(KIND, "--out holds another network's run", expect_error("fresh|another|run"))
def _(folder: AttemptFolder) -> object:
    return [
        "run",
        folder.network,
        "--layers",
        "conv2",
        "--data",
        folder.probe_set,
        "--out",
        folder.finished_run,
        "--no-pictures",
    ]


@add_attempt(KIND, "--out holds a run with other settings", expect_error("fresh|another|run"))
def _(folder: AttemptFolder) -> object:
    return _run_into(folder, folder.finished_run, "--quantile", "0.1")


@add_attempt(KIND, "--out holds the same run, finished", expect_success(check_printed("finished|already")))
def _(folder: AttemptFolder) -> object:
    shutil.copytree(folder.base / "run", folder.out)
    words = ["run", folder.network, "--layers", "conv1", "conv2", "--data", folder.base / "set", "--out", folder.out]
    return [*words, "--images-per-unit", "2"]


@add_attempt(KIND, "--fresh replaces another network's run", expect_success(check_printed("conv2")))
def _(folder: AttemptFolder) -> object:
    shutil.copytree(folder.base / "run", folder.out)
    words = [
        "run",
        folder.network,
        "--layers",
        "conv2",
        "--data",
        folder.probe_set,
        "--out",
        folder.out,
        "--no-pictures",
    ]

    def call() -> str | None:
        from netdissect.cli.app import _run

        if _run([str(word) for word in [*words, "--fresh"]], debug=True):
            return "it failed"
        left = sorted(path.name for path in folder.out.glob("conv1*"))
        return f"{left} of the earlier run was left" if left else print("conv2")

    return call


@add_attempt(KIND, "a run inside another run folder does not change it", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    shutil.copytree(folder.base / "run", folder.out)
    (folder.out / ".conv9.csv.abc.part").write_bytes(b"under way")
    words = _run_into(folder, folder.out / "inner")

    def call() -> str | None:
        from netdissect.cli.app import _run

        code = _run([str(word) for word in words], debug=False)
        if code:
            import os

            os._exit(code)
        return None if (folder.out / ".conv9.csv.abc.part").exists() else "the outer run's file was removed"

    return call


for _name in ("index.csv", "letter.txt", "images/a.jpg", ".draft.part"):

    @add_attempt(KIND, f"an importer's --out holds somebody's {_name}", expect_error("theirs"))
    def _(folder: AttemptFolder, name: str = _name) -> object:
        words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
        folder.write(f"theirs/{name}", "mine")
        words[words.index("--out") + 1] = folder.path / "theirs"
        return words


@add_attempt(KIND, "an importer's --out is the photos' folder", expect_error("photos"))
def _(folder: AttemptFolder) -> object:
    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    words[words.index("--out") + 1] = folder.path / "photos"
    return words


@add_attempt(
    KIND, "folders of photos with a link to their parent", expect_either("circle|link|loop|image", check_printed("."))
)
def _(folder: AttemptFolder) -> object:
    write_photo(folder.path / "photos/cat/a.png")
    write_photo(folder.path / "photos/dog/a.png")
    (folder.path / "photos/cat/again").symlink_to(folder.path / "photos")
    return ["data", "from-labels", folder.path / "photos", "--out", folder.out, *IMPORT_OPTIONS]


@add_attempt(KIND, "a figure's name is somebody's folder", expect_error("theirs|folder"))
def _(folder: AttemptFolder) -> object:
    (folder.write_foreign_files() / "c.svg").mkdir()
    return ["compare", folder.base / "run", "--out", folder.path / "theirs/c.svg"]


@add_attempt(KIND, "a figure's folder is a file", expect_error("letter|file|folder"))
def _(folder: AttemptFolder) -> object:
    return ["compare", folder.base / "run", "--out", folder.write("letter", "mine") / "c.svg"]
