"""``netdissect run``: dissect layers of a network."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from netdissect.cli.config_file import ConfigOptions
from netdissect.cli.console import print_closing, print_line
from netdissect.cli.option_groups import (
    IS_MODEL,
    MODEL,
    MODEL_RARE,
    SEVERAL,
    ExecutionOptions,
    MethodOptions,
    ModelOptions,
    RunOptions,
    describe_default,
)
from netdissect.cli.released_options import ReleasedOptions
from netdissect.cli.typed_words import PATHS
from netdissect.config import Settings
from netdissect.errors import SettingsError
from netdissect.progress import show_progress

if TYPE_CHECKING:
    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.network import Network
    from netdissect.protocols import ConceptSource
    from netdissect.results.run_result import Result


def run(
    model: Annotated[str | None, IS_MODEL] = None,
    /,
    *,
    layers: Annotated[
        list[str] | None, Parameter(["--layers", "--layer", "-l", "--blobs"], group=MODEL), SEVERAL
    ] = None,
    data: Annotated[str | None, PATHS, Parameter(["--data", "--dataset", "-s"], group=MODEL)] = None,
    out: Annotated[
        Path | None, Parameter(["--out", "--directory"], group=MODEL), describe_default("dissection/MODEL")
    ] = None,
    projection: Annotated[
        list[str] | None, PATHS, Parameter(group=MODEL_RARE), SEVERAL, describe_default("none")
    ] = None,
    reference: Annotated[
        list[str] | None, PATHS, Parameter(group=MODEL_RARE), SEVERAL, describe_default("none")
    ] = None,
    export_activations: Annotated[
        Literal["npy", "parquet"] | None, Parameter(group=MODEL_RARE), describe_default("none")
    ] = None,
    loading: ModelOptions = ModelOptions(),
    method: MethodOptions = MethodOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    this_run: RunOptions = RunOptions(),
    config: ConfigOptions = ConfigOptions(),
    released: ReleasedOptions = ReleasedOptions(),
) -> None:
    """Dissect layers of a network: label every unit with the concept it detects, and write a report.

    Args:
        layers: Layers, 'layer4.*' or last; netdissect layers MODEL lists them.
        data: Probe set: folder, prepared file, or name of a downloaded one.
        out: Run folder.
        projection: Sparse autoencoder whose latents replace the layer's units: a file, or LAYER=FILE for each of
            several layers.
        reference: Runs of untrained networks over the same probe set, two or more, which the units are tested against:
            the folder of netdissect control, or run folders.
        export_activations: Write every activation of the layers into RUN/activations, as netdissect export does.
    """
    model, weights = released.resolve_model(model, loading.weights)
    layers, data = require_layers_and_data(model, layers, data)
    projections = parse_projections(projection)
    if projections is not None and export_activations is not None:
        raise SettingsError(
            "--export-activations writes the activations of units, not of latents: leave --projection out"
        )
    released.check_rotation(projection)
    settings = released.change_settings(Settings(**vars(method) | vars(execution)))
    loading = replace(loading, weights=weights, seed=method.seed)
    for line in released.describe_changes():
        print_line(line)
    network, concepts, settings = load_model_and_data(
        model, loading, data, settings, released.find_run_folder(out, model)
    )
    folder = released.choose_run_folder(out, network.name)
    redraw = released.redraws_report and settings.pictures and (folder / "run.json").is_file()
    config.save()
    network, layers = released.rotate(network, layers, settings.resolution)

    from netdissect.api import dissect

    with show_progress(not this_run.quiet) as bars:
        result = dissect(
            network, layers, concepts, projection=projections, reference=reference, out=folder,
            fresh=this_run.fresh or released.recomputes, progress=bars, settings=settings,
        )  # fmt: skip
        if redraw:
            result.write_report(folder, progress=bars)
        if export_activations is not None:
            from netdissect.analyses.export import export_activations as export

            export(folder, network, concepts, out=folder / "activations", activations=export_activations, progress=bars)
    print_run_result(result, folder, with_report=settings.pictures)


def require_layers_and_data(model: str, layers: list[str] | None, data: str | None) -> tuple[list[str], str]:
    """Return the names of the layers, and the probe set.

    One word may name several layers, separated by spaces or commas, as in the released code.

    Raises:
        SettingsError: if either is missing.
    """
    if not layers:
        raise SettingsError(f"which layers? name them with --layers; netdissect layers {model} lists them")
    if data is None:
        raise SettingsError("which probe set? name a Broden folder with --data; netdissect demo runs without one")
    return [name for word in layers for name in word.replace(",", " ").split()], data


def load_model_and_data(
    model: str, loading: LoadOptions, data: str, settings: Settings, out: Path | None
) -> tuple[Network, ConceptSource, Settings]:
    """Open the probe set, load the network, and print how images become its input.

    Args:
        model: MODEL.
        loading: how it is loaded.
        data: the probe set.
        settings: every setting.
        out: the run folder, if it is known before the network is loaded.

    Raises:
        NetdissectError: if one of them is invalid; cheap checks are done before the network is loaded.
    """
    from netdissect.api import check_inputs
    from netdissect.model_loading import load_network

    concepts, settings, _ = check_inputs(data, settings, out)
    network = load_network(model, **asdict(loading))
    print_line(f"{network.source}: {network.preprocess.describe()}")
    return network, concepts, settings


def print_run_result(result: Result, folder: Path, *, with_report: bool = True) -> None:
    """Print what each layer detects and how far that can be trusted, the run's notes and the path of its report.

    Args:
        result: the run.
        folder: the run folder.
        with_report: whether the run writes a report; if not, the path of the run folder is printed.
    """
    print_closing(result)
    for note in result.journal.get("notes", []):
        print_line(f"note: {note}")
    print_run_location(folder, with_report=with_report)


def print_run_location(folder: Path, *, with_report: bool = True) -> None:
    """Print the path of the run's report, or of the run folder if the run writes no report."""
    index = folder / "html" / "index.html"
    print_line(f"report: {index}" if with_report and index.exists() else f"results: {folder}")


def parse_projections(words: list[str] | None) -> str | dict[str, str] | None:
    """Return the file of ``--projection``, or the files by layer if it names layers.

    Raises:
        SettingsError: if a word is not LAYER=FILE, and there are several.
    """
    if not words:
        return None
    if len(words) == 1 and ("=" not in words[0] or Path(words[0]).is_file()):
        return words[0]
    pairs = [word.partition("=") for word in words]
    unclear = next((layer for layer, equals, file in pairs if not (layer and equals and file)), None)
    if unclear is not None:
        raise SettingsError(f"--projection takes FILE, or LAYER=FILE for each of several layers, not {unclear!r}")
    return {layer: file for layer, _, file in pairs}
