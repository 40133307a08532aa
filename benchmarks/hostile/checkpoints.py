"""State dicts as trainers write them (wrapped, averaged, NumPy arrays, without classifier), and encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import add_attempt, expect_error, expect_success

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.hostile.attempts import AttemptFolder

KIND = "checkpoints"
_ARCH = "torchvision:squeezenet1_1"  # small


def _make_weights() -> dict[str, Any]:
    import torch
    import torchvision

    torch.manual_seed(3)
    return torchvision.models.squeezenet1_1(weights=None).state_dict()


def _add_prefix(prefix: str) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: {f"{prefix}{name}": value for name, value in plain.items()}


def _add_inside(middle: str) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: {
        ".".join([*name.split(".")[:1], middle, *name.split(".")[1:]]): value for name, value in plain.items()
    }


def _convert_to_numpy(plain: dict[str, Any]) -> Any:
    return {name: value.numpy() for name, value in plain.items()}


def _add_average(plain: dict[str, Any]) -> Any:
    return {"model": {name: value - 1 for name, value in plain.items()}, "ema": plain}


for _name, _make in (
    ("plain", lambda plain: plain),
    ("state_dict", lambda plain: {"state_dict": plain, "epoch": 3}),
    ("DataParallel", _add_prefix("module.")),
    ("Lightning", lambda plain: {"state_dict": _add_prefix("model.")(plain), "hyper_parameters": {}}),
    ("compiled", _add_prefix("_orig_mod.")),
    ("compiled and parallel", _add_prefix("module._orig_mod.")),
    ("a part compiled", _add_inside("_orig_mod")),
    ("a part parallel", _add_inside("module")),
    ("NumPy arrays", _convert_to_numpy),
    ("with averaged weights", _add_average),
    ("ema without tensors", lambda plain: {"ema": {"decay": 0.999}, "net": plain}),
    ("a config called model", lambda plain: {"model": {"width": 3}, "weights": plain}),
    ("under an unusual key", lambda plain: {"mein_netz": plain}),
):

    @add_attempt(KIND, _name, expect_success())
    def _(folder: AttemptFolder, make: Callable[[dict[str, Any]], Any] = _make) -> object:
        import torch

        plain = _make_weights()
        path = folder.path / "net.pth"
        torch.save(make(dict(plain)), path)

        def call() -> str | None:
            from netdissect.networks.load import LoadOptions, open_network

            network: Any = open_network(str(path), LoadOptions(arch=_ARCH))
            found = network.module.state_dict()
            wrong = [name for name, value in plain.items() if not torch.equal(found[name], value)]
            return f"{len(wrong)} tensors differ, {wrong[0]} first" if wrong else None

        return call


for _name, _make, _sentence in (
    ("of another network", lambda _: {"state_dict": {"fc.weight": 1.0}}, "squeezenet|tensor|fit|weights|key"),
    ("of a list", lambda _: [1, 2], "squeezenet|state dict|list|weights|dict"),
    ("of nothing", lambda _: {}, "squeezenet|tensor|weights|empty|key"),
    ("with unknown keys", lambda plain: {f"a{n}": v for n, v in enumerate(plain.values())}, "a0|fit|key"),
    (
        "with a tensor of another shape",
        lambda plain: plain | {"features.0.bias": plain["features.0.bias"][:3]},
        "features.0.bias",
    ),
    ("with NaN", lambda plain: {name: value * float("nan") for name, value in plain.items()}, "NaN|finite"),
):

    @add_attempt(KIND, f"a state dict {_name}", expect_error(_sentence))
    def _(folder: AttemptFolder, make: Callable[[dict[str, Any]], Any] = _make) -> object:
        import torch

        torch.save(make(dict(_make_weights())), folder.path / "net.pth")
        return folder.make_run_command(
            "--arch", _ARCH, "--resolution", "64", model=folder.path / "net.pth", layers="features.3"
        )


@add_attempt(KIND, "a backbone without its classifier", expect_success())
def _(folder: AttemptFolder) -> object:
    import torch

    plain = {name: value for name, value in _make_weights().items() if name.startswith("features")}
    torch.save(plain, folder.path / "net.pth")
    return folder.make_run_command(
        "--arch", _ARCH, "--resolution", "64", model=folder.path / "net.pth", layers="features.3"
    )


def _run_encoder(folder: AttemptFolder, tensors: dict[str, Any]) -> object:
    import torch

    torch.save(tensors, folder.path / "sae.pt")
    return folder.make_run_command("--projection", folder.path / "sae.pt")


for _name, _extra, _sentence in (
    ("with an unknown tensor", {"wonder": (7,)}, "wonder"),
    ("with gates that are not supported", {"gate_scale_x": (8,)}, "gate_scale_x"),
):

    @add_attempt(KIND, f"an encoder {_name}", expect_error(_sentence))
    def _(folder: AttemptFolder, extra: dict[str, tuple[int, ...]] = _extra) -> object:
        import torch

        plain = {"encoder.weight": torch.ones(8, 5), "encoder.bias": torch.zeros(8), "decoder.weight": torch.ones(5, 8)}
        return _run_encoder(folder, plain | {name: torch.ones(shape) for name, shape in extra.items()})


@add_attempt(KIND, "an encoder for another number of units", expect_error("units|5"))
def _(folder: AttemptFolder) -> object:
    import torch

    return _run_encoder(folder, {"encoder.weight": torch.ones(8, 6), "encoder.bias": torch.zeros(8)})
