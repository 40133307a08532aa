"""The options of the released code's scripts that ``netdissect run`` accepts (docs/released-code.md).

``script/rundissect.sh`` ran ``src/netprobe.py``, ``quantprobe.py``, ``labelprobe.py``, ``maxprobe.py``,
``makeresult.py`` and ``report.py`` one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from netdissect.errors import SettingsError
from netdissect.io.names import find_name_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.config import Settings
    from netdissect.networks.network import Network

#: The phases of rundissect.sh, in order.
_PHASES = ("probe", "quant", "tally", "imgmax", "result", "view", "report", "graph")
#: The phases that --force may name: those that compute and those that draw.
_COMPUTING_PHASES = ("probe", "sort", "quant", "tally", "imgmax", "result")
_DRAWING_PHASES = ("view", "report", "graph")
#: Options without effect, and why.
_IGNORED_OPTIONS = {
    "tallydepth": "every pixel is counted; there is no limit on labels",
    "tallybatch": "there is no separate tally phase; --batch-size sets the images per forward pass",
    "ahead": "images are always read ahead",
    "parallel": "counting uses all processors; --workers sets the number of processes",
    "num_classes": "the number of classes is read from the weights",
    "imsize": "images in the report have the probe set's size",
    "imscale": "the report scales its images to the page",
    "gridwidth": "the report arranges its images by the width of the page",
    "csvorder": "LAYER-result.csv always has the columns of the paper's tables",
    "format": "tables and report are always written; --no-pictures leaves out the report",
}


@Parameter(name="*", group=Group("Options of the released code", sort_key=9, show=False), show=False)
@dataclass(frozen=True, kw_only=True)
class ReleasedOptions:
    """Options of the released code's scripts that here have another name or no effect."""

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
    num_classes: Annotated[int | None, Parameter("--num_classes")] = None
    imsize: Annotated[int | None, Parameter("--imsize")] = None
    imscale: Annotated[int | None, Parameter("--imscale")] = None
    gridwidth: Annotated[int | None, Parameter("--gridwidth")] = None
    csvorder: Annotated[str | None, Parameter("--csvorder")] = None
    format: Annotated[str | None, Parameter("--format")] = None

    def resolve_model(self, model: str | None, weights: str | None) -> tuple[str, str | None]:
        """Return MODEL and its weights: the arguments, or what --model and --proto name.

        Raises:
            SettingsError: if no network, or more than one, is named.
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
        """Return the run folder: --out, or else WORKDIR/NAME, where NAME is that of --model or the network's.

        Raises:
            SettingsError: if both --out and --workdir are given.
        """
        if out is not None and self.workdir is not None:
            raise SettingsError("--out names one run folder, --workdir a folder of many: give one of the two")
        name = self.model_option
        if name is None or find_name_problem(name) is not None:
            name = network
        return out or (self.workdir or Path("dissection")) / name

    def find_run_folder(self, out: Path | None, model: str) -> Path | None:
        """Return the run folder; None if it depends on the network's name, which is known only after loading."""
        is_named = self.model_option is not None and find_name_problem(self.model_option) is None
        return self.choose_run_folder(out, model) if out is not None or is_named else None

    def change_settings(self, settings: Settings) -> Settings:
        """Return the settings with the device that --gpu names and what --endafter implies; any option asks for the classic pages.

        Raises:
            SettingsError: if --gpu is not a number, --device is given too, or --endafter does not name a phase.
        """
        phase = self._find_last_phase()
        changes: dict[str, Any] = {"device": self._resolve_device(settings.device)}
        changes["classic"] = settings.classic or self != ReleasedOptions()  # old scripts read the released code's files
        if phase in _COMPUTING_PHASES:
            changes |= {"pictures": False, "image_maxima": settings.image_maxima or phase == "imgmax"}
        return replace(settings, **changes)

    def check_rotation(self, projection: Sequence[str] | None) -> None:
        """Check the options of the rotation.

        Raises:
            SettingsError: if one is out of its bounds, or --projection is given too.
        """
        if self.rotation_seed is None:
            return
        if projection:
            raise SettingsError(
                "--rotation_seed rotates a layer's units, --projection replaces them: give one of the two"
            )
        from netdissect.networks.units.rotation import check_powers

        check_powers([self.rotation_power], self.rotation_seed)

    def rotate(self, network: Network, layers: list[str], resolution: int | None) -> tuple[Network, list[str]]:
        """Return the network with rotated layers and their names; both unchanged without --rotation_seed."""
        if self.rotation_seed is None:
            return network, layers
        from netdissect.arguments import resolve_layer_names
        from netdissect.experiments.rotation_curve import rotate_layers

        return rotate_layers(
            network, resolve_layer_names(layers, network), [self.rotation_power], self.rotation_seed, near_axes=bool(self.rotation_unpermute),
            resolution=resolution,
        )  # fmt: skip

    @property
    def recomputes(self) -> bool:
        """Whether --force names a phase that computes: the run starts over, as with --fresh."""
        return self._forces(_COMPUTING_PHASES)

    @property
    def redraws_report(self) -> bool:
        """Whether --force names a phase that draws: the report of a finished run is written again."""
        return self._forces(_DRAWING_PHASES)

    def describe_changes(self) -> list[str]:
        """Return a sentence for every option that has no effect, or a different one than in the released code."""
        lines = [f"--{name}: {reason}" for name, reason in _IGNORED_OPTIONS.items() if getattr(self, name) is not None]
        if self.force is not None:
            lines.append(f"--force: {self._describe_force()}")
        if self.endafter is not None:
            lines.append(f"--endafter: {self._describe_endafter()}")
        if self.rotation_unpermute:
            lines.append(
                "--rotation_unpermute: the rotation's rows are ordered by nearest axis, as rotate --near-axes does"
            )
        return lines

    def _resolve_device(self, device: str) -> str:
        """Return the device: the first GPU that --gpu lists, as CUDA_VISIBLE_DEVICES does in the released code."""
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

    def _describe_force(self) -> str:
        if self.recomputes:
            return "the run starts over, as with --fresh"
        if self.redraws_report:
            return "the report is written again"
        return "it names no phase and has no effect; --fresh starts a run over"

    def _describe_endafter(self) -> str:
        phase = self._find_last_phase()
        if phase is None:
            return "it names no phase; the whole run is carried out"
        if phase in _DRAWING_PHASES:
            return "the report and its graph are one step; the whole run is carried out"
        reason = "" if phase == "result" else "one forward pass computes all phases up to the tables; "
        return f"{reason}the report is not written (netdissect report RUN writes it)"

    def _forces(self, phases: Sequence[str]) -> bool:
        return self.force is not None and any(phase in self.force for phase in phases)

    def _find_last_phase(self) -> str | None:
        """Return the phase that --endafter names, if any."""
        if self.endafter is None or self.endafter == "none":
            return None
        phase = next((phase for phase in _PHASES if phase in self.endafter), None)
        if phase is None:
            raise SettingsError(f"--endafter takes one of {', '.join(_PHASES)} or none, not {self.endafter!r}")
        return phase
