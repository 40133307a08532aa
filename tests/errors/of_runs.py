"""Mistakes in options, with run folders, and with what a machine lacks."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import types
from collections import OrderedDict
from dataclasses import replace

from tests import nets
from tests.errors.desk import cut, flip, mistake
from tests.exports import write_onnx
from torch import nn

import netdissect as nd
from netdissect.callbacks import Dissect
from netdissect.io import atomic


@mistake("an option out of its range")
def _(desk):
    return desk.run("--quantile", "5")


@mistake("a key in a config file that is no option")
def _(desk):
    (desk.folder / "run.toml").write_text("workerz = 2")
    return desk.run("--config", desk.folder / "run.toml")


@mistake("a config file that is not TOML")
def _(desk):
    (desk.folder / "run.toml").write_text("threshold: 0.1")
    return desk.run("--config", desk.folder / "run.toml")


@mistake("`--save-config` over another file")
def _(desk):
    (desk.folder / "run.toml").write_text("")
    return desk.run("--save-config", desk.folder / "run.toml")


@mistake("`--log` without a file")
def _(desk):
    return desk.run("--log")


@mistake("`--log` with a file that is no log")
def _(desk):
    (desk.folder / "table.csv").write_text("unit,label\n")
    return desk.run("--log", desk.folder / "table.csv")


@mistake("`netdissect init` without a terminal")
def _(desk):
    return ["init", "--file", desk.folder / "run.toml"]


@mistake("photos, and nothing that says what is in them")
def _(desk):
    return ["dissect", desk.folder, desk.net, "--layers", "conv1"]


@mistake("a pattern of several paths where one is expected")
def _(desk):
    for name in ("set_1", "set_2"):
        (desk.folder / name).mkdir()
    return desk.run(data=desk.folder / "set_*")


@mistake("a number larger than any machine can use")
def _(desk):
    return desk.run("--threads", "1000000")


@mistake("a number below the least allowed")
def _(desk):
    return desk.run("--seed", "-1")


@mistake("fewer shifts than measure chance")
def _(desk):
    return desk.run("--null", "5")


@mistake("fewer resamples than intervals take")
def _(desk):
    return desk.run("--resamples", "10")


@mistake("`--null-exact` with few shifts")
def _(desk):
    return desk.run("--null-exact")


@mistake("NaN instead of a number")
def _(desk):
    return desk.run("--mean", "1 2 3", "--scale", "nan")


@mistake("a choice that does not exist")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(desk.net, "conv1", desk.data, geometry="round")


@mistake("a kind of device that does not exist")
def _(desk):
    return desk.run("--device", "mps")


@mistake("the number of a GPU that the machine does not have")
def _(desk):
    import torch

    desk.patch.setattr(torch.cuda, "is_available", lambda: True)
    desk.patch.setattr(torch.cuda, "device_count", lambda: 2)
    return desk.run("--device", "cuda:99")


@mistake("`--out` and `--workdir`")
def _(desk):
    return desk.run("--workdir", desk.folder)


@mistake("`--endafter` and no phase")
def _(desk):
    return desk.run("--endafter", "lunch")


@mistake("a path with bytes that are not UTF-8")
def _(desk):
    return desk.run(data=os.fsdecode(os.fsencode(desk.folder / "caf") + b"\xe9"))


@mistake("`progress=` of a wrong type, in Python")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(str(desk.net), "conv1", desk.data, progress="bar")


@mistake("a layer given as a module of another network")
def _(desk):
    from tests import nets
    from torch import nn

    import netdissect as nd

    return lambda: nd.dissect(nets.make_small_net(), nn.ReLU(), desk.data)


@mistake("`layers=` of a wrong type, in Python")
def _(desk):
    from tests import nets

    import netdissect as nd

    return lambda: nd.dissect(nets.make_small_net(), [3], desk.data)


@mistake("`preprocess=` given a function that returns no tensor")
def _(desk):
    from tests import nets

    import netdissect as nd

    def transform(image):
        return image

    return lambda: nd.dissect(nets.make_small_net(), "conv1", desk.data, preprocess=transform)


@mistake("an unknown setting, in Python")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(str(desk.net), "conv1", desk.data, quantil=0.1)


@mistake("a network that ends the program")
def _(desk):
    from tests import nets

    import netdissect as nd

    return lambda: nd.dissect(nets.ExitingNet(), "conv1", desk.data, batch_size=4)


@mistake("a network that ends the program in a worker")
def _(desk):
    from tests import nets

    import netdissect as nd

    return lambda: nd.dissect(nets.ExitingNet(), "conv1", desk.data, batch_size=4, workers=2)


@mistake("a probe set that cannot be sent to workers")
def _(desk):
    from tests import nets

    import netdissect as nd

    own = nd.Broden(desk.data)
    own.note = lambda: None
    return lambda: nd.dissect(nets.make_small_net(), "conv1", own, workers=2)


@mistake("an option that does not exist")
def _(desk):
    return desk.run("--colour", "3")


@mistake("no network, layer or probe set named")
def _(desk):
    return ["run", desk.net]


@mistake("two layers whose tables would have one name")
def _(desk):
    from collections import OrderedDict

    from torch import nn

    import netdissect as nd

    network = nn.Sequential(OrderedDict({"part/a": nn.Conv2d(3, 4, 3), "part:a": nn.Conv2d(4, 4, 3)}))
    return lambda: nd.dissect(network, ["part/a", "part:a"], desk.data)


@mistake("`--device cuda` without a GPU")
def _(desk):
    import torch

    desk.patch.setattr(torch.cuda, "is_available", lambda: False)
    return desk.run("--device", "cuda")


@mistake("the folder is a file")
def _(desk):
    desk.out.write_text("mine")
    return desk.run()


@mistake("the folder holds something that is not a run")
def _(desk):
    desk.out.mkdir()
    (desk.out / "thesis.txt").write_text("mine")
    return desk.run()


@mistake("the folder holds another run")
def _(desk):
    return ["run", desk.net, "--layers", "conv1", "--data", desk.data, "--out", desk.finished]


@mistake("the folder holds this run with another `--threshold`")
def _(desk):
    words = ["run", desk.net, "--layers", "conv1", "conv2", "--data", desk.data, "--out", desk.finished]
    return [*words, "--images-per-unit", "2", "--threshold", "0.1"]


@mistake("another run was interrupted in the folder")
def _(desk):
    from netdissect.results import run_folder

    with run_folder.lock_run_folder(desk.out) as written:
        written.start("0123456789abcdef", {})
        shard = desk.out / run_folder.WORK / "0123456789abcdef" / "scan-00001-conv1.arrays"
        shard.parent.mkdir(parents=True)
        shard.write_bytes(b"")
    return desk.run()


@mistake("a link is inside a run's folder")
def _(desk):
    shutil.move(desk.finished / "html/data", desk.folder / "elsewhere")
    (desk.finished / "html/data").symlink_to(desk.folder / "elsewhere")
    return ["report", desk.finished]


@mistake("another run is writing into the folder")
def _(desk):
    script = (
        "import sys, time; from pathlib import Path; from netdissect.results import run_folder\n"
        "with run_folder.lock_run_folder(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(desk.out)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"

    def end():
        holder.kill()
        holder.wait()
        holder.stdout.close()

    desk.afterwards = end
    return desk.run()


def failing(desk, number):
    """Let the disk say no to every write after the first few."""
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > 3:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    desk.patch.setattr(atomic.os, "fsync", fsync)
    return desk.run()


@mistake("the disk is full")
def _(desk):
    return failing(desk, errno.ENOSPC)


@mistake("the disk quota is used up")
def _(desk):
    return failing(desk, errno.EDQUOT)


@mistake("the disk is failing")
def _(desk):
    return failing(desk, errno.EIO)


@mistake("the folder is read-only")
def _(desk):
    real = os.mkdir

    def mkdir(path, *more, **words):
        if str(path).startswith(str(desk.out)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, *more, **words)

    desk.patch.setattr(os, "mkdir", mkdir)
    return desk.run()


@mistake("no folder for temporary files")
def _(desk):
    words = desk.run()

    def nowhere(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    desk.patch.setattr(os, "mkdir", nowhere)
    return words


@mistake("no permission to write")
def _(desk):
    real = os.mkdir

    def mkdir(path, *more, **words):
        if str(path).startswith(str(desk.out)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *more, **words)

    desk.patch.setattr(os, "mkdir", mkdir)
    return desk.run()


@mistake("a worker is killed again and again")
def _(desk):
    from tests import nets

    import netdissect as nd

    (desk.folder / "deaths").mkdir()
    fatal = nets.WorkerKillingNet(desk.folder / "deaths", times=99)
    return lambda: nd.dissect(fatal, "conv2", desk.data, batch_size=4, workers=2)


@mistake("a network that cannot be sent to workers")
def _(desk):
    from tests import nets

    import netdissect as nd

    network = nets.make_small_net()
    network.conv1.register_forward_hook(lambda *_: None)
    return lambda: nd.dissect(network, "conv2", desk.data, workers=2)


@mistake("a column that a table does not have, in Python")
def _(desk):
    return lambda: nd.load(desk.finished)["conv1"].units["scores"]


@mistake("a query that pandas cannot read")
def _(desk):
    return lambda: nd.load(desk.finished)["conv1"].units.query("scor > 1")


@mistake("a result that lies in no folder, given to compare")
def _(desk):
    return lambda: nd.compare(
        [nd.dissect(nets.make_small_net(), "conv1", desk.data, null=0, resamples=0, progress=False)]
    )


@mistake("a score of one's own that is called like a built-in one")
def _(desk):
    return lambda: nd.register_score(nd.Score("mine", "IoU", lambda counts, _: counts.I))


@mistake("`weights=` without a network, in Python")
def _(desk):
    return lambda: nd.look(desk.finished, None, [desk.data / "index.csv"], weights="mine.pth")


@mistake("an architecture that is named twice, for a series")
def _(desk):
    return lambda: nd.dissect_series("torchvision:resnet18", "*.ckpt", "layer4", desk.data, arch="torchvision:resnet18")


@mistake("a callback every so many steps and epochs")
def _(desk):
    return lambda: Dissect("conv1", desk.data, every_steps=100, every_epochs=1)


@mistake("a callback for a part that the trained network does not have")
def _(desk):
    watch = Dissect("conv1", desk.data, network="bakbone")
    return lambda: watch.start(nn.Sequential(OrderedDict(backbone=nets.make_small_net())))


@mistake("a callback that logs to something unknown")
def _(desk):
    return lambda: Dissect("conv1", desk.data, log_to="tensorboard")


def run_as_main(text, file=None):
    """Run a text as the program of this process; without a file, as a notebook does."""
    main, before = types.ModuleType("__main__"), sys.modules["__main__"]
    if file is not None:
        file.write_text(text)
        main.__file__ = str(file)
    sys.modules["__main__"] = main
    try:
        exec(compile(text, str(file or "<cell>"), "exec"), main.__dict__)
    finally:
        sys.modules["__main__"] = before


@mistake("workers in a script without a guard")
def _(desk):
    text = f"import netdissect as nd\nnd.dissect('torchvision:resnet18', 'conv1', {str(desk.data)!r}, workers=2)"
    return lambda: run_as_main(text, desk.folder / "mine.py")


@mistake("workers for a network that a notebook defines")
def _(desk):
    text = (
        "import netdissect as nd\nfrom torch import nn\nclass Net(nn.Sequential):\n    pass\n"
        f"nd.dissect(Net(nn.Conv2d(3, 4, 3)), '0', {str(desk.data)!r}, workers=2)"
    )
    return lambda: run_as_main(text)


@mistake("no run in that folder")
def _(desk):
    return ["report", desk.folder / "nowhere"]


@mistake("a run that was not finished")
def _(desk):
    (desk.finished / "run.json").unlink()
    return ["report", desk.finished]


@mistake("`run.json` is empty")
def _(desk):
    (desk.finished / "run.json").write_bytes(b"")
    return ["report", desk.finished]


@mistake("`run.json` is cut short")
def _(desk):
    cut(desk.finished / "run.json")
    return ["report", desk.finished]


@mistake("`run.json` says something impossible")
def _(desk):
    path = desk.finished / "run.json"
    record = json.loads(path.read_text())
    record["layers"][0]["grid"] = None
    path.write_text(json.dumps(record))
    return ["report", desk.finished]


@mistake("`run.json` is of a newer version")
def _(desk):
    path = desk.finished / "run.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    return ["report", desk.finished]


@mistake("a run's Parquet table is missing")
def _(desk):
    (desk.finished / "conv1.parquet").unlink()
    return ["report", desk.finished]


@mistake("a run's Parquet table is cut short")
def _(desk):
    cut(desk.finished / "conv1.parquet")
    return ["report", desk.finished]


@mistake("a bit of a run's Parquet table is flipped")
def _(desk):
    flip(desk.finished / "conv1.parquet", 0.2)
    return ["report", desk.finished]


@mistake("a run's arrays are cut short")
def _(desk):
    cut(desk.finished / "conv1.npz")
    return ["report", desk.finished]


@mistake("a bit of a run's arrays is flipped")
def _(desk):
    flip(desk.finished / "conv1.npz", 0.4)
    return ["report", desk.finished]


@mistake("a run's tables are of another run")
def _(desk):
    shutil.copy(desk.finished / "conv2.npz", desk.finished / "conv1.npz")
    return ["report", desk.finished]


@mistake("a run's counts are impossible")
def _(desk):
    import pyarrow as pa
    import pyarrow.parquet as pq

    record = json.loads((desk.finished / "run.json").read_text())
    del record["checksums"]
    (desk.finished / "run.json").write_text(json.dumps(record))
    table = pq.read_table(desk.finished / "conv1.parquet")
    table = table.set_column(table.schema.get_field_index("I"), "I", pa.array(table["G"].to_numpy()))
    pq.write_table(table, desk.finished / "conv1.parquet")
    return ["report", desk.finished]


@mistake("a run's trust tables are of another size")
def _(desk):
    desk.add_trust()
    record = json.loads((desk.finished / "run.json").read_text())
    record["layers"][0]["trust"]["chance"]["shifts"] = 40
    (desk.finished / "run.json").write_text(json.dumps(record))
    return ["report", desk.finished]


@mistake("a bit of a run's trust tables is flipped")
def _(desk):
    desk.add_trust()
    flip(desk.finished / "conv1-trust.npz", 0.4)
    return ["report", desk.finished]


@mistake("`run.json` is a named pipe")
def _(desk):
    (desk.finished / "run.json").unlink()
    os.mkfifo(desk.finished / "run.json")
    return ["report", desk.finished]


@mistake("a result table with a score that is not a number is compared")
def _(desk):
    (desk.folder / "a.csv").write_text("unit,category,label,score\n1,object,sky,nan\n")
    return ["compare", desk.folder / "a.csv", "--out", desk.folder / "f.svg"]


@mistake("a result table that was edited since its run is compared")
def _(desk):
    path = desk.finished / "conv1-result.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *reversed(lines[1:])]))
    return ["compare", path, "--out", desk.folder / "f.svg"]


@mistake("a figure would replace what is compared")
def _(desk):
    path = desk.finished / "conv1-result.csv"
    return ["compare", path, "--out", path.with_suffix(".svg")]


@mistake("the name for a figure is a folder")
def _(desk):
    return ["compare", desk.finished, "--out", desk.folder]


@mistake("a folder that holds neither a run nor runs is compared")
def _(desk):
    (desk.folder / "photos").mkdir()
    return ["compare", desk.folder, "--out", desk.folder / "f.svg"]


@mistake("a table that is not a result table is compared")
def _(desk):
    (desk.folder / "a.csv").write_text("x,y\n1,2\n")
    return ["compare", desk.folder / "a.csv", "--out", desk.folder / "f.svg"]


@mistake("a result table that is cut short is compared")
def _(desk):
    path = desk.finished / "conv1-result.csv"
    cut(path)
    return ["compare", path, "--out", desk.folder / "f.svg"]


@mistake("a .mat that is not the paper's is compared")
def _(desk):
    (desk.folder / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    return ["compare", desk.folder / "a.mat", "--out", desk.folder / "f.svg"]


@mistake("`--memory` is not an amount")
def _(desk):
    return desk.run("--memory", "much")


def type_series(desk, *weights):
    return ["series", desk.net, "--layers", "conv1", "--data", desk.data, "--out", desk.out, "--weights", *weights]


@mistake("no file matches the pattern of a series' checkpoints")
def _(desk):
    return type_series(desk, desk.folder / "*.ckpt")


@mistake("a series without checkpoints")
def _(desk):
    return type_series(desk)[:-1]


@mistake("two checkpoints of a series that would get one run folder")
def _(desk):
    for name in ("epoch_1.pt", "epoch_1.pth"):
        (desk.folder / name).touch()
    return type_series(desk, desk.folder / "epoch_1.*")


@mistake("an untrained network of an ONNX file")
def _(desk):
    path = write_onnx(desk.folder / "net.onnx", nets.make_small_net())
    return ["control", path, "--layers", "conv1", "--data", desk.data, "--out", desk.out]


@mistake("an untrained network with a parameter that nothing draws")
def _(desk):
    model = "python:tests.nets:TokenNet"
    return ["control", model, "--layers", "mlp.0", "--data", desk.data, "--out", desk.out]


@mistake("no untrained network")
def _(desk):
    return ["control", desk.net, "--layers", "conv1", "--data", desk.data, "--out", desk.out, "--seeds", "0"]


@mistake("one run of an untrained network as `--reference`")
def _(desk):
    return ["report", desk.finished, "--reference", desk.finished]


@mistake("a run of the network itself as `--reference`")
def _(desk):
    return lambda: nd.add_reference(nd.load(desk.finished), _make_references(desk, nd.load(desk.finished)))


@mistake("a `--reference` over another probe set")
def _(desk):
    other = replace(nd.load(desk.finished).probe_set, fingerprint="0" * 64, name="other")
    return lambda: nd.add_reference(nd.load(desk.finished), _make_references(desk, None, probe_set=other))


@mistake("a `--reference` with another setting")
def _(desk):
    other = replace(nd.load(desk.finished).settings, quantile=0.01)
    return lambda: nd.add_reference(nd.load(desk.finished), _make_references(desk, None, settings=other))


@mistake("`--reference` runs without the layers of the run")
def _(desk):
    return lambda: nd.add_reference(nd.load(desk.finished), _make_references(desk, None, layers={}))


def _make_references(desk, third, **changes):
    """Return runs of two networks, and a third run; `changes` are made in the first two."""
    run = nd.load(desk.finished)
    two = [replace(run, network=replace(run.network, fingerprint=name), **changes) for name in "ab"]
    return dict(zip(("seed-1", "seed-2", "third"), [*two, *([] if third is None else [third])], strict=False))


@mistake("a series below the folder of a run")
def _(desk):
    (desk.folder / "epoch_1.caffemodel").write_bytes(desk.net.with_suffix(".caffemodel").read_bytes())
    words = type_series(desk, desk.folder / "epoch_1.caffemodel")
    words[words.index("--out") + 1] = desk.finished
    return words


@mistake("units are asked for a concept that the probe set does not label")
def _(desk):
    return ["units", desk.finished, "skyy"]


@mistake("units would replace a file of the run")
def _(desk):
    return ["units", desk.finished, "--csv", "--out", desk.finished / "conv1-result.csv"]


@mistake("one run is followed over training")
def _(desk):
    return ["track", desk.finished, "--out", desk.folder / "f.svg"]


@mistake("a result table is followed over training")
def _(desk):
    return ["track", desk.finished / "conv1-result.csv", desk.finished, "--out", desk.folder / "f.svg"]


@mistake("runs of different layers are followed over training")
def _(desk):
    other = desk.folder / "other"
    run = nd.load(desk.finished)
    replace(run, layers={"conv1": run["conv1"]}).save(other)
    return ["track", f"step_1={desk.finished}", f"step_2={other}", "--out", desk.folder / "f.svg"]


@mistake("ablation of a network without class outputs")
def _(desk):
    return ["ablate", desk.finished, desk.net, "--data", desk.data]


@mistake("ablation with fewer matched sets than give p < 0.05")
def _(desk):
    return ["ablate", desk.finished, desk.net, "--matched", "5"]


@mistake("ablation of images that have no class")
def _(desk):
    (desk.folder / "photos").mkdir()
    return ["ablate", desk.finished, desk.net, "--data", desk.folder / "photos"]


@mistake("the report of several runs in a folder with something else")
def _(desk):
    folder = desk.folder / "papers"
    folder.mkdir()
    (folder / "thesis.txt").write_text("text")
    return ["compare", f"one={desk.finished}", f"two={desk.finished}", "--out", folder]
