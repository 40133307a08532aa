"""Encoders of sparse autoencoders, as libraries write them, compute what those libraries compute."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.models.encoder import read_encoder

U, L = 6, 10


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(0)
    return {
        "W": torch.randn(L, U, generator=generator),
        "b": torch.randn(L, generator=generator),
        "before": torch.randn(U, generator=generator),
        "threshold": torch.rand(L, generator=generator),
        "x": torch.randn(2, 3, 4, U, generator=generator),
    }


def written(folder, state, config=None, metadata=None):
    path = folder / "sae.safetensors"
    save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, path, metadata=metadata)
    if config is not None:
        (folder / "cfg.json").write_text(json.dumps(config))
    return path


def topk(latents, k):
    latents = latents.relu()
    lowest = latents.topk(k, dim=-1).values[..., -1:]
    return torch.where(latents >= lowest, latents, 0)


def library(name, p):
    """Return what a library's file holds, its configuration, and what its encoder computes."""
    W, b, before, threshold, x = (p[key] for key in ("W", "b", "before", "threshold", "x"))
    centred, plain = (x - before) @ W.T + b, x @ W.T + b
    match name:
        case "SAELens, standard":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            return (
                state,
                {"architecture": "standard", "activation_fn_str": "relu", "apply_b_dec_to_input": True},
                centred.relu(),
            )
        case "SAELens, without b_dec at its input":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            return state, {"architecture": "standard", "apply_b_dec_to_input": False}, plain.relu()
        case "SAELens, topk":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            return state, {"architecture": "topk", "k": 3, "apply_b_dec_to_input": True}, topk(centred, 3)
        case "SAELens, topk as it was called before":
            config = {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}
            return {"W_enc": W.T, "b_enc": b, "b_dec": before}, config, topk(centred, 2)
        case "SAELens, jumprelu":
            state = {"W_enc": W.T, "b_enc": b, "b_dec": before, "threshold": threshold}
            return state, {"architecture": "jumprelu", "apply_b_dec_to_input": True}, centred * (centred > threshold)
        case "SAELens, gated":
            state = {"W_enc": W.T, "b_gate": b, "b_mag": b / 2, "r_mag": threshold, "b_dec": before}
            raw = (x - before) @ W.T
            expected = ((raw + b) > 0) * (raw * threshold.exp() + b / 2).relu()
            return state, {"architecture": "gated", "apply_b_dec_to_input": True}, expected
        case "sparsify":
            state = {"encoder.weight": W, "encoder.bias": b, "W_dec": W, "b_dec": before}
            return state, {"activation": "topk", "k": 4, "d_in": U}, topk(centred, 4)
        case "dictionary_learning":
            state = {"encoder.weight": W, "encoder.bias": b, "decoder.weight": W.T, "bias": before}
            return state, None, centred.relu()
        case "OpenAI":
            state = {"encoder.weight": W, "latent_bias": b, "pre_bias": before}
            return state, {"activation": "TopK", "k": 5}, topk(centred, 5)
        case "Gemma Scope":
            state = {"w_enc": W.T, "b_enc": b, "b_dec": before, "threshold": threshold}
            return state, None, plain * (plain > threshold)
        case "a threshold for all latents":
            state = {
                "encoder.weight": W,
                "encoder.bias": b,
                "b_dec": before,
                "threshold": torch.tensor(0.3),
                "k": torch.tensor(3),
            }
            return state, {"apply_b_dec_to_input": True}, centred * (centred > 0.3)
        case "a threshold as its logarithm":
            return {"W_enc": W.T, "b_enc": b, "log_threshold": threshold.log()}, None, plain * (plain > threshold)
        case "a linear map":
            return {"weight": W, "bias": b}, None, plain
        case "a linear map under a name of its own":
            return {"probe.weight": W}, None, x @ W.T
    raise AssertionError(name)


@pytest.mark.parametrize("k", [L - 1, L, L + 1, 3 * L])
def test_of_more_latents_than_there_are_all_stay(parts, k, tmp_path):
    state = {"encoder.weight": parts["W"], "latent_bias": parts["b"], "pre_bias": parts["before"]}
    encoder = read_encoder(written(tmp_path, state, {"activation": "TopK", "k": k}))
    latents = ((parts["x"] - parts["before"]) @ parts["W"].T + parts["b"]).relu()
    expected = topk(latents, k) if k < L else latents
    torch.testing.assert_close(encoder(parts["x"]), expected)


LIBRARIES = [
    "SAELens, standard", "SAELens, without b_dec at its input", "SAELens, topk", "SAELens, topk as it was called before",
    "SAELens, jumprelu", "SAELens, gated", "sparsify", "dictionary_learning", "OpenAI", "Gemma Scope",
    "a threshold for all latents", "a threshold as its logarithm", "a linear map",
    "a linear map under a name of its own",
]  # fmt: skip


@pytest.mark.parametrize("name", LIBRARIES)
def test_an_encoder_computes_what_its_library_does(tmp_path, parts, name):
    state, config, expected = library(name, parts)
    encoder = read_encoder(written(tmp_path, state, config))
    assert (encoder.units, encoder.latents) == (U, L)
    torch.testing.assert_close(encoder(parts["x"]), expected)


def test_what_a_file_does_not_say_is_assumed_and_told(tmp_path, parts):
    state = {"W_enc": parts["W"].T, "b_enc": parts["b"], "b_dec": parts["before"]}
    told = read_encoder(written(tmp_path, state)).describe()
    assert told == "10 latents of 6 units, relu, b_dec subtracted first, assumed: relu, b_dec subtracted"
    config = {"architecture": "standard", "activation_fn": "relu", "apply_b_dec_to_input": True}
    assert "assumed" not in read_encoder(written(tmp_path, state, config)).describe()


def test_metadata_of_the_file_come_before_the_configuration_beside_it(tmp_path, parts):
    state = {"encoder.weight": parts["W"], "b_dec": parts["before"]}
    metadata = {"activation": "topk", "k": "2", "subtract_b_dec": "false"}
    manner = read_encoder(written(tmp_path, state, {"activation": "relu", "k": 7}, metadata)).manner
    assert (manner.activation, manner.k, manner.subtract) == ("topk", 2, False)


@pytest.mark.parametrize(
    ("change", "config", "sentence"),
    [
        ({"b_enc": torch.zeros(3)}, None, r"makes 10 latents of 6 units, and its bias has the shape \(3,\)"),
        ({"b_dec": torch.zeros(L)}, None, r"its before has the shape \(10,\)"),
        ({}, {"activation": "topk"}, "nothing says how many latents are active"),
        ({}, {"architecture": "jumprelu"}, "its activation is jumprelu, and it holds no threshold"),
        ({}, {"activation": "softmax"}, "is none of none, relu, topk, jumprelu, gated"),
        ({}, {"normalize_activations": "layer_norm"}, r"wants its input normalised \(layer_norm\) .*projection=module"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, parts, change, config, sentence):
    state = {"W_enc": parts["W"].T, "b_enc": parts["b"], "b_dec": parts["before"]} | change
    with pytest.raises(ModelFileError, match=sentence.replace(" .*", ".*")):
        read_encoder(written(tmp_path, state, config))


def test_a_file_without_an_encoder_is_told(tmp_path):
    with pytest.raises(ModelFileError, match=r"expected an encoder's weights, W_enc .* got W_dec"):
        read_encoder(written(tmp_path, {"W_dec": torch.zeros(2, 3)}))
    with pytest.raises(ModelNotFoundError, match="there is no weights file"):
        read_encoder(tmp_path / "none.safetensors")
    (tmp_path / "sae.safetensors").write_bytes(np.random.default_rng(0).bytes(200))
    with pytest.raises(ModelFileError, match="expected a safetensors file"):
        read_encoder(tmp_path / "sae.safetensors")


def test_a_damaged_configuration_is_told(tmp_path, parts):
    path = written(tmp_path, {"encoder.weight": parts["W"]})
    (tmp_path / "cfg.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"cfg.json: expected JSON"):
        read_encoder(path)


def test_a_checkpoint_of_tensors_is_read_too(tmp_path, parts):
    torch.save({"encoder.weight": parts["W"], "encoder.bias": parts["b"]}, tmp_path / "sae.pth")
    encoder = read_encoder(tmp_path / "sae.pth")
    torch.testing.assert_close(encoder(parts["x"]), (parts["x"] @ parts["W"].T + parts["b"]).relu())
