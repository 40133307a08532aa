"""State dicts as trainers write them: wrapped, averaged, of arrays, without classifier; and encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import attempt, gives, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.hostile.attempts import Place

KIND = "checkpoints"
_ARCH = "torchvision:squeezenet1_1"  # small, with names that say little


def _weights() -> dict[str, Any]:
    import torch
    import torchvision

    torch.manual_seed(3)
    return torchvision.models.squeezenet1_1(weights=None).state_dict()


def _wrap(prefix: str) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: {f"{prefix}{name}": value for name, value in plain.items()}


def _inside(middle: str) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: {
        ".".join([*name.split(".")[:1], middle, *name.split(".")[1:]]): value for name, value in plain.items()
    }


def _numpy(plain: dict[str, Any]) -> Any:
    return {name: value.numpy() for name, value in plain.items()}


def _averaged(plain: dict[str, Any]) -> Any:
    return {"model": {name: value - 1 for name, value in plain.items()}, "ema": plain}


for _name, _make in (
    ("plain", lambda plain: plain),
    ("state_dict", lambda plain: {"state_dict": plain, "epoch": 3}),
    ("DataParallel", _wrap("module.")),
    ("Lightning", lambda plain: {"state_dict": _wrap("model.")(plain), "hyper_parameters": {}}),
    ("compiled", _wrap("_orig_mod.")),
    ("compiled and parallel", _wrap("module._orig_mod.")),
    ("a part compiled", _inside("_orig_mod")),
    ("a part parallel", _inside("module")),
    ("arrays of numpy", _numpy),
    ("averaged beside plain", _averaged),
    ("ema without tensors", lambda plain: {"ema": {"decay": 0.999}, "net": plain}),
    ("a config called model", lambda plain: {"model": {"width": 3}, "weights": plain}),
    ("under an unusual key", lambda plain: {"mein_netz": plain}),
):

    @attempt(KIND, _name, gives())
    def _(place: Place, make: Callable[[dict[str, Any]], Any] = _make) -> object:
        import torch

        plain = _weights()
        path = place.folder / "net.pth"
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
    ("whose keys nobody knows", lambda plain: {f"a{n}": v for n, v in enumerate(plain.values())}, "a0|fit|key"),
    (
        "with a tensor of another shape",
        lambda plain: plain | {"features.0.bias": plain["features.0.bias"][:3]},
        "features.0.bias",
    ),
    ("with NaN", lambda plain: {name: value * float("nan") for name, value in plain.items()}, "NaN|finite"),
):

    @attempt(KIND, f"a state dict {_name}", refused(_sentence))
    def _(place: Place, make: Callable[[dict[str, Any]], Any] = _make) -> object:
        import torch

        torch.save(make(dict(_weights())), place.folder / "net.pth")
        return place.run("--arch", _ARCH, "--resolution", "64", model=place.folder / "net.pth", layers="features.3")


@attempt(KIND, "a backbone without its classifier", gives())
def _(place: Place) -> object:
    import torch

    plain = {name: value for name, value in _weights().items() if name.startswith("features")}
    torch.save(plain, place.folder / "net.pth")
    return place.run("--arch", _ARCH, "--resolution", "64", model=place.folder / "net.pth", layers="features.3")


def _encoder(place: Place, tensors: dict[str, Any]) -> object:
    import torch

    torch.save(tensors, place.folder / "sae.pt")
    return place.run("--projection", place.folder / "sae.pt")


for _name, _extra, _sentence in (
    ("of which a tensor is not understood", {"wonder": (7,)}, "wonder"),
    ("of gates that nobody reads", {"gate_scale_x": (8,)}, "gate_scale_x"),
):

    @attempt(KIND, f"an encoder {_name}", refused(_sentence))
    def _(place: Place, extra: dict[str, tuple[int, ...]] = _extra) -> object:
        import torch

        plain = {"encoder.weight": torch.ones(8, 5), "encoder.bias": torch.zeros(8), "decoder.weight": torch.ones(5, 8)}
        return _encoder(place, plain | {name: torch.ones(shape) for name, shape in extra.items()})


@attempt(KIND, "an encoder for another number of units", refused("units|5"))
def _(place: Place) -> object:
    import torch

    return _encoder(place, {"encoder.weight": torch.ones(8, 6), "encoder.bias": torch.zeros(8)})
