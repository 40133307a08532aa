"""Trained, trained on shuffled labels, and untrained: what tells the networks of the demo apart (docs/validation.md).

The bundled network, the same network trained anew on few images, once with their classes and once with those of other images,
and networks with random weights are dissected over the demo's probe set. Ends with an error if the controls look trained.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from training.train_demo_network import TRAINING_SEED, draw_images, fold_weights, make_spec, shuffle_labels, train

import netdissect as nd
from benchmarks import machine
from benchmarks.marked_page import format_table, replace_part
from netdissect.demo.network import LAYERS, STEM
from netdissect.demo.world import DEMO_IMAGES, write_probe_set
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdissect.results.run_result import Result

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validation.md"
#: The networks that training made, as rows of the table.
TRAINED, SHORT, SHUFFLED = "trained (bundled)", "trained, short", "trained, short, shuffled labels"
HEADER = [
    "network", "q < 0.05", "detectors", "unique concepts", "detectors beyond chance", "beyond untrained networks", "times chance",
]  # fmt: skip


def main(words: list[str]) -> None:
    """Train, dissect, print the table and write it into the page."""
    options = _make_parser().parse_args(words)
    machine.print_title(f"Controls: {options.layer} of the demo's network, {options.seeds} untrained networks")
    with _open_folder(options.work) as folder:
        runs = dissect_networks(folder, options)
    text = format_text(runs, options)
    print(text)
    if not options.print_only:
        replace_part(PAGE, "controls", text)
    broken = find_broken(runs, options.layer)
    if broken:
        raise SystemExit("\n".join(broken))


def dissect_networks(folder: Path, options: argparse.Namespace) -> dict[str, Result]:
    """Return the run of every network by its row's name; what a folder holds already is not computed again."""
    data = folder / "set"
    if not (data / "index.csv").exists():
        write_probe_set(data, images=options.images)
    layer = options.layer
    untrained = nd.control(str(STEM), layer, data, seeds=options.seeds, out=folder / "untrained", pictures=False)
    stems = {TRAINED: STEM, **train_twins(folder, options)}
    found = {
        name: nd.dissect(
            str(stem), layer, data, reference=untrained, out=folder / stem.name, pictures=False, progress=False
        )
        for name, stem in stems.items()
    }
    for name, run in untrained.items():
        others = {other: one for other, one in untrained.items() if other != name}
        found[f"untrained, {name}"] = nd.add_reference(run, others) if len(others) > 1 else run
    return found


def train_twins(folder: Path, options: argparse.Namespace) -> dict[str, Path]:
    """Train the network on few images, with their own classes and with those of other images; return the files' stems."""
    stems = {SHORT: folder / "short", SHUFFLED: folder / "shuffled"}
    if all(stem.with_suffix(".caffemodel").exists() for stem in stems.values()):
        return stems
    images, labels = draw_images(options.rounds, TRAINING_SEED)
    for name, stem in stems.items():
        learned = labels if name == SHORT else shuffle_labels(labels, 1)
        write_caffe(stem, make_spec(), fold_weights(train(images, learned, epochs=options.epochs, seed=1)))
    return stems


def make_row(name: str, run: Result, layer: str) -> list[str]:
    """Return a network's row of the table."""
    found = run[layer]
    counted, spread, trust = found.detectors(), found.count_spread(), found.summarize_trust()
    assert spread is not None
    assert trust is not None
    beyond = sum(unit.q is not None and unit.q < LEVEL for unit in found.unit_trust)
    reference = "–" if trust.beyond_reference is None else f"{trust.beyond_reference} of {counted.units}"
    return [
        name,
        f"{beyond} of {counted.total}",
        f"{counted.units} ± {spread.units_sd:.0f}",
        f"{counted.unique} ± {spread.unique_sd:.0f}",
        f"{trust.beyond} of {counted.units}",
        reference,
        f"{trust.times:.1f} ({trust.times_low:.1f}–{trust.times_high:.1f})",
    ]


def format_text(runs: dict[str, Result], options: argparse.Namespace) -> str:
    """Return the part of the page: the table and what it shows."""
    rows = [make_row(name, run, options.layer) for name, run in runs.items()]
    return f"""{options.layer} of the demo's network over {options.images:,} images. The short trainings take {options.rounds * 114:,} images and \
{options.epochs} epochs; an untrained network is compared with the other untrained ones.

{format_table(HEADER, rows)}

q does not tell these networks apart: units with random weights and units that learned shuffled labels answer to images too, so
neither is a null of q, and q < 0.05 claims nothing about training. A network that learned shuffled labels also exceeds untrained
ones: it learned what its images look like. What tells trained networks from both controls is the number of unique concepts, with
its ±, and times chance; times chance alone does not tell shuffled labels from no training."""


def find_broken(runs: dict[str, Result], layer: str) -> list[str]:
    """Return what the controls break of what the page says."""
    trusts = {name: run[layer].summarize_trust() for name, run in runs.items()}
    times = {name: trust.times or 0.0 for name, trust in trusts.items() if trust is not None}
    unique = {name: run[layer].detectors().unique for name, run in runs.items()}
    controls = [name for name in runs if name not in (TRAINED, SHORT)]
    broken = [
        f"{name} has {figures[name]:.3g} {what}, and {control} has {figures[control]:.3g}"
        for what, figures in (("times chance", times), ("unique concepts", unique))
        for name in (TRAINED, SHORT)
        for control in controls
        if figures[name] <= figures[control]
    ]
    trust = trusts[TRAINED]
    if trust is None or (trust.beyond_reference or 0) < 0.9 * trust.detectors:
        broken.append(f"fewer than 90 % of the trained network's detectors are beyond untrained networks: {trust}")
    return broken


@contextlib.contextmanager
def _open_folder(work: Path | None) -> Iterator[Path]:
    """Yield a folder that is kept, or a temporary one."""
    with contextlib.ExitStack() as stack:
        name = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="netdissect-")))
        name.mkdir(parents=True, exist_ok=True)
        yield name


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks controls --", description=__doc__)
    parser.add_argument("--images", type=int, default=DEMO_IMAGES)
    parser.add_argument("--layer", default=LAYERS[-1])
    parser.add_argument("--seeds", type=int, default=3, help="untrained networks")
    parser.add_argument("--rounds", type=int, default=14, help="passes through the subjects, for the short trainings")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--work", type=Path, help="folder to keep runs and networks in, and to continue from")
    parser.add_argument("--print-only", action="store_true", help="leave the page as it is")
    return parser
