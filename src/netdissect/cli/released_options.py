"""The released code's spellings: what its scripts take, and what each means here (docs/released-code.md).

``script/rundissect.sh`` ran ``src/netprobe.py``, ``quantprobe.py``, ``labelprobe.py``, ``maxprobe.py``,
``makeresult.py`` and ``report.py`` one after the other; their options are understood by ``netdissect run`` too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from netdissect.errors import SettingsError
from netdissect.io.names import find_name_problem

if TYPE_CHECKING:
    from collections.abc import Sequence


#: The phases of rundissect.sh in their order; the word that was given holds one of them.
_PHASE_NAMES = ("probe", "quant", "tally", "imgmax", "result", "view", "report", "graph")
#: Of --force: phases that compute, and phases that draw.
_COMPUTING_PHASES, _DRAWING_PHASES = (
    ("probe", "sort", "quant", "tally", "imgmax", "result"),
    ("view", "report", "graph"),
)
#: Options without an effect, and what took their place.
_IGNORED_OPTIONS = {
    "tallydepth": "nothing is cut off any more, every pixel is counted",
    "tallybatch": "there is no separate tally phase any more, --batch-size sets the images per forward pass",
    "ahead": "images are read ahead by themselves",
    "parallel": "all processors count by themselves, --workers sets processes",
    "quantiles": "thresholds are exact, no table of quantiles is made",
    "num_classes": "the number of classes is the weights' own",
    "imsize": "images in the report have the probe set's size",
    "imscale": "the report's page scales its images by itself",
    "gridwidth": "the report's page lays its images out by itself",
    "csvorder": "LAYER-result.csv has the columns of the paper's own tables",
    "format": "tables and report are always written, --no-pictures leaves out the report",
}


@Parameter(name="*", group=Group("Spellings of the released code", sort_key=9, show=False), show=False)
@dataclass(frozen=True, kw_only=True)
class ReleasedOptions:
    """Options of the released code's scripts that are spelled otherwise here."""

    model_option: Annotated[str | None, Parameter(["--model", "-d"])] = None
    proto: Annotated[str | None, Parameter(["--proto", "-p", "--definition"])] = None
    workdir: Annotated[Path | None, Parameter("--workdir")] = None
    gpu: Annotated[str | None, Parameter("--gpu")] = None
    rotation_seed: Annotated[int | None, Parameter(["--rotation_seed", "--rotation-seed"])] = None
    rotation_power: Annotated[float, Parameter(["--rotation_power", "--rotation-power"])] = 1.0
    rotation_unpermute: Annotated[int, Parameter("--rotation_unpermute")] = 0
    force: Annotated[str | None, Parameter(["--force", "-f"])] = None
    endafter: Annotated[str | None, Parameter("--endafter")] = None
    tallydepth: Annotated[int | None, Parameter(["--tallydepth", "--tally_depth"])] = None
    tallybatch: Annotated[int | None, Parameter("--tallybatch")] = None
    ahead: Annotated[int | None, Parameter("--ahead")] = None
    parallel: Annotated[int | None, Parameter("--parallel")] = None
    quantiles: Annotated[int | None, Parameter("--quantiles")] = None
    num_classes: Annotated[int | None, Parameter("--num_classes")] = None
    imsize: Annotated[int | None, Parameter("--imsize")] = None
    imscale: Annotated[int | None, Parameter("--imscale")] = None
    gridwidth: Annotated[int | None, Parameter("--gridwidth")] = None
    csvorder: Annotated[str | None, Parameter("--csvorder")] = None
    format: Annotated[str | None, Parameter("--format")] = None

    def resolve_model(self, model: str | None, weights: str | None) -> tuple[str, str | None]:
        """Return MODEL and its weights.

        Raises:
            SettingsError: if no network was named.
        """
        if self.proto is not None:
            if model is not None:
                raise SettingsError(f"--proto {self.proto} and MODEL {model} name two networks: give one of them")
            return (f"{self.proto},{weights}", None) if weights is not None else (self.proto, None)
        named = model or self.model_option
        if named is None:
            raise SettingsError("which network? name it first: netdissect run MODEL --layers … --data …")
        return named, weights

    def choose_run_folder(self, out: Path | None, network: str) -> Path:
        """Return the run's folder: --out, else WORKDIR/NAME, where --model NAME names it or else the network does.

        Raises:
            SettingsError: if --out and --workdir are both given.
        """
        if out is not None and self.workdir is not None:
            raise SettingsError("--out names a run's folder, --workdir one that holds many: give one of the two")
        name = self.model_option
        if name is None or find_name_problem(name) is not None:
            name = network
        return out or (self.workdir or Path("dissection")) / name

    def find_run_folder(self, out: Path | None, model: str) -> Path | None:
        """Return the run's folder where that is known before the network; None where the network's name decides."""
        told = self.model_option is not None and find_name_problem(self.model_option) is None
        return self.choose_run_folder(out, model) if out is not None or told else None

    def resolve_device(self, device: str) -> str:
        """Return the device: --gpu counts as CUDA_VISIBLE_DEVICES, of which the released code took the first.

        Raises:
            SettingsError: if it is no number, or --device was given too.
        """
        if self.gpu is None:
            return device
        if device != "auto":
            raise SettingsError(f"--gpu {self.gpu} and --device {device} both name a device: give one of them")
        first = self.gpu.split(",")[0].strip().lower()
        if first in ("", "none", "-1"):
            return "cpu"
        if not first.isdecimal():
            raise SettingsError(f"--gpu takes the number of a GPU, or none, not {self.gpu!r}")
        return f"cuda:{int(first)}"

    def override_settings(self) -> dict[str, Any]:
        """Return the settings that --endafter decides.

        Raises:
            SettingsError: if it names no phase.
        """
        phase = self._ends_after()
        if phase is None or phase in _DRAWING_PHASES:
            return {}
        return {"pictures": False} | ({"image_maxima": True} if phase == "imgmax" else {})

    @property
    def recomputes(self) -> bool:
        """Whether --force names a phase that computes: what is there is replaced, as with --fresh."""
        return self._forces(_COMPUTING_PHASES)

    @property
    def redraws_report(self) -> bool:
        """Whether --force names a phase that draws, so that a finished run's report is drawn once more."""
        return self._forces(_DRAWING_PHASES)

    def describe_changes(self) -> list[str]:
        """Return a sentence for every option that has lost its meaning, or means less than it did."""
        said = [f"--{name}: {words}" for name, words in _IGNORED_OPTIONS.items() if getattr(self, name) is not None]
        if self.force is not None:
            what = "everything is computed again, as with --fresh" if self.recomputes else (
                "the report is drawn again" if self.redraws_report else
                "it names no phase, so nothing is done again; --fresh starts a run over"
            )  # fmt: skip
            said.append(f"--force: {what}")
        phase = self._ends_after()
        if self.endafter is not None:
            what = "it names no phase, the run goes to its end"
            if phase in _DRAWING_PHASES:
                what = "the report and its graph are drawn together, the run goes to its end"
            elif phase is not None:
                until = (
                    "the tables are"
                    if phase == "result"
                    else "one forward pass finds all of it, the tables too, and they are"
                )
                what = f"{until} the end; the report is not drawn (netdissect report RUN draws it)"
            said.append(f"--endafter: {what}")
        if self.rotation_unpermute:
            said.append(
                "--rotation_unpermute: rows are put where they lie nearest to the axes, as rotate --near-axes does"
            )
        return said

    def _forces(self, phases: Sequence[str]) -> bool:
        return self.force is not None and any(phase in self.force for phase in phases)

    def _ends_after(self) -> str | None:
        if self.endafter is None or self.endafter == "none":
            return None
        phase = next((phase for phase in _PHASE_NAMES if phase in self.endafter), None)
        if phase is None:
            raise SettingsError(f"--endafter takes one of {', '.join(_PHASE_NAMES)} or none, not {self.endafter!r}")
        return phase
