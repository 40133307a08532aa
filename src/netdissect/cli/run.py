"""``netdissect run``: dissect layers of a network."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from netdissect.cli.console import ProgressBars, print_line
from netdissect.cli.option_groups import MODEL, MethodOptions, ModelOptions, WorkOptions
from netdissect.cli.released_options import ReleasedOptions
from netdissect.errors import SettingsError
from netdissect.networks.kinds import describe_spellings

if TYPE_CHECKING:
    from netdissect.api import Result
    from netdissect.config import Settings
    from netdissect.networks.network import Network
    from netdissect.protocols import ConceptSource

_Several = Parameter(consume_multiple=True, negative_iterable="", group=MODEL)


def run(
    model: Annotated[str | None, Parameter(group=MODEL, help=f"{describe_spellings()}.")] = None,
    /,
    *,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer", "-l", "--blobs"]), _Several] = None,
    data: Annotated[str | None, Parameter(["--data", "--dataset", "-s"], group=MODEL)] = None,
    out: Annotated[Path | None, Parameter(["--out", "--directory"], group=MODEL)] = None,
    projection: Annotated[list[str] | None, _Several] = None,
    of_model: ModelOptions = ModelOptions(),
    of_method: MethodOptions = MethodOptions(),
    of_work: WorkOptions = WorkOptions(),
    old: ReleasedOptions = ReleasedOptions(),
) -> None:
    """Dissect layers of a network: one forward pass over a probe set, labeled units and a report.

    Args:
        model: what MODEL may be.
        layers: layers to probe, as netdissect layers names them.
        data: probe set: a folder in Broden's format, or the name of a downloaded one.
        out: folder of the run; dissection/MODEL if not given.
        projection: file of a sparse autoencoder, whose latents are dissected in place of the layer's units; LAYER=FILE
            for one of several layers.
    """
    named, weights = old.network(model, of_model.weights)
    wanted, probe_set = require_layers_and_data(named, layers, data)
    if old.rotation_seed is not None and projection:
        raise SettingsError("--rotation_seed turns a layer's units, --projection replaces them: give one of the two")
    attached = _parse_projections(projection)
    device = old.device(of_work.device)
    options = asdict(of_method) | of_work.settings() | {"device": device} | old.changed()
    of_model = old.preparing(replace(of_model, weights=weights))
    for remark in old.remarks():
        print_line(remark)
    if old.rotation_seed is not None:
        from netdissect.networks.units.rotation import check_powers

        check_powers([old.rotation_power], old.rotation_seed)

    network, concepts, settings = load_model_and_data(
        named, of_model, of_method.seed, probe_set, options, old.known_folder(out, named)
    )
    folder = old.folder(out, network.name)
    drawn_again = old.redraws_report and settings.pictures and (folder / "run.json").is_file()
    if old.rotation_seed is not None:
        from netdissect.experiments.rotation_curve import rotate_layers

        network, wanted = rotate_layers(
            network, wanted, [old.rotation_power], old.rotation_seed, near_axes=bool(old.rotation_unpermute),
            resolution=settings.resolution,
        )  # fmt: skip

    from netdissect.api import dissect

    with ProgressBars(quiet=of_work.quiet) as bars:
        result = dissect(
            network, wanted, concepts, projection=attached, out=folder, fresh=of_work.fresh or old.recomputes,
            progress=bars, settings=settings,
        )  # fmt: skip
        if drawn_again:
            result.write_report(folder, progress=bars)
    print_run_result(result, folder, drawn=settings.pictures)


def require_layers_and_data(model: str, layers: list[str] | None, data: str | None) -> tuple[list[str], str]:
    """Return the layers one by one, though several stand in one word as the released code wants them, and the probe set.

    Raises:
        SettingsError: if either is missing.
    """
    if not layers:
        raise SettingsError(f"which layers? name them with --layers; netdissect layers {model} shows what there is")
    if data is None:
        raise SettingsError("which probe set? give a Broden folder with --data; netdissect demo runs without one")
    return [name for word in layers for name in word.replace(",", " ").split()], data


def load_model_and_data(
    model: str, of_model: ModelOptions, seed: int, data: str, options: dict[str, Any], out: Path | None
) -> tuple[Network, ConceptSource, Settings]:
    """Load MODEL and say what it is given; everything that is cheaper is looked at first.

    Args:
        model: MODEL.
        of_model: what was said of it besides.
        seed: of random weights.
        data: the probe set.
        options: settings by name.
        out: the run's folder, where that is known already.
    """
    from netdissect.api import check_inputs, load_network
    from netdissect.config import Settings
    from netdissect.networks.load_options import LoadOptions

    settings = Settings(**options)
    said = LoadOptions(**asdict(of_model), seed=seed)
    concepts, settings, _ = check_inputs(data, settings, out)
    network = load_network(model, said)
    print_line(f"{network.source}: {network.preprocess.describe()}")
    return network, concepts, settings


def print_run_result(result: Result, folder: Path, *, drawn: bool = True) -> None:
    """Say what was found and where it lies; `drawn` says whether the report there is meant."""
    threshold = result.settings.threshold
    by_category = result.detectors(threshold, "category")
    for name, found in result.detectors(threshold).items():
        print_line(
            f"{name}: {found.units} of {found.total} units detect {found.unique} unique concepts with IoU ≥ "
            f"{threshold:g} (by label; {by_category[name].unique} by category)"
        )
    for note in result.journal.get("notes", []):
        print_line(f"note: {note}")
    print_run_location(folder, drawn=drawn)


def print_run_location(folder: Path, *, drawn: bool = True) -> None:
    """Say where a run's report lies, or its results where none was drawn or is meant."""
    index = folder / "html" / "index.html"
    print_line(f"report: {index}" if drawn and index.exists() else f"results: {folder}")


def _parse_projections(given: list[str] | None) -> str | dict[str, str] | None:
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
