from __future__ import annotations

import random

import pytest

from netdissect.errors import ModelFileError, ModelNotFoundError, NetdissectError
from netdissect.networks.sources.caffe.prototxt import parse_prototxt, read_prototxt

TODAY = """
name: "tiny"  # a comment with type: RELU in it
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 1 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool1" top: "fc" inner_product_param { num_output: 5 } }
"""

OLD = """
name: "tiny"
input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 weight_decay: 1
         convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 1 weight_filler { type: "xavier" } } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool1" top: "fc" inner_product_param { num_output: 5 } }
"""

OLDEST = """
name: "tiny"
input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 pad: 1 group: 1 weight_filler { type: "xavier" } }
         bottom: "data" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "conv1" top: "pool1" }
layers { layer { name: "fc" type: "innerproduct" num_output: 5 } bottom: "pool1" top: "fc" }
"""


def told(spec):
    return spec.name, [(blob.name, blob.shape) for blob in spec.inputs], [str(layer) for layer in spec.layers]


@pytest.mark.parametrize("text", [OLD, OLDEST], ids=["layers", "layers of layer"])
def test_the_older_syntaxes_say_the_same_as_todays(text):
    assert told(parse_prototxt(text)) == told(parse_prototxt(TODAY))


def test_todays_syntax_survives_being_written_and_read():
    spec = parse_prototxt(TODAY)
    assert told(parse_prototxt(spec.to_prototxt())) == told(spec)


@pytest.mark.parametrize(
    "head",
    [
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 7',
        'input: "data" input_dim: [1, 3, 6, 7]',
        'input: "data" input_shape { dim: 1 dim: 3 dim: 6 dim: 7 }',
        'input: "data" input_shape: < dim: 1 dim: 3 dim: 6 dim: 7 >',
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 7 } } }',
        'layer { type: "MemoryData" top: "data" memory_data_param { batch_size: 1 channels: 3 height: 6 width: 7 } }',
        'layer { type: "DummyData" top: "data" dummy_data_param { num: 1 channels: 3 height: 6 width: 7 } }',
        'layer { type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 3 dim: 6 dim: 7 } } }',
        'layer { type: "ImageData" top: "data" image_data_param { batch_size: 1 new_height: 6 new_width: 7 } }',
    ],
)
def test_an_input_may_be_reported_in_many_ways(head):
    spec = parse_prototxt(head + ' layer { name: "r" type: "ReLU" bottom: "data" top: "r" }')
    assert [(blob.name, blob.shape) for blob in spec.inputs] == [("data", (1, 3, 6, 7))]


def test_the_input_may_stand_after_the_layers():
    spec = parse_prototxt(
        'layers { name: "r" type: RELU bottom: "data" top: "r" } input: "data" input_dim: [1, 1, 4, 4]'
    )
    assert spec.inputs[0].shape == (1, 1, 4, 4)


def test_several_inputs_have_four_numbers_each():
    spec = parse_prototxt('input: "a" input: "b" input_dim: [1, 2, 3, 4, 5, 6, 7, 8] layer { name: "r" bottom: "a" }')
    assert [blob.shape for blob in spec.inputs] == [(1, 2, 3, 4), (5, 6, 7, 8)]


def test_an_input_without_a_shape_has_none():
    spec = parse_prototxt('input: "a" layer { name: "r" type: "ReLU" bottom: "a" top: "r" }')
    assert spec.inputs[0].shape is None


def test_of_a_training_file_what_tests_is_left():
    spec = parse_prototxt("""
        layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
                transform_param { crop_size: 9 } data_param { batch_size: 256 } }
        layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
                transform_param { crop_size: 7 mean_file: "x" } data_param { batch_size: 50 backend: LMDB } }
        layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" }
        layer { name: "aux" type: "ReLU" bottom: "conv" top: "aux" exclude { phase: TEST } }
        layer { name: "accuracy" type: "Accuracy" bottom: "conv" bottom: "label" top: "accuracy" include: { phase: TEST } }
    """)
    assert [(blob.name, blob.shape) for blob in spec.inputs] == [("data", (50, 3, 7, 7)), ("label", None)]
    assert [layer.name for layer in spec.layers] == ["conv", "accuracy"]


def test_rules_know_levels_and_stages():
    spec = parse_prototxt("""
        input: "x"
        layer { name: "a" bottom: "x" include { min_level: 1 } }
        layer { name: "b" bottom: "x" include { max_level: 3 } }
        layer { name: "c" bottom: "x" include { stage: "fit" } }
        layer { name: "d" bottom: "x" exclude { not_stage: "fit" } }
        layer { name: "e" bottom: "x" exclude { stage: "fit" } }
        layer { name: "f" bottom: "x" include { phase: TRAIN } include { phase: TEST } }
    """)
    assert [layer.name for layer in spec.layers] == ["b", "e", "f"]


def test_a_file_of_all_stages_is_read_as_it_is_deployed():
    spec = parse_prototxt("""
        layer { name: "train" type: "Data" top: "data" include { stage: "train" } }
        layer { name: "deploy" type: "Input" top: "data" include { stage: "deploy" }
                input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "r" type: "ReLU" bottom: "data" top: "r" }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "r" top: "loss" exclude { stage: "deploy" } }
    """)
    assert spec.inputs[0].shape == (1, 3, 8, 8)
    assert [layer.name for layer in spec.layers] == ["r"]


def test_a_layer_of_padding_is_folded_into_what_reads_it():
    spec = parse_prototxt("""
        input: "data" input_dim: [1, 1, 4, 4]
        layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "padded" }
        layers { layer { name: "conv1" type: "conv" num_output: 1 kernelsize: 5 } bottom: "padded" top: "conv1" }
    """)
    (conv,) = spec.layers
    assert list(conv.bottom) == ["data"]
    assert list(conv.convolution_param.pad) == [2]


def test_what_only_some_branch_of_caffe_knows_is_skipped():
    spec = parse_prototxt("""
        input: "x" input_dim: [1, 1, 4, 4] force_backward: true
        layer { name: "c" type: "Convolution" bottom: "x" top: "c" quantize_param { bits: 8 mode: FAST list: [1, 2] }
                convolution_param { num_output: 1 kernel_size: 1 engine: LIBDNN new_thing: 3 } propagate_down: false }
        layers { name: "b" type: BN bottom: "c" top: "b" bn_param { scale_filler { type: "constant" } } }
    """)
    assert {layer.type for layer in spec.layers} == {"Convolution", "BN"}


@pytest.mark.parametrize(
    ("syntax", "word"),
    [("layer", "RELU"), ("layer", "'ReLU'"), ("layers", "RELU"), ("layers", '"RELU"'), ("layers", '"relu"')],
)
def test_a_type_may_be_an_enumeration_or_a_text(syntax, word):
    spec = parse_prototxt(f'input: "x" {syntax} {{ name: "r" type: {word} bottom: "x" top: "r" }}')
    assert spec.layers[0].type == "ReLU"


def test_a_setting_given_twice_has_its_last_value():
    spec = parse_prototxt(
        'input: "x" layer { name: "r" type: "ReLU" bottom: "x" top: "r" relu_param { negative_slope: 1 negative_slope: 2 } }'
    )
    assert spec.layers[0].relu_param.negative_slope == 2


def test_an_odd_escape_is_no_warning():
    assert parse_prototxt(r'name: "a\ b" layer { name: "r" bottom: "x" param_str: "\d" }').layers


def test_a_byte_order_mark_and_latin_letters_do_no_harm():
    text = b"\xef\xbb\xbf" + 'name: "x" # ü\n'.encode() + b'layer { name: "r" bottom: "x" }'
    assert parse_prototxt(text).name == "x"
    assert parse_prototxt(b'name: "x" # \xfc\nlayer { name: "r" bottom: "x" }').name == "x"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (b"\n\x04tiny\xa2\x06\x00\x00\x00", "binary file; are prototxt and caffemodel the wrong way round"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"PK\x03\x04", "archive"),
        (b'net: "train.prototxt" base_lr: 0.1', "without layers"),
        (b"layer { name: 'a' ", "does not parse"),
        (b"layer { name: 'a' type: 'x' }\n\nlayer ] ", "line 3"),
        (b"layer { name: 'a' bottom: 'x' convolution_param { num_output: -4 } }", "line 1"),
        (b"layer { name: 'a' bottom: 'x' pooling_param { pool: FANCY } }", "FANCY"),
        (b"a {" * 5000, "nested too deeply"),
        (b"layer { type: 'ReLU' bottom: 'x' }", "neither a name nor a top"),
    ],
)
def test_what_is_no_network_is_refused_in_one_sentence(data, words):
    with pytest.raises(ModelFileError) as refused:
        parse_prototxt(data, where="net.prototxt")
    assert words in str(refused.value)
    assert str(refused.value).startswith("net.prototxt: ")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"nothing\.prototxt: no such prototxt"):
        read_prototxt(tmp_path / "nothing.prototxt")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_prototxt(tmp_path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(ModelFileError, match="wrong way round"):
        read_prototxt(tmp_path / "huge")


@pytest.mark.parametrize("seed", range(300))
def test_damaged_text_gives_a_network_or_one_of_our_errors(seed):
    chance = random.Random(seed)
    text = bytearray(chance.choice([TODAY, OLD, OLDEST]).encode())
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(text))
        match chance.randrange(4):
            case 0:
                text[place] = chance.randrange(256)
            case 1:
                del text[place : place + chance.randrange(1, 40)]
            case 2:
                text[place:place] = chance.choice(
                    [b"{", b"}", b'"', b":", b"<", b"[", b"-1", b"1e99", b"99999999999", b"\0"]
                )
            case _:
                text[place:place] = text[place : place + 60]
    try:
        spec = parse_prototxt(bytes(text))
    except NetdissectError:
        return
    assert spec.layers or spec.inputs
