"""``netdissect report``: write the report of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import SEVERAL, SWITCH, describe_default
from netdissect.cli.run import print_run_result
from netdissect.cli.typed_words import PATHS
from netdissect.errors import SettingsError
from netdissect.progress import show_progress


def report(
    run: Path,
    /,
    *,
    threshold: Annotated[float | None, describe_default("the run's")] = None,
    reference: Annotated[list[str] | None, PATHS, SEVERAL, describe_default("none")] = None,
    single_file: Annotated[bool, SWITCH] = False,
    lite: Annotated[bool, SWITCH] = False,
    classic: Annotated[bool, SWITCH] = False,
    publish: Annotated[Path | None, describe_default("none")] = None,
    address: Annotated[str, describe_default("not known")] = "",
    card: Annotated[bool, SWITCH] = False,
    width: Annotated[Literal["column", "text", "slide"] | None, describe_default("no figures")] = None,
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Write the report of a finished run again; this needs neither the network nor a forward pass.

    Args:
        run: Run folder.
        threshold: Smallest score of a detector, an IoU by default.
        reference: Runs of untrained networks over the same probe set, two or more, which the units are tested against:
            the folder of netdissect control, or run folders. The run records them.
        single_file: Also write the whole report as one file to share, RUN/report.html.
        lite: Also write a smaller single file to send, RUN/report-lite.html: fewer exemplars and smaller images.
        classic: Also write the released code's pages: a strip of images for every unit. Without it, those of an earlier
            report are removed.
        publish: Also copy the report into this folder as a static site: what a browser loads, and a preview for links to it.
        address: URL at which the site will be served, for its preview and for copied links.
        card: Also write a section for a model card, RUN/model-card.md, with its figure.
        width: Also write every figure for a paper into RUN/figures, true to size: in a column (3.25 inches), over a text
            (5.5) or on a slide (10).
        quiet: Show no progress.
    """
    from dataclasses import replace

    from netdissect.api import add_reference, load

    if address and publish is None:
        raise SettingsError("--address is the URL of a published report: add --publish DIR, or leave --address out")
    result = load(run)
    if reference is not None:
        result = add_reference(result, reference)
        result.save(run)
    if threshold is not None:
        result = replace(result, settings=replace(result.settings, threshold=threshold))
    with show_progress(not quiet) as bars:
        result.write_report(run, progress=bars, single_file=single_file, lite=lite, classic=classic)
    print_run_result(result, run)
    for name in ("report.html",) * single_file + ("report-lite.html",) * lite:
        print_line(f"single file: {run / name} ({(run / name).stat().st_size / 1e6:.1f} MB)")
    if publish is not None:
        print_line(f"site: {result.publish(run, publish, address=address)}")
    if card:
        print_line(f"model card: {result.write_model_card(run)}")
    if width is not None:
        number = len(result.write_figures(run, width=width))
        print_line(f"figures: {number} in {run / 'figures'} (as .svg, .pdf and .png, their numbers as .csv)")
