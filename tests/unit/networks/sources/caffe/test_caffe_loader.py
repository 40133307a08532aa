from __future__ import annotations

import shutil

import pytest

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.sources.caffe.caffe_loader import find_pair, is_caffe, load_caffe
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.random_weights import make_random_weights


@pytest.fixture
def pair(tmp_path):
    """A pair of files whose stem has a dot and a comma."""
    conv = make_caffe_layer("conv1", "Convolution", "data", convolution_param={"num_output": 2, "kernel_size": 1})
    spec = make_net_spec("t", {"data": (1, 3, 4, 4)}, [conv])
    folder = tmp_path / "a,b"
    folder.mkdir()
    return write_caffe(folder / "net_v1.0", spec, make_random_weights(spec))


def test_a_network_is_found_by_its_stem_by_both_paths_or_by_one_of_them(pair):
    text, binary = pair
    stem = text.with_suffix("")
    for model in (stem, str(stem), f"{text},{binary}", f" {text} , {binary} ", text, binary):
        assert find_pair(model) == pair
        assert load_caffe(model).title == "t"
    assert find_pair(text, binary) == pair


def test_a_name_means_caffe_by_its_endings_or_because_one_of_its_files_exists(pair):
    text, binary = pair
    assert is_caffe(f"{text},{binary}")
    assert is_caffe(str(text.with_suffix("")))
    assert is_caffe("nothing.prototxt,nothing.caffemodel")
    assert not is_caffe("torchvision:resnet18")
    assert not is_caffe(str(text.with_suffix("")) + "x")


def test_a_file_that_is_missing_is_named_with_its_nearest(pair):
    text, binary = pair
    with pytest.raises(ModelNotFoundError, match=r"net_v1\.1\.prototxt: no such prototxt; did you mean net_v1\.0"):
        load_caffe(text.parent / "net_v1.1")
    with pytest.raises(ModelNotFoundError, match=r"other\.caffemodel: no such caffemodel"):
        load_caffe(f"{text},{text.parent / 'other.caffemodel'}")
    with pytest.raises(ModelNotFoundError, match="there is no folder"):
        load_caffe("nowhere/net")
    with pytest.raises(ModelNotFoundError, match="got a folder"):
        load_caffe(text.parent, binary)
    binary.unlink()
    with pytest.raises(ModelNotFoundError, match=r"the folder has no \*\.caffemodel at all"):
        load_caffe(text)


def test_files_the_wrong_way_round_are_reported(pair):
    text, binary = pair
    with pytest.raises(ModelFileError, match="wrong way round"):
        load_caffe(binary, text)
    with pytest.raises(ModelFileError, match="wrong way round"):
        load_caffe(text, shutil.copy(text, text.with_name("copy.caffemodel")))


def test_a_caffemodel_of_another_network_is_reported(pair, tmp_path):
    text, _ = pair
    other = make_net_spec(
        "o",
        {"data": (1, 3, 4, 4)},
        [make_caffe_layer("fc", "InnerProduct", "data", inner_product_param={"num_output": 2})],
    )
    _, binary = write_caffe(tmp_path / "other", other, make_random_weights(other))
    with pytest.raises(ModelFileError, match=r"net_v1\.0\.prototxt \(conv1 .*got weights for fc"):
        load_caffe(text, binary)
