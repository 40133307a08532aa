"""Dissect a network at times during its training and follow its units: what all frameworks share."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from netdissect import api, arguments, model_loading
from netdissect.bounds import require_choice, require_integer
from netdissect.callbacks.log_targets import LogTargets
from netdissect.callbacks.step_folders import (
    Unit,
    find_earlier_runs,
    find_started_runs,
    name_run,
    remove_runs,
    require_unused,
)
from netdissect.callbacks.trained_module import find_device_setting, find_trained_module
from netdissect.consoles import stderr
from netdissect.data_loading import is_given, open_probe_set
from netdissect.errors import FolderTakenError, SettingsError, root_message
from netdissect.experiments.checkpoint_series import require_series_folder, share_decoded
from netdissect.experiments.track import TrackedRuns
from netdissect.experiments.track_figures import describe_track
from netdissect.progress import require_progress
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from torch import nn

    from netdissect.callbacks.trained_module import Part
    from netdissect.config import Definition, Settings, SettingsDict
    from netdissect.networks.network import Network
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.probe_sets.given.given_concepts import ConceptsLike
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.run_result import Result

_LOG = logging.getLogger("netdissect")
#: The largest interval between two dissections.
_MOST_STEPS = 10**12


@dataclass
class TrainingCost:
    """What the dissections of a training have taken.

    Attributes:
        dissections: how many there were.
        seconds: how long they took together.
        training_seconds: how long the training has taken, them included.
    """

    dissections: int = 0
    seconds: float = 0.0
    training_seconds: float = 0.0

    def __str__(self) -> str:
        share = self.seconds / max(self.training_seconds, self.seconds, 1e-9)
        times = count_noun(self.dissections, "dissection")
        return f"{times} took {self.seconds:.1f} s, {share:.0%} of the training's {self.training_seconds:.1f} s"


class TrainingWatch:
    """Dissects a network every few steps or epochs of its training. `Dissect` documents it for users."""

    def __init__(
        self,
        layers: str | nn.Module | Sequence[str | nn.Module],
        data: Any,
        concepts: ConceptsLike | None = None,
        *,
        every_steps: int | None = None,
        every_epochs: int | None = None,
        out: str | Path | None = None,
        network: Part = None,
        preprocess: PreprocessLike | None = None,
        log_to: object = None,
        cards: int = 6,
        definition: Definition = "label",
        on_failure: Literal["warn", "raise"] = "warn",
        fresh: bool = False,
        progress: Progress | bool = False,
        settings: Settings | None = None,
        **options: Unpack[SettingsDict],
    ) -> None:
        if every_steps is not None and every_epochs is not None:
            raise SettingsError("every_steps= and every_epochs= exclude each other: give one")
        self.unit: Unit = "epoch" if every_steps is None else "step"
        every = every_steps if every_steps is not None else 1 if every_epochs is None else every_epochs
        self.every = require_integer(f"every_{self.unit}s", every, 1, _MOST_STEPS)
        require_choice("on_failure", on_failure, ("warn", "raise"))
        require_choice("definition", definition, ("label", "category"))
        self._cards = require_integer("cards", cards, 0, 100)
        self._layers, self._part, self._preprocess = layers, network, arguments.require_preprocess(preprocess)
        chosen = options if settings is not None or "pictures" in options else {**options, "pictures": False}
        merged = arguments.merge_settings(settings, chosen)
        if is_given(data) or concepts is not None:
            api.check_settings(merged, None)
            arguments.require_local(merged)
            data = open_probe_set(
                data,
                concepts,
                split=merged.split,
                limit=merged.limit,
                preprocess=preprocess,
                progress=progress,
            )
        self._concepts, self._settings, _ = api.check_inputs(data, merged, None)
        self.out = None if out is None else require_series_folder(out)
        self._log_to = LogTargets(log_to)
        self._on_failure, self._fresh, self._progress = on_failure, fresh, require_progress(progress)
        #: The series of dissections: `netdissect.track` over all of them.
        self.track = self._make_track(definition)
        #: The last dissection; None before the first.
        self.result: Result | None = None
        #: What the dissections have taken.
        self.cost = TrainingCost()
        #: The step that loggers get, if it is not the one that is counted.
        self.log_step: int | None = None
        self._position = 0
        self._dissected: int | None = None
        self._is_resumed = False
        self._stale: list[Path] = []
        self._started: float | None = None
        self._model: object = None
        self._wrapped: tuple[nn.Module, Network] | None = None
        self._open = contextlib.ExitStack()
        self._shared: ConceptSource | None = None

    def start(self, model: nn.Module, at: int = 0) -> None:
        """Dissect a network before its training, or before it is resumed.

        After another training it begins a new series: ``track`` and ``cost`` are those of the new one.

        Args:
            model: what is trained, in whatever wrapper.
            at: the step or epoch at which the training starts; if it is resumed, dissections before that are taken from ``out``,
                and those after it are removed when this one is done.

        Raises:
            NetdissectError: if the layers, the probe set or the network are wrong, or ``out`` has the runs of another training.
        """
        self.begin(model, require_integer("at", at, 0, _MOST_STEPS), is_resumed=at > 0)

    def begin(self, model: nn.Module, at: int, *, is_resumed: bool, is_between: bool = False) -> None:
        """Dissect a network where its training starts, or where a framework resumes it.

        Args:
            model: what is trained.
            at: how many steps or epochs are done.
            is_resumed: whether an earlier training goes on.
            is_between: whether an epoch is begun and not done; then nothing is dissected before its end.
        """
        if self._started is not None and self._model is model and self._dissected == self._position == at:
            return  # the same start once more, as when the Trainer looks for a batch size
        self._begin(at, is_resumed=is_resumed, is_between=is_between)
        self._model = model
        if not is_between:
            self._look(model, is_due=True)

    def step(self, model: nn.Module) -> Result | None:
        """Count a step of the training, and dissect the network if it is time; call it after the optimizer's step.

        Args:
            model: what is trained.

        Returns:
            the dissection, if there was one.
        """
        return self._count(model, "step")

    def epoch(self, model: nn.Module) -> Result | None:
        """Count an epoch, and dissect the network if it is time; the arguments are those of `step`."""
        return self._count(model, "epoch")

    def __call__(self, model: nn.Module, step: int | None = None) -> Result | None:
        """Dissect a network now, unless it was at this step.

        Args:
            model: what is trained.
            step: the present step or epoch; None keeps the one that was counted.
        """
        self._require_begun()
        return self.look_at(
            model, self._position if step is None else require_integer("step", step, 0, _MOST_STEPS), is_due=True
        )

    def look_at(self, model: nn.Module, position: int, *, is_due: bool = False) -> Result | None:
        """Dissect a network if it is time at a step or epoch that someone else counts.

        Args:
            model: what is trained.
            position: how many steps or epochs are done.
            is_due: dissect it in any case, unless it was at this step.
        """
        self._require_begun()
        before, self._position = self._position, position
        return self._look(model, is_due=is_due or position // self.every > before // self.every)

    def finish(self, model: nn.Module | None = None) -> None:
        """Dissect a network at the end of its training, unless it was at this step, and say what all dissections took.

        Args:
            model: what was trained; None takes the one that was seen last.
        """
        seen = self._model if model is None else model
        if seen is not None and (self._started is not None or self._dissected is None):
            self._require_begun()
            self._look(seen, is_due=True)
        if self._started is not None and is_first_process():
            self._measure_training()
            stderr.print(f"netdissect: {self.cost}" + ("" if self.out is None else f"; runs in {self.out}"))
        self.close()

    def forget_model(self) -> None:
        """Forget the network that was seen last, so that `finish` does not dissect it."""
        self._model = None

    def close(self) -> None:
        """Forget the network and the decoded probe set; called by `finish`, and when a training fails."""
        self._open.close()
        self._log_to.close()
        self._shared, self._model, self._wrapped, self._started = None, None, None, None

    def write_track(self, out: str | Path, *, width: FigureWidth = "text") -> list[Path]:
        """Write the curve of unique detectors and the label changes; `TrackedRuns.write_figures` documents it."""
        return self.track.write_figures(out, width=width)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()

    def __repr__(self) -> str:
        head = f"Dissect, every {count_noun(self.every, self.unit)}"
        return "\n".join(
            [head, *(f"  {line}" for line in describe_track(self.track))] if self.track.checkpoints else [head]
        )

    def _count(self, model: nn.Module, unit: Unit) -> Result | None:
        if unit != self.unit:
            return None
        self._require_begun()
        return self.look_at(model, self._position + 1)

    def _look(self, model: Any, *, is_due: bool) -> Result | None:
        """Dissect a network if it is due, or if none was dissected yet, so that mistakes show at the first step."""
        self._model = model
        is_new = self._dissected != self._position
        if not is_first_process() or not is_new or not (is_due or self._dissected is None):
            return None
        begun, is_first = time.perf_counter(), self._dissected is None
        found = None
        try:
            with self._forgive("the dissection failed", is_first=is_first):
                found = self._dissect(model, is_first=is_first)
        finally:
            self._dissected = self._position
            self.cost.seconds += time.perf_counter() - begun
        return found

    @contextlib.contextmanager
    def _forgive(self, what: str, *, is_first: bool) -> Iterator[None]:
        """Turn an error into a warning, so that the training goes on, unless it comes at the beginning or errors are wanted."""
        try:
            yield
        except Exception as error:
            if is_first or self._on_failure == "raise":
                self.close()
                raise
            _LOG.warning(
                "%s %d: %s (%s); the training goes on", self.unit, self._position, what, root_message(error),
                exc_info=_LOG.isEnabledFor(logging.DEBUG),
            )  # fmt: skip

    def _require_begun(self) -> None:
        """Begin a series at 0 if the user has started none, or has finished the last one."""
        if self._started is None:
            self._begin(0, is_resumed=False)

    def _begin(self, at: int, *, is_resumed: bool, is_between: bool = False) -> None:
        """Begin a series, or go on with the dissections before `at`, and start the clock; nothing changes if ``out`` is refused."""
        if is_first_process():
            track = self._make_track(self.track.definition)
            last, replaces = at if is_between else at - 1, is_resumed or self._fresh
            if self.out is not None:
                runs = find_earlier_runs(self.out, self.unit)
                if not replaces:
                    require_unused(self.out, runs, self.unit)
                for position, folder in runs.items():
                    if is_resumed and position <= last:
                        track.append(folder, name=folder.name, step=position)
                kept = [point.name for point in track.checkpoints]
                started = find_started_runs(self.out, self.unit).values()
                self._stale = [folder for folder in started if replaces and folder.name not in kept]
            elif is_resumed:
                track.checkpoints.extend(point for point in self.track.checkpoints if point.step <= last)
            self.track = track
        if not is_resumed:
            self.cost = TrainingCost()
        self._position, self._dissected, self._is_resumed = at, None, is_resumed
        self._started = time.perf_counter() - self.cost.training_seconds

    def _make_track(self, definition: Definition) -> TrackedRuns:
        axis = "training step" if self.unit == "step" else "epoch"
        return TrackedRuns(self._settings.threshold, definition, axis=axis)

    def _dissect(self, model: object, *, is_first: bool) -> Result:
        from netdissect.callbacks.undisturbed import leave_undisturbed

        begun, step = time.perf_counter(), self._position if self.log_step is None else self.log_step
        module = find_trained_module(model, self._part)
        with leave_undisturbed(module):
            result = self._run(module, is_first=is_first)
            name = name_run(self.unit, self._position)
            self.track.append(result, name=name, step=self._position)
            if is_first:
                remove_runs(folder for folder in self._stale if folder.name != name)
            self.result = result
            self.cost.dissections += 1
            _LOG.info("%s", "\n".join([f"{name}:", *repr(result).splitlines()[1:]]))
            self._measure_training()
            with self._forgive("it could not be logged", is_first=is_first):
                self._log_to.write(
                    result, self.track.checkpoints[-1], step, seconds=time.perf_counter() - begun, cards=self._cards
                )
        return result

    def _run(self, module: nn.Module, *, is_first: bool) -> Result:
        """Dissect a module into its run folder.

        The first dissection of a resumed or fresh series replaces a run there; no other does.
        """
        if self._shared is None:
            self._shared = self._open.enter_context(share_decoded(self._concepts, self._settings, self.out))
        settings = self._settings
        if settings.device == "auto":
            settings = replace(settings, device=find_device_setting(module))
        folder = (
            None if self.out is None else arguments.require_run_folder(self.out / name_run(self.unit, self._position))
        )
        network, shared = self._wrap(module), self._shared

        def run(*, fresh: bool) -> Result:
            return api.dissect_checked(
                network, self._layers, shared, settings, folder, fresh=fresh, progress=self._progress
            )

        if not is_first or folder is None:
            return run(fresh=False)
        try:
            return run(fresh=self._fresh)
        except FolderTakenError:
            if self._fresh or not self._is_resumed:
                raise
            return run(fresh=True)  # the earlier training went on to here after the checkpoint that this one resumes

    def _wrap(self, module: nn.Module) -> Network:
        """Return a module as a network; the same one for the same module, so that what is assumed of it is said once."""
        if self._wrapped is None or self._wrapped[0] is not module:
            self._wrapped = module, model_loading.as_network(module, self._preprocess)
        return self._wrapped[1]

    def _measure_training(self) -> None:
        if self._started is not None:
            self.cost.training_seconds = time.perf_counter() - self._started


def is_first_process() -> bool:
    """Return whether this is the first process of a distributed training, or the only one."""
    from torch import distributed

    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
