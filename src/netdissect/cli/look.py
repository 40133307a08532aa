"""``netdissect look``: which labeled units of a run fire in images, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import MODEL, MODEL_RARE, SEVERAL, SWITCH, ModelOptions, describe_default
from netdissect.cli.run import parse_projections
from netdissect.cli.typed_words import PATHS
from netdissect.progress import show_progress


def look(
    run: Annotated[Path, Parameter(group=MODEL)],
    /,
    *words: Annotated[str, PATHS, Parameter(name="MODEL IMAGE", group=MODEL)],
    rows: Annotated[list[str] | None, SEVERAL, describe_default("none")] = None,
    layers: Annotated[
        list[str] | None, Parameter(["--layers", "--layer"]), SEVERAL, describe_default("the run's")
    ] = None,
    out: Path = Path("look"),
    data: Annotated[str | None, PATHS, describe_default("the run's")] = None,
    threshold: Annotated[float | None, describe_default("the run's")] = None,
    masks: Annotated[bool, Parameter(negative="--no-masks", show_default=False)] = True,
    device: str = "auto",
    projection: Annotated[
        list[str] | None, PATHS, Parameter(group=MODEL_RARE), SEVERAL, describe_default("none")
    ] = None,
    quiet: Annotated[bool, SWITCH] = False,
    loading: ModelOptions = ModelOptions(),
) -> None:
    """Show which labeled units of a run fire in your own images, and where: a page, label maps, masks, CSV and JSON.

    With --rows instead of images, it shows images of the run's own probe set, also without MODEL.

    Args:
        run: Run folder.
        words: The network that the run dissected, and images: files, or folders of images. MODEL may be left out for the
            bundled network.
        rows: Images of the run's probe set, by row in index.csv, from 0, or by name.
        layers: Layers of the run, also by patterns.
        out: Folder for the page and the maps; those of an earlier look are replaced.
        data: The run's probe set, if it was moved; needed for --rows only.
        threshold: Smallest score of a labeled unit, an IoU by default.
        masks: --no-masks: write no file for the mask of each unit and the sum of masks of each concept.
        device: Device to run on: auto, cpu, cuda or cuda:N.
        projection: Sparse autoencoder of a run of latents: a file, or LAYER=FILE for each of several layers.
        quiet: Show no progress.
        loading: Options for MODEL.
    """
    from netdissect.analyses.look import look as look_at
    from netdissect.analyses.look import split_words
    from netdissect.model_loading import defer_loading

    names = None if layers is None else [name for word in layers for name in word.replace(",", " ").split()]
    model, images = split_words(words, has_rows=rows is not None)
    with show_progress(not quiet) as bars:
        seen = look_at(
            run, defer_loading(model, loading), images, rows=rows, layers=names, data=data, threshold=threshold, out=out, masks=masks,
            device=device, projection=parse_projections(projection), progress=bars,
        )  # fmt: skip
    for line in seen.list_lines():
        print_line(line)
    print_line(f"page: {out / 'index.html'}")
