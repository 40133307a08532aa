"""Calls in Python as people make them: what makes sense works, the rest is an error of the project's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import Expected, attempt, either, gives, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.hostile.attempts import Place

KIND = "calls in Python"


def _call(name: str, expected: Expected, **changed: Any) -> None:
    """Try dissect with one thing changed; a value that can be called is made from the attempt's folder."""

    @attempt(KIND, name, expected)
    def _(place: Place) -> object:
        def call() -> str | None:
            from tests import nets

            import netdissect as nd

            given = {"model": nets.small(), "layers": "conv1", "data": str(place.base / "set"), "quantile": 0.05}
            for key, value in changed.items():
                given[key] = value(place) if callable(value) else value
            model, layers, data = (given.pop(key) for key in ("model", "layers", "data"))
            result = nd.dissect(model, layers, data, **given)
            found = list(result.layers)
            return None if found else "no layer"

        return call


_call("plain", gives())
_call("progress=True", either("progress"), progress=True)
_call("progress=False", either("progress"), progress=False)
_call("layers=None", refused("layers"), layers=None)
_call("layers=[]", refused("layers"), layers=[])
_call("layers=0", refused("layers"), layers=0)
_call("a layer twice", either("conv1|twice"), layers=["conv1", "conv1"])
_call("a layer that is not there", refused("conv9"), layers=["conv9"])
_call("data=None", refused("data|probe set"), data=None)
_call("data=7", refused("data|probe set"), data=7)
_call("data a list of files", refused("data|probe set"), data=["a.jpg", "b.jpg"])
_call("data a pathlib.Path", gives(), data=lambda place: place.base / "set")
_call("model=None", refused("model|network"), model=None)
_call("model a state dict", refused("state dict|network|model|arch"), model=lambda _: _small().state_dict())
_call("preprocess a callable", either("preprocess"), preprocess=lambda _: _halved)
_call("preprocess a word", refused("preprocess"), preprocess="imagenet")
_call("an option that does not exist", refused("color"), color="red")
_call("quantile a word", refused("quantile"), quantile="0.005")
_call("quantile None", refused("quantile"), quantile=None)
_call("quantile NaN", refused("quantile"), quantile=float("nan"))
_call("batch_size a fraction", refused("batch"), batch_size=1.5)
_call("batch_size True", either("batch"), batch_size=True)
_call("limit a word", refused("limit"), limit="all")
_call("seed a fraction", refused("seed"), seed=0.5)
_call("device a torch.device", either("device"), device=lambda _: _device())
_call("out a file", refused("run.json|folder"), out=lambda place: place.base / "run/run.json")
_call("out a number", refused("out|folder|path"), out=7)
_call("settings a dictionary", refused("settings"), settings={"quantile": 0.1})
_call("workers from a program that is typed", either("worker|module|import"), workers=2)


def _small() -> Any:
    from tests import nets

    return nets.small()


def _halved(x: Any) -> Any:
    return x / 255


def _device() -> Any:
    import torch

    return torch.device("cpu")


def _also(name: str, expected: Expected, what: Callable[[Place], Any]) -> None:
    @attempt(KIND, name, expected)
    def _(place: Place) -> object:
        return lambda: what(place)


def _module_as_layer(place: Place) -> None:
    import netdissect as nd

    net = _small()
    nd.dissect(net, net.conv1, str(place.base / "set"), quantile=0.05)


def _class_as_model(place: Place) -> None:
    import netdissect as nd

    nd.dissect(type(_small()), "conv1", str(place.base / "set"))


def _loader(place: Place) -> None:
    import torch

    import netdissect as nd

    images = torch.utils.data.DataLoader(torch.zeros(4, 3, 32, 32), batch_size=2)
    nd.dissect(_small(), "conv1", images, quantile=0.05)
    del place


def _tensors(place: Place) -> None:
    import torch

    import netdissect as nd

    del place
    nd.dissect(_small(), "conv1", torch.zeros(4, 3, 32, 32), quantile=0.05)


def _broden_and_limit(place: Place) -> str | None:
    import netdissect as nd

    data = nd.Broden(place.base / "set")
    result = nd.dissect(_small(), "conv1", data, limit=3, quantile=0.05)
    said = result.probe_set.images if hasattr(result, "probe_set") else None
    return None if said in (None, 3) else f"limit=3 was recorded over {said} images"


def _by_number(place: Place) -> None:
    import netdissect as nd

    _ = nd.load(str(place.base / "run"))[0]


def _by_wrong_name(place: Place) -> None:
    import netdissect as nd

    _ = nd.load(str(place.base / "run"))["conv7"]


def _unit(number: object) -> Callable[[Place], None]:
    def look(place: Place) -> None:
        import netdissect as nd

        nd.load(str(place.base / "run"))["conv1"].unit(number)

    return look


def _load(what: object) -> Callable[[Place], None]:
    def look(place: Place) -> None:
        import netdissect as nd

        nd.load(what(place) if callable(what) else what)

    return look


_also("a module as layer", either("layer"), _module_as_layer)
_also("a class as model", refused("Module"), _class_as_model)
_also("a DataLoader as probe set", refused("DataLoader|probe set|Broden"), _loader)
_also("tensors as probe set", refused("Tensor|probe set|Broden"), _tensors)
_also("Broden(…) and limit", either("limit"), _broden_and_limit)
_also("result[0]", either("layer|0"), _by_number)
_also("result of a layer that is not there", refused("conv7"), _by_wrong_name)
_also("unit 0", refused("0|unit"), _unit(0))
_also("unit 999", refused("999|unit"), _unit(999))
_also("a unit that is a word", refused("unit|one"), _unit("one"))
_also("load nothing", refused("run|None|folder"), _load(None))
_also("load a number", refused("run|7|folder"), _load(7))
_also("load a folder that is not there", refused("nowhere"), _load("nowhere"))
_also("load a file", refused("run.json|folder"), _load(lambda place: place.base / "run/run.json"))
_also("load a probe set", refused("run"), _load(lambda place: place.base / "set"))


def _broden(what: object) -> Callable[[Place], None]:
    def look(place: Place) -> None:
        import netdissect as nd

        nd.Broden(what(place) if callable(what) else what)  # type: ignore[arg-type]

    return look


_also("Broden(None)", refused("probe set|None|folder"), _broden(None))
_also("Broden of a folder that is not there", refused("nowhere"), _broden("nowhere"))
_also("Broden of a run", refused("index.csv|Broden"), _broden(lambda place: place.base / "run"))
