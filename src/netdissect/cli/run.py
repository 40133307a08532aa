"""``netdissect run``: dissect layers of a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from netdissect.cli.console import Bars, say
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from netdissect.api import Result

_MODEL = Group("Model", sort_key=1)
_METHOD = Group("Method (defaults are the paper's)", sort_key=2)
_WORK = Group("How the work is done", sort_key=3)
_OLD = Group("Spellings of the released code", sort_key=9, show=False)

_Many = Parameter(consume_multiple=True, negative_iterable="")
_NO_LONGER = {
    "tallydepth": "--tallydepth: nothing is cut off any more, every pixel is counted",
    "tallybatch": "--tallybatch: there is no separate tally phase any more, --batch-size sets the images per forward pass",
    "force": "--force: results are never reused across settings any more, --fresh starts a run over",
    "endafter": "--endafter: a run has one phase now, --no-pictures leaves out the report",
}


def run(
    model: Annotated[str | None, Parameter(group=_MODEL)] = None,
    /,
    *,
    layers: Annotated[
        list[str] | None, Parameter(["--layers", "--layer"], consume_multiple=True, negative_iterable="", group=_MODEL)
    ] = None,
    data: Annotated[Path | None, Parameter(["--data", "--dataset"], group=_MODEL)] = None,
    out: Annotated[Path | None, Parameter(["--out", "--workdir"], group=_MODEL)] = None,
    arch: Annotated[str | None, Parameter(group=_MODEL)] = None,
    weights: Annotated[str | None, Parameter(group=_MODEL)] = None,
    mean: Annotated[
        list[str] | None,
        Parameter(consume_multiple=True, negative_iterable="", group=_MODEL),
    ] = None,
    scale: Annotated[float | None, Parameter(group=_MODEL)] = None,
    channels: Annotated[Literal["rgb", "bgr"] | None, Parameter(group=_MODEL)] = None,
    colordepth: Annotated[int, Parameter(group=_MODEL)] = 3,
    quantile: Annotated[float, Parameter(group=_METHOD)] = 0.005,
    threshold: Annotated[float, Parameter(group=_METHOD)] = 0.04,
    resolution: Annotated[int | None, Parameter(group=_METHOD)] = None,
    geometry: Annotated[Literal["receptive-field", "grid"], Parameter(group=_METHOD)] = "receptive-field",
    split: Annotated[str | None, Parameter(group=_METHOD)] = None,
    limit: Annotated[int | None, Parameter(group=_METHOD)] = None,
    images_per_unit: Annotated[int, Parameter(group=_METHOD)] = 20,
    seed: Annotated[int, Parameter(group=_METHOD)] = 0,
    batch_size: Annotated[int, Parameter(["--batch-size", "--probebatch"], group=_WORK)] = 32,
    device: Annotated[str, Parameter(group=_WORK)] = "auto",
    pictures: Annotated[bool, Parameter(group=_WORK)] = True,
    quiet: Annotated[bool, Parameter(negative="", group=_WORK)] = False,
    model_option: Annotated[str | None, Parameter("--model", group=_OLD, show=False)] = None,
    proto: Annotated[str | None, Parameter(group=_OLD, show=False)] = None,
    gpu: Annotated[str | None, Parameter(group=_OLD, show=False)] = None,
    tallydepth: Annotated[str | None, Parameter(group=_OLD, show=False)] = None,
    tallybatch: Annotated[str | None, Parameter(group=_OLD, show=False)] = None,
    force: Annotated[str | None, Parameter(group=_OLD, show=False)] = None,
    endafter: Annotated[str | None, Parameter(group=_OLD, show=False)] = None,
) -> None:
    """Dissect layers of a network: one forward pass over a probe set, labelled units and a report.

    Args:
        model: PATH.prototxt,PATH.caffemodel or their stem; torchvision:NAME; a state dict with --arch.
        layers: layers to probe, as netdissect layers names them.
        data: probe set: a folder in Broden's format.
        out: folder of the run; dissection/MODEL if not given.
        arch: architecture of a state dict, such as torchvision:resnet18.
        weights: weights file of MODEL, or random.
        mean: mean of the input, in its channel order: three numbers, or one .npy or .binaryproto file.
        scale: multiplied after the mean is subtracted.
        channels: order of the input's channels.
        colordepth: 1 gives the network grey pictures.
        quantile: share of a unit's cells above its threshold.
        threshold: IoU from which a unit counts as a detector.
        resolution: side of the network's input in pixels; the probe set's own if not given.
        geometry: where a cell looks: traced through the network, or an even grid.
        split: only images of this split.
        limit: only the first so many images.
        images_per_unit: pictures shown of each unit.
        seed: of the order in which images are visited.
        batch_size: images per forward pass.
        device: auto, cpu, cuda or cuda:N.
        pictures: whether unit pictures and the report are drawn.
        quiet: show no progress.
    """
    for name, given in (
        ("tallydepth", tallydepth),
        ("tallybatch", tallybatch),
        ("force", force),
        ("endafter", endafter),
    ):
        if given is not None:
            say(_NO_LONGER[name])
    named, weights = _model(model or model_option, proto, weights)
    if not layers:
        raise SettingsError(f"which layers? name them with --layers; netdissect layers {named} shows what there is")
    if data is None:
        raise SettingsError("which probe set? give a Broden folder with --data; netdissect demo runs without one")

    from netdissect.api import dissect
    from netdissect.models.load import LoadOptions, load

    options = LoadOptions(
        arch=arch, weights=weights, mean=mean, scale=scale, channels=channels, colordepth=colordepth, seed=seed
    )
    network = load(named, options)
    folder = out or Path("dissection") / network.name
    with Bars(quiet=quiet) as bars:
        result = dissect(
            network, _split(layers), data, out=folder, progress=bars, quantile=quantile, threshold=threshold,
            resolution=resolution, geometry=geometry, split=split, limit=limit, images_per_unit=images_per_unit,
            seed=seed, batch_size=batch_size, device=_device(device, gpu), pictures=pictures,
        )  # fmt: skip
    tell(result, folder)


def tell(result: Result, folder: Path) -> None:
    """Say what was found and where it lies."""
    threshold = result.settings.threshold
    by_category = result.detectors(threshold, "category")
    for name, found in result.detectors(threshold).items():
        say(
            f"{name}: {found.units} of {found.total} units detect {found.unique} unique concepts with IoU ≥ "
            f"{threshold:g} (by label; {by_category[name].unique} by category)"
        )
    index = folder / "html" / "index.html"
    say(f"report: {index}" if index.exists() else f"results: {folder}")


def _model(model: str | None, proto: str | None, weights: str | None) -> tuple[str, str | None]:
    """Return MODEL and --weights from the new or the released code's spelling."""
    if proto is not None:
        return (f"{proto},{weights}", None) if weights is not None else (proto, None)
    if model is None:
        raise SettingsError("which network? name it first: netdissect run MODEL --layers … --data …")
    if (
        "/" not in model
        and ":" not in model
        and not Path(f"{model}.prototxt").exists()
        and Path(f"zoo/{model}.prototxt").exists()
    ):
        return f"zoo/{model}", weights
    return model, weights


def _split(layers: list[str]) -> list[str]:
    """Return layer names one by one, though several stand in one word as the released code wants them."""
    return [name for word in layers for name in word.replace(",", " ").split()]


def _device(device: str, gpu: str | None) -> str:
    if gpu is None or device != "auto":
        return device
    return "cpu" if gpu in ("", "none", "-1") else f"cuda:{gpu}"
