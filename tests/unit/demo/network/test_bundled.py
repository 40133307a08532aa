"""The bundled network: its files load here and in OpenCV, it knows its scenes, and the script in the repo makes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training import train_demo_network as script

from netdissect.demo import network as demo_network
from netdissect.demo.world import SUBJECTS, render_image
from netdissect.demo.world.textures import TEXTURES
from netdissect.errors import SettingsError
from netdissect.networks.load import LoadOptions, open_network, open_untrained
from netdissect.networks.preprocess import make_caffe_preprocess

BLOBS = (*demo_network.LAYERS, "fc6", "prob")


@pytest.fixture(scope="module")
def network():
    return demo_network.load_trained_network()


@pytest.fixture(scope="module")
def images():
    """One image of every subject from a seed that is neither the demo's nor the training's, RGB uint8."""
    seed = script.HELD_OUT_SEED + 1
    return np.stack([render_image(index, size=script.SEEN, seed=seed).image for index in range(48, len(SUBJECTS))])


def predicted(network, images):
    with torch.inference_mode():
        scores = network.module(network.preprocess(torch.from_numpy(images)))
    return [script.CLASSES[number] for number in scores.reshape(len(images), -1).argmax(1)]


def test_it_says_what_new_images_show(network, images):
    right = [word == SUBJECTS[48 + place] for place, word in enumerate(predicted(network, images))]
    assert np.mean(right) > 0.8


def test_its_class_names_are_those_of_its_outputs_in_their_order(network, images):
    assert network.classes == script.CLASSES
    with torch.inference_mode():
        outputs = network.module(network.preprocess(torch.from_numpy(images)), blobs=["fc6"])["fc6"].flatten(1)
    shown = np.array([network.classes[number] for number in outputs.argmax(1)])
    assert (shown == np.array([SUBJECTS[index] for index in range(48, len(SUBJECTS))])).mean() > 0.9


def test_the_word_demo_is_this_network(network):
    loaded = open_network("demo")
    assert (loaded.fingerprint(), loaded.classes, loaded.source) == (network.fingerprint(), network.classes, "demo")
    random = open_untrained("demo", LoadOptions(seed=3))
    assert random.fingerprint() != network.fingerprint()
    with pytest.raises(SettingsError, match="--weights does not go with demo"):
        open_network("demo", LoadOptions(weights="other.caffemodel"))


def test_the_control_knows_nothing(images):
    right = [
        word == SUBJECTS[48 + place]
        for place, word in enumerate(predicted(demo_network.load_control_network(), images))
    ]
    assert np.mean(right) < 0.1


def test_its_classes_are_words_for_whole_images():
    assert len(set(script.CLASSES)) == len(script.CLASSES)
    assert set(script.CLASSES) == set(SUBJECTS)
    assert set(TEXTURES) < set(script.CLASSES)


def test_shuffled_labels_keep_their_numbers_and_lose_their_images(capsys):
    labels = np.arange(300) % len(script.CLASSES)
    shuffled = script.shuffle_labels(labels, 1)
    np.testing.assert_array_equal(np.bincount(shuffled), np.bincount(labels))
    assert (shuffled == labels).mean() < 0.1
    np.testing.assert_array_equal(shuffled, script.shuffle_labels(labels, 1))
    with pytest.raises(SystemExit):
        script.main(["--shuffled"])
    assert "--shuffled needs --out" in capsys.readouterr().err


def test_it_learns_from_images_of_other_seeds_than_the_demos():
    from netdissect.demo import demonstrate

    assert len({demonstrate.SEED, script.TRAINING_SEED, script.HELD_OUT_SEED}) == 3


def test_opencv_computes_the_same(network, images):
    cv2 = pytest.importorskip("cv2")
    x = network.preprocess(torch.from_numpy(images[:8]))
    with torch.inference_mode():
        ours = network.module(x, blobs=list(BLOBS))
    theirs = cv2.dnn.readNetFromCaffe(f"{demo_network.STEM}.prototxt", f"{demo_network.STEM}.caffemodel")
    theirs.setInput(x.numpy())
    after = [blob.replace("conv", "relu") for blob in BLOBS]  # a blob holds what its last in-place layer leaves
    for blob, expected in zip(BLOBS, theirs.forward(after), strict=True):
        found = ours[blob].numpy().reshape(expected.shape)
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max(), blob


def test_opencv_reads_the_same_number_of_layers_with_weights():
    cv2 = pytest.importorskip("cv2")
    theirs = cv2.dnn.readNetFromCaffe(f"{demo_network.STEM}.prototxt", f"{demo_network.STEM}.caffemodel")
    assert {name for name in theirs.getLayerNames() if name.startswith("conv")} == set(demo_network.LAYERS)


def test_its_files_are_small():
    sizes = [demo_network.STEM.with_suffix(ending).stat().st_size for ending in (".prototxt", ".caffemodel")]
    assert sum(sizes) <= 3e6


def test_the_script_makes_this_network():
    assert script.make_spec().to_prototxt() == demo_network.STEM.with_suffix(".prototxt").read_text()


def test_what_the_script_writes_is_what_it_trained(tmp_path, images):
    from netdissect.networks.sources.caffe.caffe_loader import load_caffe
    from netdissect.networks.sources.caffe.caffe_writer import write_caffe

    torch.manual_seed(0)
    learner = script.Learner()
    for _ in range(3):
        learner(script.make_input(images[:16]))  # so that batch normalization has something to be folded
    learner.eval()
    write_caffe(tmp_path / "it", script.make_spec(), script.fold_weights(learner))
    with torch.inference_mode():
        learned = learner(script.make_input(images[16:24]))
        written = load_caffe(tmp_path / "it")(make_caffe_preprocess()(torch.from_numpy(images[16:24])), blobs=["fc6"])
    torch.testing.assert_close(written["fc6"].reshape(learned.shape), learned, rtol=1e-4, atol=1e-4)


def test_it_runs_as_any_caffe_network_with_no_options(network):
    loaded = open_network(str(demo_network.STEM))
    assert loaded.fingerprint() == network.fingerprint()
    assert loaded.preprocess.describe() == make_caffe_preprocess().describe()
    last = loaded.probe(["conv5"], (112, 112), geometry="receptive-field", device=torch.device("cpu")).layers[0]
    assert last.grid == (14, 14)
    assert last.units >= 128
    assert last.geometry == "receptive-field"


def test_the_control_has_other_weights_in_the_same_places(network):
    ours, random = network.module.state_dict(), demo_network.load_control_network().module.state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in random.items()
    }
    assert not any(torch.equal(ours[name], random[name]) for name in ours)
    again, another = (
        demo_network.load_control_network().module.state_dict(),
        demo_network.load_control_network(seed=1).module.state_dict(),
    )
    assert all(torch.equal(random[name], again[name]) for name in random)
    assert not any(torch.equal(random[name], another[name]) for name in random)
