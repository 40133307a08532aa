"""Right and wrong calls in Python: each gives a result or raises one of the project's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import Expected, add_attempt, expect_either, expect_error, expect_success

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.hostile.attempts import AttemptFolder

KIND = "calls in Python"


def _add_dissect(name: str, expected: Expected, **changed: Any) -> None:
    """Add a call of `dissect` with changed arguments; a callable value is called with the attempt's folder."""

    @add_attempt(KIND, name, expected)
    def _(folder: AttemptFolder) -> object:
        def call() -> str | None:
            from tests import nets

            import netdissect as nd

            arguments = {
                "model": nets.make_small_net(),
                "layers": "conv1",
                "data": str(folder.base / "set"),
                "quantile": 0.05,
            }
            for key, value in changed.items():
                arguments[key] = value(folder) if callable(value) else value
            model, layers, data = (arguments.pop(key) for key in ("model", "layers", "data"))
            result = nd.dissect(model, layers, data, **arguments)
            found = list(result.layers)
            return None if found else "no layer"

        return call


_add_dissect("plain", expect_success())
_add_dissect("progress=True", expect_either("progress"), progress=True)
_add_dissect("progress=False", expect_either("progress"), progress=False)
_add_dissect("layers=None", expect_error("layers"), layers=None)
_add_dissect("layers=[]", expect_error("layers"), layers=[])
_add_dissect("layers=0", expect_error("layers"), layers=0)
_add_dissect("a layer twice", expect_either("conv1|twice"), layers=["conv1", "conv1"])
_add_dissect("a layer that is not there", expect_error("conv9"), layers=["conv9"])
_add_dissect("data=None", expect_error("data|probe set"), data=None)
_add_dissect("data=7", expect_error("data|probe set"), data=7)
_add_dissect("data a list of files", expect_error("data|probe set"), data=["a.jpg", "b.jpg"])
_add_dissect("data a pathlib.Path", expect_success(), data=lambda folder: folder.base / "set")
_add_dissect("model=None", expect_error("model|network"), model=None)
_add_dissect(
    "model a state dict", expect_error("state dict|network|model|arch"), model=lambda _: _make_net().state_dict()
)
_add_dissect("preprocess a callable", expect_either("preprocess"), preprocess=lambda _: _scale)
_add_dissect("preprocess a word", expect_error("preprocess"), preprocess="imagenet")
_add_dissect("an option that does not exist", expect_error("color"), color="red")
_add_dissect("quantile a word", expect_error("quantile"), quantile="0.005")
_add_dissect("quantile None", expect_error("quantile"), quantile=None)
_add_dissect("quantile NaN", expect_error("quantile"), quantile=float("nan"))
_add_dissect("batch_size a fraction", expect_error("batch"), batch_size=1.5)
_add_dissect("batch_size True", expect_either("batch"), batch_size=True)
_add_dissect("limit a word", expect_error("limit"), limit="all")
_add_dissect("seed a fraction", expect_error("seed"), seed=0.5)
_add_dissect("device a torch.device", expect_either("device"), device=lambda _: _make_device())
_add_dissect("out a file", expect_error("run.json|folder"), out=lambda folder: folder.base / "run/run.json")
_add_dissect("out a number", expect_error("out|folder|path"), out=7)
_add_dissect("settings a dictionary", expect_error("settings"), settings={"quantile": 0.1})
_add_dissect("workers from an interactive program", expect_either("worker|module|import"), workers=2)


def _make_net() -> Any:
    from tests import nets

    return nets.make_small_net()


def _scale(x: Any) -> Any:
    return x / 255


def _make_device() -> Any:
    import torch

    return torch.device("cpu")


def _add_call(name: str, expected: Expected, what: Callable[[AttemptFolder], Any]) -> None:
    @add_attempt(KIND, name, expected)
    def _(folder: AttemptFolder) -> object:
        return lambda: what(folder)


def _pass_module_as_layer(folder: AttemptFolder) -> None:
    import netdissect as nd

    net = _make_net()
    nd.dissect(net, net.conv1, str(folder.base / "set"), quantile=0.05)


def _pass_class_as_model(folder: AttemptFolder) -> None:
    import netdissect as nd

    nd.dissect(type(_make_net()), "conv1", str(folder.base / "set"))


def _pass_loader(folder: AttemptFolder) -> None:
    import torch

    import netdissect as nd

    images = torch.utils.data.DataLoader(torch.zeros(4, 3, 32, 32), batch_size=2)
    nd.dissect(_make_net(), "conv1", images, quantile=0.05)
    del folder


def _pass_tensors(folder: AttemptFolder) -> None:
    import torch

    import netdissect as nd

    del folder
    nd.dissect(_make_net(), "conv1", torch.zeros(4, 3, 32, 32), quantile=0.05)


def _pass_broden_and_limit(folder: AttemptFolder) -> str | None:
    import netdissect as nd

    data = nd.Broden(folder.base / "set")
    result = nd.dissect(_make_net(), "conv1", data, limit=3, quantile=0.05)
    counted = result.probe_set.images if hasattr(result, "probe_set") else None
    return None if counted in (None, 3) else f"limit=3 was recorded over {counted} images"


def _index_by_number(folder: AttemptFolder) -> None:
    import netdissect as nd

    _ = nd.load(str(folder.base / "run"))[0]


def _index_by_wrong_name(folder: AttemptFolder) -> None:
    import netdissect as nd

    _ = nd.load(str(folder.base / "run"))["conv7"]


def _get_unit(number: object) -> Callable[[AttemptFolder], None]:
    def look(folder: AttemptFolder) -> None:
        import netdissect as nd

        nd.load(str(folder.base / "run"))["conv1"].unit(number)

    return look


def _load(what: object) -> Callable[[AttemptFolder], None]:
    def look(folder: AttemptFolder) -> None:
        import netdissect as nd

        nd.load(what(folder) if callable(what) else what)

    return look


_add_call("a module as layer", expect_either("layer"), _pass_module_as_layer)
_add_call("a class as model", expect_error("Module"), _pass_class_as_model)
_add_call("a DataLoader as probe set", expect_error("DataLoader|probe set|Broden"), _pass_loader)
_add_call("tensors as probe set", expect_error("Tensor|probe set|Broden"), _pass_tensors)
_add_call("Broden(…) and limit", expect_either("limit"), _pass_broden_and_limit)
_add_call("result[0]", expect_either("layer|0"), _index_by_number)
_add_call("result of a layer that is not there", expect_error("conv7"), _index_by_wrong_name)
_add_call("unit 0", expect_error("0|unit"), _get_unit(0))
_add_call("unit 999", expect_error("999|unit"), _get_unit(999))
_add_call("a unit that is a word", expect_error("unit|one"), _get_unit("one"))
_add_call("load nothing", expect_error("run|None|folder"), _load(None))
_add_call("load a number", expect_error("run|7|folder"), _load(7))
_add_call("load a folder that is not there", expect_error("nowhere"), _load("nowhere"))
_add_call("load a file", expect_error("run.json|folder"), _load(lambda folder: folder.base / "run/run.json"))
_add_call("load a probe set", expect_error("run"), _load(lambda folder: folder.base / "set"))


def _open_broden(what: object) -> Callable[[AttemptFolder], None]:
    def look(folder: AttemptFolder) -> None:
        import netdissect as nd

        nd.Broden(what(folder) if callable(what) else what)  # type: ignore[arg-type]

    return look


_add_call("Broden(None)", expect_error("probe set|None|folder"), _open_broden(None))
_add_call("Broden of a folder that is not there", expect_error("nowhere"), _open_broden("nowhere"))
_add_call("Broden of a run", expect_error("index.csv|Broden"), _open_broden(lambda folder: folder.base / "run"))
