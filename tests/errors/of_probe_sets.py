"""Mistakes in probe sets."""

from __future__ import annotations

import io
import shutil

import numpy as np
from PIL import Image
from tests.errors.desk import cut, mistake
from tests.small_probe_set import encode_jpeg

from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.reader import Broden

PICTURE, PLANE = "images/a/image 2.jpg", "images/a/image 2_object.png"


@mistake("no such folder, and no downloaded set of that name")
def _(desk):
    return desk.run(data=desk.folder / "nowhere")


@mistake("a folder that is not a probe set")
def _(desk):
    (desk.folder / "empty").mkdir()
    return desk.run(data=desk.folder / "empty")


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


@mistake("a folder of images without labels")
def _(desk):
    image(desk.folder / "photos" / "a.jpg")
    return desk.run(data=desk.folder / "photos")


@mistake("class folders")
def _(desk):
    for name in ("cat", "dog"):
        image(desk.folder / "classes" / name / "a.png")
    return desk.run(data=desk.folder / "classes")


@mistake("a file instead of a probe set's folder")
def _(desk):
    (desk.folder / "instances.json").write_text("{}")
    return desk.run(data=desk.folder / "instances.json")


@mistake("a probe set that can be downloaded, before it was")
def _(desk):
    desk.patch.chdir(desk.folder)
    return desk.run(data="dataset/broden1_227")


@mistake("`limit` or `split` with a ConceptSource of your own")
def _(desk):
    from tests import nets

    import netdissect as nd

    class Own(Broden):
        """A probe set of somebody's own."""

    return lambda: nd.dissect(nets.make_small_net(), "conv1", Own(desk.data), limit=3)


@mistake("`--group-by` names no column")
def _(desk):
    return desk.run("--group-by", "video")


@mistake("`--group-by` is a broken regular expression")
def _(desk):
    return desk.run("--group-by", "(clip")


@mistake("`--group-by` matches no image's name")
def _(desk):
    return desk.run("--group-by", "(clip[0-9]+)_")


@mistake("a mask with a negative number, in Python")
def _(desk):
    import torch
    from tests import nets

    import netdissect as nd

    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    return lambda: nd.dissect(nets.make_small_net(), "conv1", [(image, torch.full((32, 32), -7))], ["sky"])


@mistake("a mask with a number that has no concept, in Python")
def _(desk):
    import torch
    from tests import nets

    import netdissect as nd

    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    return lambda: nd.dissect(nets.make_small_net(), "conv1", [(image, torch.full((32, 32), 9))], ["sky"])


@mistake("more binary masks than concepts, in Python")
def _(desk):
    import torch
    from tests import nets

    import netdissect as nd

    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    return lambda: nd.dissect(nets.make_small_net(), "conv1", [(image, torch.ones(3, 32, 32))], ["sky", "tree"])


@mistake("a mask that is no array, in Python")
def _(desk):
    import torch
    from tests import nets

    import netdissect as nd

    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    return lambda: nd.dissect(nets.make_small_net(), "conv1", [(image, object())], ["sky"])


@mistake("`data=` that yields no pairs, in Python")
def _(desk):
    from tests import nets
    from torch.utils.data import DataLoader

    import netdissect as nd

    return lambda: nd.dissect(nets.make_small_net(), "conv1", DataLoader([1, 2, 3]))


@mistake("`index.csv` is missing")
def _(desk):
    (desk.data / "index.csv").unlink()
    return desk.run()


@mistake("`label.csv` is missing")
def _(desk):
    (desk.data / "label.csv").unlink()
    return desk.run()


@mistake("`c_object.csv` is missing")
def _(desk):
    (desk.data / "c_object.csv").unlink()
    return desk.run()


@mistake("`index.csv` is empty")
def _(desk):
    return desk.write("index.csv", b"")


@mistake("`index.csv` is cut short in a line")
def _(desk):
    text = (desk.data / "index.csv").read_text().splitlines()
    return desk.write("index.csv", "\n".join([*text[:4], text[4][:9]]).encode())


@mistake("`index.csv` has bytes that are not text")
def _(desk):
    return desk.write("index.csv", b"image,split\n\xff\xfe\x00\n")


@mistake("`index.csv` lacks a column")
def _(desk):
    return desk.table("index.csv", "split", "part_of")


@mistake("`index.csv` has one column twice and lacks another")
def _(desk):
    return desk.table("index.csv", "split", "image")


@mistake("a size in `index.csv` is not a number")
def _(desk):
    return desk.table("index.csv", ",32,32,", ",thirty,32,")


@mistake("a size in `index.csv` is impossibly large")
def _(desk):
    return desk.table("index.csv", ",32,32,", ",60000,60000,")


@mistake("`index.csv` lists an image twice")
def _(desk):
    lines = (desk.data / "index.csv").read_text().splitlines()
    return desk.write("index.csv", "\n".join([*lines, lines[2]]).encode())


@mistake("a file in `index.csv` is outside `images/`")
def _(desk):
    return desk.table("index.csv", "a/image 2.jpg", "../../secret.jpg")


@mistake("`index.csv` has no row with a label")
def _(desk):
    return desk.write(
        "index.csv", b"image,split,ih,iw,sh,sw,object,part,color,scene,texture\na.jpg,train,9,9,5,5,,,,,\n"
    )


@mistake("a label in `index.csv` is not in `label.csv`")
def _(desk):
    lines = (desk.data / "index.csv").read_text().splitlines()
    return desk.write("index.csv", "\n".join([lines[0], lines[2].replace(",5,", ",99,")]).encode())


@mistake("`label.csv` is empty")
def _(desk):
    return desk.write("label.csv", b"")


@mistake("`label.csv` has a number twice")
def _(desk):
    return desk.table("label.csv", "\n2,", "\n1,")


@mistake("a `number` in `label.csv` is not a whole number")
def _(desk):
    return desk.table("label.csv", "\n2,", "\ntwo,")


@mistake("a number in `label.csv` is larger than a label map can hold")
def _(desk):
    return desk.table("label.csv", "\n6,", "\n70000,")


@mistake("a label of `label.csv` has no category")
def _(desk):
    path = desk.data / "label.csv"
    fields = path.read_text().splitlines()[1].count(",")
    with path.open("a") as file:
        file.write("7,purple" + "," * (fields - 1) + "\n")
    return desk.run()


@mistake("`c_object.csv` has a label that `label.csv` does not have")
def _(desk):
    return desk.table("c_object.csv", ",2,tree", ",88,tree")


@mistake("a coverage in `c_object.csv` is not a number")
def _(desk):
    path = desk.data / "c_object.csv"
    header, first, *rest = path.read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index("coverage")] = "much"
    return desk.write("c_object.csv", "\n".join([header, ",".join(cells), *rest]).encode())


@mistake("`category.csv` has no category")
def _(desk):
    header = (desk.data / "category.csv").read_text().splitlines()[0]
    return desk.write("category.csv", header.encode())


@mistake("no image is of the `--split`")
def _(desk):
    return desk.run("--split", "trian")


@mistake("an image is missing")
def _(desk):
    (desk.data / PICTURE).unlink()
    return desk.run()


@mistake("an image is empty")
def _(desk):
    return desk.write(PICTURE, b"")


@mistake("an image is cut short")
def _(desk):
    cut(desk.data / PICTURE)
    return desk.run()


@mistake("an image's bytes are damaged")
def _(desk):
    path = desk.data / PICTURE
    data = bytearray(path.read_bytes())
    data[20:60] = bytes(40)  # in the tables of the header: a flipped bit among the pixels only shifts a colour
    return desk.write(PICTURE, bytes(data))


@mistake("an image has another size than `index.csv` says")
def _(desk):
    return desk.write(PICTURE, encode_jpeg(np.zeros((40, 32, 3), np.uint8)))


@mistake("an image is a folder")
def _(desk):
    (desk.data / PICTURE).unlink()
    (desk.data / PICTURE).mkdir()
    return desk.run()


@mistake("an image claims 60,000 x 60,000 pixels (a bomb)")
def _(desk):
    from tests.fuzz.test_probe_sets import bomb

    return desk.write(PICTURE, bomb(60_000, 60_000))


@mistake("no image at all can be read, though `--on-error skip`")
def _(desk):
    for path in (desk.data / "images/a").glob("*.jpg"):
        path.write_bytes(b"")
    return desk.run("--on-error", "skip")


@mistake("a label map is missing")
def _(desk):
    (desk.data / PLANE).unlink()
    return desk.run()


@mistake("a label map is empty")
def _(desk):
    return desk.write(PLANE, b"")


@mistake("a label map is cut short")
def _(desk):
    cut(desk.data / PLANE, 0.7)
    return desk.run()


@mistake("a bit of a label map is flipped")
def _(desk):
    path = desk.data / PLANE
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 0x10
    return desk.write(PLANE, bytes(data))


@mistake("a label map has another size than `index.csv` says")
def _(desk):
    return desk.write(PLANE, label_pngs.encode_label_map(np.zeros((9, 9), int)))


@mistake("a label map is an 8-bit gray PNG")
def _(desk):
    out = io.BytesIO()
    Image.new("L", (16, 16)).save(out, format="PNG")
    return desk.write(PLANE, out.getvalue())


@mistake("a label map is a JPEG")
def _(desk):
    return desk.write(PLANE, encode_jpeg(np.zeros((16, 16, 3), np.uint8)))


@mistake("a label map has a label larger than any in `label.csv`")
def _(desk):
    return desk.write(PLANE, label_pngs.encode_label_map(np.full((16, 16), 300)))


@mistake("a label map has a number that `label.csv` leaves out")
def _(desk):
    desk.table("label.csv", "\n6,", "\n9,")
    desk.table("c_texture.csv", ",6,dotted", ",9,dotted")
    desk.table("index.csv", ",6;0", ",9;0")
    return desk.write(PLANE, label_pngs.encode_label_map(np.full((16, 16), 7)))


@mistake("an address whose library is not installed")
def _(desk):
    return desk.run(data="s3://bucket/broden1_224")


@mistake("an address of a kind that does not exist")
def _(desk):
    return desk.run(data="gopher://host/broden1_224")


@mistake("the probe set was moved away while its report is drawn")
def _(desk):
    shutil.rmtree(desk.finished / "html")
    return ["report", desk.finished]
