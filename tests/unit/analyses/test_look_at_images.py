"""Which labeled units fire in images: of one's own, of the probe set, with the network and from what a run has kept."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from tests import nets, small_probe_set
from tests.small_runs import dissect_small

import netdissect as nd
from netdissect.analyses.given_images import collect_images
from netdissect.analyses.look import split_words
from netdissect.errors import ActivationError, DataFileError, DataNotFoundError, FolderTakenError, SettingsError
from netdissect.geometry.upsample import make_label_axes, upsample
from netdissect.probe_sets.broden.reader import Broden


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=40)


@pytest.fixture(scope="module")
def kept(data, tmp_path_factory):
    """The folder of a run that has kept its scans."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    dissect_small(data, folder, keep=True)
    return folder


@pytest.fixture(scope="module")
def run(kept):
    return nd.load(kept)


def measure_presence(concepts, index):
    """Return how often every concept is labeled at every pixel of an image, (C, sh, sw), and which categories have a label."""
    labels, vocabulary = concepts.read_labels(index), concepts.vocabulary
    at = np.zeros((len(vocabulary), *concepts.label_size(index)), np.int64)
    for column in range(len(vocabulary)):
        at[column] = (labels.planes == column + 1).sum(axis=0) + (column + 1 in labels.whole)
    categories = {vocabulary.concepts[column].category for column in np.flatnonzero(at.any(axis=(1, 2)))}
    return at, np.array([category in categories for category in vocabulary.categories])


def test_masks_of_all_probe_images_on_the_label_grid_add_up_to_the_counts_of_the_run(run, data):
    concepts = Broden(data)
    seen = run.look(nets.make_small_net(), rows=range(40), threshold=0)
    for layer in run.layers.values():
        labeled = np.flatnonzero(layer.labels >= 0)
        assert labeled.size
        I, A = np.zeros_like(layer.counts.I), np.zeros_like(layer.counts.A)
        axes = make_label_axes(layer.layer.field, layer.layer.grid, run.network.input_size, (16, 16))
        for index, image in enumerate(seen):
            found = image[layer.name]
            assert found.known == found.labeled == labeled.size
            at, present = measure_presence(concepts, index)
            for channel, grid in zip(found.channels, found.grids, strict=True):
                mask = upsample(grid, *axes) > layer.thresholds[channel]
                I[channel] += (at * mask).sum(axis=(1, 2))
                A[channel] += mask.sum() * present[concepts.vocabulary.primary]
        assert np.array_equal(I[labeled], layer.counts.I[labeled])
        assert np.array_equal(A[labeled], layer.counts.A[labeled])


def test_kept_scans_give_the_same_masks_as_the_network(run, data):
    with_network = run.look(nets.make_small_net(), rows=[3, "a/image 17.jpg"], threshold=0)
    stored = run.look(rows=["3", "image 17.jpg"], threshold=0)
    assert "kept" in stored.note
    assert not with_network.note
    for one, other in zip(with_network, stored, strict=True):
        assert (one.name, one.row) == (other.name, other.row)
        for name in run:
            assert np.array_equal(np.sort(one[name].channels), np.sort(other[name].channels))
            assert one[name].channels.size
            for channel in one[name].channels:
                masks = [
                    layer.make_maps().masks[list(layer.channels).index(channel)] for layer in (one[name], other[name])
                ]
                assert np.array_equal(*masks)
            for unit, twin in zip(one[name].units, other[name].units, strict=True):
                assert unit == twin


def test_without_kept_scans_only_units_with_the_image_among_their_exemplars_are_known(data, tmp_path):
    run = dissect_small(data, tmp_path / "run")
    layer = run["conv2"]
    row = int(layer.exemplars.images[layer.labels >= 0][0, 0])
    seen = run.look(rows=[row], threshold=0)
    found = seen[0]["conv2"]
    has = np.flatnonzero((layer.labels >= 0) & (layer.exemplars.images == row).any(axis=1))
    assert found.known == has.size < found.labeled == (layer.labels >= 0).sum()
    assert set(found.channels) <= set(has)
    assert "only in the 3 images" in seen.note
    exact = run.look(nets.make_small_net(), rows=[row], threshold=0)[0]["conv2"]
    for channel in found.channels:
        mine, theirs = (layer.make_maps().masks[list(layer.channels).index(channel)] for layer in (found, exact))
        assert (mine != theirs).mean() < 0.01  # the exemplars' grids have 16 bits
        unit, twin = (next(u for u in layer.units if u.unit == channel + 1) for layer in (found, exact))
        assert unit.strength == pytest.approx(twin.strength, rel=2e-3)
        assert unit.activation == pytest.approx(twin.activation, rel=2e-3)


def test_own_images_give_what_the_probe_set_gives_for_the_same_pixels(run, data):
    file = data / "images" / "a" / "image 5.jpg"
    pixels = np.asarray(Image.open(file))
    given = [file, str(file), pixels, Image.open(file), Image.fromarray(pixels)]
    seen = run.look(nets.make_small_net(), given, threshold=0)
    expected = run.look(nets.make_small_net(), rows=5, threshold=0)[0]["conv2"]
    assert [image.name for image in seen] == ["image 5.jpg", "image 5.jpg", "image 3", "image 4", "image 5"]
    for image in seen:
        assert image.row is None
        assert image["conv2"].channels.tolist() == expected.channels.tolist()
        assert np.array_equal(image["conv2"].make_maps().masks, expected.make_maps().masks)


def test_latents_and_another_preprocessing_are_looked_at_as_they_were_dissected(data):
    import torch

    torch.manual_seed(0)
    net, encoder, half = nets.make_small_net(), torch.nn.Linear(8, 12), nd.Preprocess(rescale_factor=1 / 510)
    latents = dissect_small(data, None, layers=["conv1", "conv2"], projection={"conv2": encoder}, preprocess=half)
    name = next(name for name in latents if "+" in name)
    seen = latents.look(net, rows=range(40), layers=name, threshold=0, preprocess=half, projection={"conv2": encoder})
    layer = latents[name]
    for channel in np.flatnonzero(layer.labels >= 0):
        cells = sum(
            int((image[name].grids[list(image[name].channels).index(channel)] > layer.thresholds[channel]).sum())
            for image in seen
            if channel in image[name].channels
        )
        assert cells == int(0.05 * 40 * 8 * 8)
    with pytest.raises(SettingsError, match="latents of a projection"):
        latents.look(net, rows=[1], preprocess=half)
    plain = dissect_small(data, None, layers=["conv1"], preprocess=half)
    assert plain.look(net, rows=[1], preprocess=half)[0]["conv1"].known
    with pytest.raises(SettingsError, match="is not the network of this run"):
        plain.look(net, rows=[1])


def test_photographs_are_turned_upright_before_the_network_sees_them(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    source = collect_images(tmp_path)
    assert source.image_name(0) == "turned.png"
    assert np.array_equal(source.read_image(0), np.rot90(pixels, -1))
    assert np.array_equal(collect_images(Image.open(tmp_path / "turned.png")).read_image(0), np.rot90(pixels, -1))


def test_the_maps_on_disk_hold_what_the_result_holds(run, tmp_path):
    seen = run.look(nets.make_small_net(), rows=[4, 9], threshold=0, layers="conv2", out=tmp_path / "look")
    record = json.loads((tmp_path / "look" / "look.json").read_text())
    numbers = list(csv.DictReader(io.StringIO((tmp_path / "look" / "numbers.csv").read_text())))
    label_of = {int(row["number"]): row["label"] for row in numbers if row["map"] == "concepts"}
    for image, entry in zip(seen, record["images"], strict=True):
        look, described = image["conv2"], entry["layers"]["conv2"]
        maps, folder = look.make_maps(), tmp_path / "look" / entry["maps"]
        units = np.asarray(Image.open(folder / "conv2-units.png"))
        assert np.array_equal(units, np.where(maps.strongest >= 0, look.channels[maps.strongest] + 1, 0))
        concepts = np.asarray(Image.open(folder / "conv2-concepts.png"))
        names = np.array(["", *(concept.label for concept in look.concepts)])
        assert [[label_of.get(n, "") for n in row] for row in concepts.tolist()] == names[maps.concept + 1].tolist()
        for at, unit in enumerate(look.units):
            mask = Image.open(folder / f"conv2/unit-{unit.unit:04d}.png")
            assert mask.mode == "1"
            assert np.array_equal(np.asarray(mask), maps.masks[at])
            assert described["units"][at]["unit"] == unit.unit
            assert described["units"][at]["share"] == pytest.approx(maps.masks[at].mean())
        for at, concept in enumerate(described["concepts"]):
            counts = np.asarray(Image.open(folder / f"conv2/concept-{concept['map_number']:03d}.png"))
            members = [place for place, unit in enumerate(look.units) if unit.label == concept["label"]]
            assert np.array_equal(counts, maps.masks[members].sum(axis=0))
            assert concept["units"] == [look.units[place].unit for place in members]
            assert np.array_equal(counts, maps.counts[at])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "look" / "units.csv").read_text())))
    assert [(row["image"], int(row["unit"])) for row in rows] == [(name, unit.unit) for name, unit in seen.rows]


def test_a_second_look_replaces_the_files_of_the_first_and_no_others(run, tmp_path):
    folder = tmp_path / "look"
    run.look(nets.make_small_net(), rows=[4, 9], threshold=0, out=folder)
    (folder / "maps" / "notes.txt").write_text("mine")
    first = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    run.look(nets.make_small_net(), rows=[6], threshold=0, layers="conv2", out=folder)
    second = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name.split("/")[1] for name in first if name.count("/") > 1} == {"0001-image 4", "0002-image 9"}
    assert {name.split("/")[1] for name in second if name.count("/") > 1} == {"0001-image 6"}
    assert "maps/notes.txt" in second
    listed = set((folder / "look.txt").read_text().splitlines()[1:])
    assert listed == second - {"maps/notes.txt", "look.txt", ".lock"}


def test_a_folder_that_holds_something_else_is_refused(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(FolderTakenError, match=r"thesis\.tex and is not the folder of a look"):
        run.look(nets.make_small_net(), rows=[4], threshold=0, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_wrong_images_and_networks_are_one_sentence(run, tmp_path):
    net = nets.make_small_net()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match=r"broken\.jpg does not decode"):
        run.look(net, tmp_path / "broken.jpg")
    with pytest.raises(DataNotFoundError, match=r"image .*missing\.jpg does not exist"):
        run.look(net, tmp_path / "missing.jpg")
    with pytest.raises(DataNotFoundError, match="holds no image"):
        run.look(net, tmp_path / "empty")
    with pytest.raises(SettingsError, match=r"image 1: expected a file, .* float64 and shape \(4, 4, 3\)"):
        run.look(net, [np.zeros((4, 4, 3))])
    for array, got in (
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
    ):
        with pytest.raises(SettingsError, match=f"image 2: .* got ndarray of uint8 and shape {got}"):
            run.look(net, [np.zeros((4, 4), np.uint8), array])
    with pytest.raises(SettingsError, match="no row was given"):
        run.look(net, rows=[])
    with pytest.raises(SettingsError, match=r"takes rows of index\.csv"):
        run.look(net, rows=2.5)
    with pytest.raises(SettingsError, match="no layer was named"):
        run.look(net, rows=[1], layers=[])
    with pytest.raises(SettingsError, match="device"):
        run.look(net, rows=[1], device="tpu")
    with pytest.raises(SettingsError, match="no image was given"):
        run.look(net, [])
    with pytest.raises(SettingsError, match="name at least one"):
        run.look(net)
    with pytest.raises(SettingsError, match="is not the network of this run"):
        run.look(nets.make_small_net(seed=1), rows=[1])
    with pytest.raises(DataNotFoundError, match="no row 99"):
        run.look(net, rows=[99])
    with pytest.raises(DataNotFoundError, match="no image 'a/image 3.png'"):
        run.look(net, rows=["a/image 3.png"])


def test_an_activation_that_is_not_a_number_names_layer_unit_and_image(run, data):
    net = nets.make_small_net()
    import torch

    with torch.no_grad():
        net.conv1.bias[2] = float("nan")
    from netdissect.analyses.image_activations import read_with_network
    from netdissect.model_loading import as_network
    from netdissect.protocols import NullProgress

    concepts, labeled = Broden(data), {name: np.array([0]) for name in run}
    with pytest.raises(ActivationError, match=r"conv1.*unit 3.*image 0\.jpg"):
        read_with_network(run, as_network(net), concepts, [0], labeled, "cpu", NullProgress())


def test_the_first_word_after_the_run_is_model_unless_it_is_an_image(tmp_path, monkeypatch):
    assert split_words(["demo", "a.jpg", "b.png"], has_rows=False) == ("demo", ["a.jpg", "b.png"])
    assert split_words(["a.jpg", "b.png"], has_rows=False) == (None, ["a.jpg", "b.png"])
    assert split_words([str(tmp_path), "b.png"], has_rows=False) == (None, [str(tmp_path), "b.png"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert split_words(["demo", "a.jpg"], has_rows=False) == ("demo", ["a.jpg"])
    assert split_words(["demo"], has_rows=False) == (None, ["demo"])
    assert split_words(["./demo", "a.jpg"], has_rows=False) == (None, ["./demo", "a.jpg"])
    assert split_words(["torchvision:resnet18"], has_rows=True) == ("torchvision:resnet18", None)
    assert split_words([], has_rows=True) == (None, None)
    with pytest.raises(SettingsError, match=r"leave out a\.jpg"):
        split_words(["demo", "a.jpg"], has_rows=True)
