"""Encoders of sparse autoencoders, as libraries write them, compute what those libraries compute."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.units.encoder_files import read_encoder

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
    centered, plain = (x - before) @ W.T + b, x @ W.T + b
    match name:
        case "SAELens, standard":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            return (
                state,
                {"architecture": "standard", "activation_fn_str": "relu", "apply_b_dec_to_input": True},
                centered.relu(),
            )
        case "SAELens, without b_dec at its input":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            return state, {"architecture": "standard", "apply_b_dec_to_input": False}, plain.relu()
        case "SAELens, topk":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            return state, {"architecture": "topk", "k": 3, "apply_b_dec_to_input": True}, topk(centered, 3)
        case "SAELens, topk as it was called before":
            config = {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}
            return {"W_enc": W.T, "b_enc": b, "b_dec": before}, config, topk(centered, 2)
        case "SAELens, jumprelu":
            state = {"W_enc": W.T, "b_enc": b, "b_dec": before, "threshold": threshold}
            return state, {"architecture": "jumprelu", "apply_b_dec_to_input": True}, centered * (centered > threshold)
        case "SAELens, gated":
            state = {"W_enc": W.T, "b_gate": b, "b_mag": b / 2, "r_mag": threshold, "b_dec": before}
            raw = (x - before) @ W.T
            expected = ((raw + b) > 0) * (raw * threshold.exp() + b / 2).relu()
            return state, {"architecture": "gated", "apply_b_dec_to_input": True}, expected
        case "sparsify":
            state = {"encoder.weight": W, "encoder.bias": b, "W_dec": W, "b_dec": before}
            return state, {"activation": "topk", "k": 4, "d_in": U}, topk(centered, 4)
        case "dictionary_learning":
            state = {"encoder.weight": W, "encoder.bias": b, "decoder.weight": W.T, "bias": before}
            return state, None, centered.relu()
        case "SAELens, topk of rescaled sums":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": 2 * W, "b_dec": before}
            config = {
                "architecture": "topk",
                "k": 3,
                "apply_b_dec_to_input": True,
                "rescale_acts_by_decoder_norm": True,
            }
            return state, config, topk(centered * (2 * W).norm(dim=-1), 3)
        case "SAELens, with layer norm":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            config = {"architecture": "standard", "apply_b_dec_to_input": True, "normalize_activations": "layer_norm"}
            return state, config, ((standardized(x) - before) @ W.T + b).relu()
        case "SAELens, rescaled to a constant norm":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before}
            config = {"apply_b_dec_to_input": False, "normalize_activations": "constant_norm_rescale"}
            return state, config, ((x * U**0.5 / x.norm(dim=-1, keepdim=True)) @ W.T + b).relu()
        case "SAELens, a transcoder of jumps":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": torch.ones(U), "threshold": threshold}
            return state, {"architecture": "jumprelu_transcoder"}, plain * (plain > threshold)
        case "sparsify, a transcoder with a skip connection":
            state = {"encoder.weight": W, "encoder.bias": b, "W_dec": W, "b_dec": before, "W_skip": torch.eye(U)}
            return state, {"activation": "topk", "k": 4, "transcode": True}, topk(plain, 4)
        case "OpenAI":
            state = {"encoder.weight": W, "latent_bias": b, "pre_bias": before}
            return state, {"activation": "TopK", "k": 5}, topk(centered, 5)
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
            config = {"architecture": "batchtopk", "apply_b_dec_to_input": True}
            return state, config, centered * (centered > 0.3)
        case "a threshold as its logarithm":
            return {"W_enc": W.T, "b_enc": b, "log_threshold": threshold.log()}, None, plain * (plain > threshold)
        case "a linear map":
            return {"weight": W, "bias": b}, None, plain
        case "a linear map under a name of its own":
            return {"probe.weight": W}, None, x @ W.T
        case "dictionary_learning, AutoEncoder":
            state = {"encoder.weight": W, "encoder.bias": b, "decoder.weight": W.T, "bias": before}
            return state, dict_class("AutoEncoder"), centered.relu()
        case "dictionary_learning, AutoEncoderNew":
            state = {"encoder.weight": W, "encoder.bias": b, "decoder.weight": W.T, "decoder.bias": before}
            return state, dict_class("AutoEncoderNew"), plain.relu()
        case "dictionary_learning, GatedAutoEncoder" | "dictionary_learning, gated, without its configuration":
            state = {
                "encoder.weight": W, "decoder.weight": W.T, "decoder_bias": before, "gate_bias": b, "mag_bias": b / 2,
                "r_mag": threshold,
            }  # fmt: skip
            raw = (x - before) @ W.T
            expected = ((raw + b) > 0) * (raw * threshold.exp() + b / 2).relu()
            return state, dict_class("GatedAutoEncoder") if "without" not in name else None, expected
        case "dictionary_learning, JumpReluAutoEncoder":
            state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before, "threshold": threshold}
            return state, dict_class("JumpReluAutoEncoder"), plain * (plain > threshold)
        case "dictionary_learning, AutoEncoderTopK":
            state = {
                "encoder.weight": W, "encoder.bias": b, "decoder.weight": W.T, "b_dec": before, "k": torch.tensor(3),
                "threshold": torch.tensor(-1.0),
            }  # fmt: skip
            return state, dict_class("AutoEncoderTopK", k=3), topk(centered, 3)
        case "dictionary_learning, BatchTopKSAE":
            state = {
                "encoder.weight": W, "encoder.bias": b, "decoder.weight": W.T, "b_dec": before, "k": torch.tensor(3),
                "threshold": torch.tensor(0.4),
            }  # fmt: skip
            return state, dict_class("BatchTopKSAE", k=3), centered.relu() * (centered > 0.4)
        case "dictionary_learning, MatryoshkaBatchTopKSAE":
            state = {
                "W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before, "k": torch.tensor(3),
                "threshold": torch.tensor(0.4), "group_sizes": torch.tensor([4, 6]),
            }  # fmt: skip
            return state, dict_class("MatryoshkaBatchTopKSAE"), centered.relu() * (centered > 0.4)
    raise AssertionError(name)


@pytest.mark.parametrize("k", [L - 1, L, L + 1, 3 * L])
def test_of_more_latents_than_there_are_all_stay(parts, k, tmp_path):
    state = {"encoder.weight": parts["W"], "latent_bias": parts["b"], "pre_bias": parts["before"]}
    encoder = read_encoder(written(tmp_path, state, {"activation": "TopK", "k": k}))
    latents = ((parts["x"] - parts["before"]) @ parts["W"].T + parts["b"]).relu()
    expected = topk(latents, k) if k < L else latents
    torch.testing.assert_close(encoder(parts["x"]), expected)


def dict_class(name, **more):
    """What dictionary_learning writes into config.json."""
    return {"trainer": {"trainer_class": "A trainer", "dict_class": name, "activation_dim": U, **more}, "buffer": {}}


def standardized(x):
    x = x - x.mean(dim=-1, keepdim=True)
    return x / (x.std(dim=-1, keepdim=True) + 1e-5)


LIBRARIES = [
    "SAELens, standard", "SAELens, without b_dec at its input", "SAELens, topk", "SAELens, topk as it was called before",
    "SAELens, jumprelu", "SAELens, gated", "sparsify", "dictionary_learning", "OpenAI", "Gemma Scope",
    "a threshold for all latents", "a threshold as its logarithm", "a linear map",
    "a linear map under a name of its own", "SAELens, topk of rescaled sums", "SAELens, with layer norm",
    "SAELens, rescaled to a constant norm", "SAELens, a transcoder of jumps",
    "sparsify, a transcoder with a skip connection", "dictionary_learning, AutoEncoder",
    "dictionary_learning, AutoEncoderNew", "dictionary_learning, GatedAutoEncoder",
    "dictionary_learning, gated, without its configuration", "dictionary_learning, JumpReluAutoEncoder",
    "dictionary_learning, AutoEncoderTopK", "dictionary_learning, BatchTopKSAE",
    "dictionary_learning, MatryoshkaBatchTopKSAE",
]  # fmt: skip


@pytest.mark.parametrize("name", LIBRARIES)
def test_an_encoder_computes_what_its_library_does(tmp_path, parts, name):
    state, config, expected = library(name, parts)
    encoder = read_encoder(written(tmp_path, state, config))
    assert (encoder.units, encoder.latents) == (U, L)
    torch.testing.assert_close(encoder(parts["x"]), expected)


def test_what_a_file_does_not_say_is_assumed_and_reported(tmp_path, parts):
    state = {"W_enc": parts["W"].T, "b_enc": parts["b"], "b_dec": parts["before"]}
    told = read_encoder(written(tmp_path, state)).describe()
    assert re.fullmatch("10 latents of 6 units, .*relu, b_dec subtracted.* assumed: relu, b_dec subtracted", told)
    config = {"architecture": "standard", "activation_fn": "relu", "apply_b_dec_to_input": True}
    assert "assumed" not in read_encoder(written(tmp_path, state, config)).describe()


def test_metadata_of_the_file_come_before_the_configuration_beside_it(tmp_path, parts):
    state = {"encoder.weight": parts["W"], "b_dec": parts["before"]}
    metadata = {"activation": "topk", "k": "2", "subtract_b_dec": "false"}
    manner = read_encoder(written(tmp_path, state, {"activation": "relu", "k": 7}, metadata)).config
    assert (manner.activation, manner.k, manner.subtract) == ("topk", 2, False)


@pytest.mark.parametrize(
    ("change", "config", "sentence"),
    [
        ({"b_enc": torch.zeros(3)}, None, r"makes 10 latents of 6 units, and its bias has the shape \(3,\)"),
        ({"b_dec": torch.zeros(L)}, None, r"its before has the shape \(10,\)"),
        ({}, {"activation": "topk"}, "nothing says how many latents are active"),
        ({}, {"architecture": "jumprelu"}, "its activation is jumprelu, but it holds no threshold"),
        ({}, {"activation": "softmax"}, "its class or activation 'softmax' is not among the known ones"),
        (
            {},
            {"trainer": {"dict_class": "CrossCoder"}},
            "its class or activation 'CrossCoder' is not among the known ones",
        ),
        ({}, {"architecture": "gated", "activation": "topk"}, "its settings contradict each other: gated, topk"),
        ({}, {"normalize_activations": "expected_average_only_in"}, "its input must be normalized .*projection=module"),
        ({"b_gate": torch.zeros(L)}, None, "its activation is gated, but it holds no magnitude"),
        ({"r_mag": torch.zeros(L)}, {"architecture": "standard"}, "its activation is relu, which does not use r_mag"),
        (
            {"threshold": torch.zeros(L)},
            {"trainer": {"dict_class": "AutoEncoder"}},
            "relu, which does not use threshold",
        ),
        (
            {"threshold": torch.tensor(0.1), "k": torch.tensor(2)},
            None,
            "it holds both k and a threshold, .* nothing says",
        ),
        ({"gate_weight": torch.zeros(L, U)}, None, "its tensor 'gate_weight' is not a known part of an encoder"),
        ({"encoder.1.running_mean": torch.zeros(L)}, None, "its tensor 'encoder.1.running_mean' is not a known part"),
        ({"scaling_factor": torch.full((L,), 2.0)}, None, "its tensor 'scaling_factor' is not a known part"),
        ({"mag_bias": torch.zeros(L)}, None, "its tensor 'mag_bias' is not a known part"),
        ({}, {"finetuning_scaling_factor": True}, "its latents are scaled by a fine-tuned factor"),
    ],
)
def test_what_cannot_be_read_is_reported(tmp_path, parts, change, config, sentence):
    state = {"W_enc": parts["W"].T, "b_enc": parts["b"], "b_dec": parts["before"]} | change
    with pytest.raises(ModelFileError, match=sentence.replace(" .*", ".*")):
        read_encoder(written(tmp_path, state, config))


def test_a_file_without_an_encoder_is_reported(tmp_path):
    with pytest.raises(ModelFileError, match=r"expected an encoder's weights, W_enc .* got W_dec"):
        read_encoder(written(tmp_path, {"W_dec": torch.zeros(2, 3)}))
    with pytest.raises(ModelNotFoundError, match="there is no weights file"):
        read_encoder(tmp_path / "none.safetensors")
    (tmp_path / "sae.safetensors").write_bytes(np.random.default_rng(0).bytes(200))
    with pytest.raises(ModelFileError, match="expected a safetensors file"):
        read_encoder(tmp_path / "sae.safetensors")


def test_a_damaged_configuration_is_reported(tmp_path, parts):
    path = written(tmp_path, {"encoder.weight": parts["W"]})
    (tmp_path / "cfg.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"cfg.json: expected an encoder's settings as JSON"):
        read_encoder(path)


def test_a_checkpoint_of_tensors_is_read_too(tmp_path, parts):
    torch.save({"encoder.weight": parts["W"], "encoder.bias": parts["b"]}, tmp_path / "sae.pth")
    encoder = read_encoder(tmp_path / "sae.pth")
    torch.testing.assert_close(encoder(parts["x"]), (parts["x"] @ parts["W"].T + parts["b"]).relu())


def test_openais_files_say_what_they_are_among_their_tensors_and_their_topk_kind_normalises(tmp_path, parts):
    W, b, before, x = (parts[key] for key in ("W", "b", "before", "x"))
    state = {
        "pre_bias": before, "encoder.weight": W, "latent_bias": b, "decoder.weight": W.T,
        "stats_last_nonzero": torch.zeros(L, dtype=torch.long),
    }  # fmt: skip
    torch.save({**state, "activation": "ReLU"}, tmp_path / "relu.pt")
    torch.testing.assert_close(read_encoder(tmp_path / "relu.pt")(x), ((x - before) @ W.T + b).relu())
    told = {"activation": "TopK", "activation_state_dict": {"k": 4, "postact_fn": "ReLU"}}
    torch.save({**state, **told}, tmp_path / "topk.pt")
    torch.testing.assert_close(read_encoder(tmp_path / "topk.pt")(x), topk((standardized(x) - before) @ W.T + b, 4))
    torch.save({**state, **told, "activation_state_dict": {"k": 4, "postact_fn": "Identity"}}, tmp_path / "other.pt")
    with pytest.raises(ModelFileError, match="its class or activation 'TopK of Identity' is not among the known ones"):
        read_encoder(tmp_path / "other.pt")


@pytest.mark.parametrize("kept", [lambda s: {"sae": s, "optimizer": {"x": torch.zeros(L, U)}}, lambda s: {"state_dict": {f"module.ae.{n}": t for n, t in s.items()}}])  # fmt: skip
def test_an_encoder_is_found_under_any_key(tmp_path, parts, kept):
    state = {"encoder.weight": parts["W"], "encoder.bias": parts["b"], "decoder.weight": parts["W"].T}
    torch.save(kept(state), tmp_path / "sae.pt")
    torch.testing.assert_close(
        read_encoder(tmp_path / "sae.pt")(parts["x"]), (parts["x"] @ parts["W"].T + parts["b"]).relu()
    )


def test_of_several_encoders_none_is_guessed(tmp_path, parts):
    torch.save({"a": {"W_enc": parts["W"].T}, "b": {"W_enc": parts["W"].T}}, tmp_path / "saes.pt")
    with pytest.raises(ModelFileError, match=r"holds several encoders, below 'a\.', 'b\.', and nothing says which"):
        read_encoder(tmp_path / "saes.pt")


def test_gemma_scopes_arrays_are_read_as_they_are_published(tmp_path, parts):
    W, b, before, threshold, x = (parts[key] for key in ("W", "b", "before", "threshold", "x"))
    state = {"W_enc": W.T, "b_enc": b, "W_dec": W, "b_dec": before, "threshold": threshold}
    path = tmp_path / "params.npz"
    np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    plain = x @ W.T + b
    torch.testing.assert_close(read_encoder(path)(x), plain * (plain > threshold))
    np.savez(path, W_enc=np.array([{}], dtype=object))
    with pytest.raises(ModelFileError, match=r"params\.npz: expected arrays of numpy .*, not of numbers"):
        read_encoder(path)
    np.savez_compressed(path, W_enc=np.zeros(2**25))
    with pytest.raises(ModelFileError, match=r"params\.npz: its [\d,]+ bytes would unpack to 268,[\d,]+"):
        read_encoder(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFileError, match="whose directory is damaged"):
        read_encoder(path)


def test_a_configuration_that_is_no_regular_file_is_reported(tmp_path, parts):
    path = written(tmp_path, {"encoder.weight": parts["W"]})
    os.mkfifo(tmp_path / "cfg.json")
    with pytest.raises(ModelFileError, match=r"cfg\.json cannot be read .* got a named pipe"):
        read_encoder(path)
