"""``netdissect run``: dissect layers of a network."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from netdissect.cli.console import Bars, say
from netdissect.cli.options import MODEL, MethodOptions, ModelOptions, WorkOptions
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from netdissect.api import Result
    from netdissect.models.network import Network

_OLD = Parameter(group=Group("Spellings of the released code", sort_key=9, show=False), show=False)
_NO_LONGER = {
    "tallydepth": "--tallydepth: nothing is cut off any more, every pixel is counted",
    "tallybatch": "--tallybatch: there is no separate tally phase any more, --batch-size sets the images per forward pass",
    "force": "--force: results are never reused across settings any more, --fresh starts a run over",
    "endafter": "--endafter: a run has one phase now, --no-pictures leaves out the report",
}
_Several = Parameter(consume_multiple=True, negative_iterable="", group=MODEL)


def run(
    model: Annotated[str | None, Parameter(group=MODEL)] = None,
    /,
    *,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer"]), _Several] = None,
    data: Annotated[str | None, Parameter(["--data", "--dataset"], group=MODEL)] = None,
    out: Annotated[Path | None, Parameter(["--out", "--workdir"], group=MODEL)] = None,
    projection: Annotated[list[str] | None, _Several] = None,
    of_model: ModelOptions = ModelOptions(),
    of_method: MethodOptions = MethodOptions(),
    of_work: WorkOptions = WorkOptions(),
    model_option: Annotated[str | None, Parameter("--model"), _OLD] = None,
    proto: Annotated[str | None, _OLD] = None,
    gpu: Annotated[str | None, _OLD] = None,
    rotation_seed: Annotated[int | None, _OLD] = None,
    rotation_power: Annotated[float, _OLD] = 1.0,
    tallydepth: Annotated[str | None, _OLD] = None,
    tallybatch: Annotated[str | None, _OLD] = None,
    force: Annotated[str | None, _OLD] = None,
    endafter: Annotated[str | None, _OLD] = None,
) -> None:
    """Dissect layers of a network: one forward pass over a probe set, labelled units and a report.

    Args:
        model: PATH.prototxt,PATH.caffemodel or their stem; torchvision:NAME; timm:NAME; hf:NAME or hf:FOLDER;
            python:module:function; FILE.pth, .safetensors or .ckpt with --arch.
        layers: layers to probe, as netdissect layers names them.
        data: probe set: a folder in Broden's format.
        out: folder of the run; dissection/MODEL if not given.
        projection: file of a sparse autoencoder, whose latents are dissected in place of the layer's units; LAYER=FILE
            for one of several layers.
    """
    old = {"tallydepth": tallydepth, "tallybatch": tallybatch, "force": force, "endafter": endafter}
    for name, given in old.items():
        if given is not None:
            say(_NO_LONGER[name])
    named, weights = _model(model or model_option, proto, of_model.weights)
    wanted, probe_set = needed(named, layers, data)

    from netdissect.api import dissect

    network: Network = loaded(named, replace(of_model, weights=weights), of_method)
    folder = out or Path("dissection") / network.name
    options = asdict(of_method) | of_work.settings() | {"device": _device(of_work.device, gpu)}
    if rotation_seed is not None:
        if projection:
            raise SettingsError(
                "--rotation_seed turns a layer's units, --projection replaces them: give one of the two"
            )
        from netdissect.experiments.rotate import turned

        network, wanted = turned(network, wanted, [rotation_power], rotation_seed, resolution=of_method.resolution)
    with Bars(quiet=of_work.quiet) as bars:
        result = dissect(
            network, wanted, probe_set, projection=_projections(projection), out=folder, fresh=of_work.fresh,
            progress=bars, **options,
        )  # fmt: skip
    tell(result, folder)


def needed(model: str, layers: list[str] | None, data: str | None) -> tuple[list[str], str]:
    """Return the layers one by one, though several stand in one word as the released code wants them, and the probe set.

    Raises:
        SettingsError: if either is missing.
    """
    if not layers:
        raise SettingsError(f"which layers? name them with --layers; netdissect layers {model} shows what there is")
    if data is None:
        raise SettingsError("which probe set? give a Broden folder with --data; netdissect demo runs without one")
    return [name for word in layers for name in word.replace(",", " ").split()], data


def loaded(model: str, of_model: ModelOptions, of_method: MethodOptions) -> Network:
    """Load MODEL and say what it is given."""
    from netdissect.api import load_network
    from netdissect.models.load import LoadOptions

    network = load_network(model, LoadOptions(**asdict(of_model), seed=of_method.seed))
    say(f"{network.source}: {network.preprocess.describe()}")
    return network


def tell(result: Result, folder: Path) -> None:
    """Say what was found and where it lies."""
    threshold = result.settings.threshold
    by_category = result.detectors(threshold, "category")
    for name, found in result.detectors(threshold).items():
        say(
            f"{name}: {found.units} of {found.total} units detect {found.unique} unique concepts with IoU ≥ "
            f"{threshold:g} (by label; {by_category[name].unique} by category)"
        )
    for note in result.journal.get("notes", []):
        say(f"note: {note}")
    tell_where(folder)


def tell_where(folder: Path) -> None:
    """Say where a run's report lies, or its results where none was drawn."""
    index = folder / "html" / "index.html"
    say(f"report: {index}" if index.exists() else f"results: {folder}")


def _model(model: str | None, proto: str | None, weights: str | None) -> tuple[str, str | None]:
    """Return MODEL and --weights from the new or the released code's spelling."""
    if proto is not None:
        return (f"{proto},{weights}", None) if weights is not None else (proto, None)
    if model is None:
        raise SettingsError("which network? name it first: netdissect run MODEL --layers … --data …")
    return model, weights


def _projections(given: list[str] | None) -> str | dict[str, str] | None:
    """Return what --projection says: one file for every layer, or a file for each of some layers."""
    if not given:
        return None
    if len(given) == 1 and ("=" not in given[0] or Path(given[0]).is_file()):
        return given[0]
    pairs = [word.partition("=") for word in given]
    unclear = next((layer for layer, equals, file in pairs if not (layer and equals and file)), None)
    if unclear is not None:
        raise SettingsError(f"--projection takes FILE, or LAYER=FILE for each of several layers, not {unclear!r}")
    return {layer: file for layer, _, file in pairs}


def _device(device: str, gpu: str | None) -> str:
    if gpu is None or device != "auto":
        return device
    return "cpu" if gpu in ("", "none", "-1") else f"cuda:{gpu}"
