"""Where dissections are logged: TensorBoard, Weights & Biases, MLflow, and the loggers of Lightning."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from netdissect.bounds import describe_type
from netdissect.callbacks.log_numbers import GROUP, collect_numbers
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.experiments.track import TrackedCheckpoint
    from netdissect.results.run_result import Result

#: The name under which the step is logged, which Weights & Biases takes as the axis of all others.
_STEP = f"{GROUP}/step"


class LogTarget(Protocol):
    """Takes the numbers and the images of a dissection."""

    def write(self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Log them.

        Args:
            numbers: by name.
            images: by name, each uint8, shape (H, W, 3).
            step: the training step, or the epoch.
        """
        ...


class LogTargets:
    """The places where a training's dissections are logged.

    Args:
        given: a logger, several, or none with ``()``; None takes those that the framework has.
    """

    def __init__(self, given: object = None) -> None:
        self._takes_found = given is None
        several = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
        self._targets: list[LogTarget] = [open_target(one) for one in several]

    def add_found(self, loggers: Iterable[object]) -> None:
        """Log to a framework's own loggers too, unless the user has named others; loggers of other kinds get what they take."""
        if self._takes_found:
            self._targets = [open_target(one) for one in loggers]

    def write(self, result: Result, checkpoint: TrackedCheckpoint, step: int, *, seconds: float, cards: int) -> None:
        """Log a dissection.

        Args:
            result: the dissection.
            checkpoint: its counts.
            step: the training step, or the epoch.
            seconds: how long it took.
            cards: the most units of a layer that are shown with their exemplars.
        """
        if not self._targets:
            return
        from netdissect.callbacks.log_images import draw_images

        numbers, images = collect_numbers(result, checkpoint, seconds), draw_images(result, cards)
        for target in self._targets:
            target.write(numbers, images, step)


def open_target(logger: Any) -> LogTarget:
    """Return where a logger's dissections go.

    Args:
        logger: a SummaryWriter of TensorBoard; a run of Weights & Biases or MLflow, or the library itself, whose active run
            is used; or a logger of Lightning.

    Raises:
        SettingsError: if it is anything else.
    """
    kind = f"{type(logger).__module__}.{type(logger).__name__}"
    if isinstance(logger, ModuleType) and logger.__name__ in ("wandb", "mlflow"):
        return WandbTarget(logger) if logger.__name__ == "wandb" else MlflowTarget(logger, None)
    if hasattr(logger, "add_scalar") and hasattr(logger, "add_image"):
        return TensorBoardTarget(logger)
    if kind.startswith("wandb.") and hasattr(logger, "define_metric"):
        return WandbTarget(logger)
    if kind.startswith("mlflow.") and hasattr(logger, "info"):
        return MlflowTarget(sys.modules["mlflow"], str(logger.info.run_id))
    if hasattr(logger, "log_metrics") and hasattr(logger, "experiment"):
        return LightningTarget(logger)
    raise SettingsError(
        f"log_to= takes a SummaryWriter of TensorBoard, a run of wandb or mlflow (or the imported library, for its active run), "
        f"or a logger of Lightning, not {describe_type(logger)}"
    )


class TensorBoardTarget:
    """Logs to TensorBoard through a SummaryWriter, torch's or tensorboardX's."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Log them."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)
        for name, image in images.items():
            self._writer.add_image(name, image, step, dataformats="HWC")
        self._writer.flush()


class WandbTarget:
    """Logs to a run of Weights & Biases, over an axis of its own: the run's own steps go on as the user counts them."""

    def __init__(self, run: Any) -> None:
        self._given = run
        self._defined: set[str] = set()
        self._row: int | None = None

    def write(self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Add them to the row that the run writes next."""
        run = self._given.run if isinstance(self._given, ModuleType) else self._given
        if run is None:
            raise SettingsError("log_to=wandb needs an active run: call wandb.init first")
        if not self._defined:
            run.define_metric(_STEP)
        for name in [name for name in (*numbers, *images) if name not in self._defined]:
            run.define_metric(name, step_metric=_STEP)
            self._defined.add(name)
        if self._row == run.step:  # nothing was written since: the last dissection must not be overwritten
            run.log({}, commit=True)
        shown = {name: sys.modules["wandb"].Image(image) for name, image in images.items()}
        run.log({**numbers, **shown, _STEP: step}, commit=False)
        self._row = run.step


class MlflowTarget:
    """Logs to a run of MLflow."""

    def __init__(self, mlflow: Any, run_id: str | None, client: Any = None) -> None:
        self._mlflow, self._run_id, self._client = mlflow, run_id, client

    def write(self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Log them."""
        run_id = self._run_id
        if run_id is None:
            active = self._mlflow.active_run()
            if active is None:
                raise SettingsError("log_to=mlflow needs an active run: call mlflow.start_run first")
            run_id = str(active.info.run_id)
        client = self._client or self._mlflow.MlflowClient()
        for name, value in numbers.items():
            client.log_metric(run_id, _clean_name(name), value, step=step)
        for name, image in images.items():
            client.log_image(run_id, image, artifact_file=f"{_clean_name(name)}/step-{step}.png")


class LightningTarget:
    """Logs to a logger of Lightning: to the library behind it, or, if that takes no images, the numbers alone."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._inner: LogTarget | None = None

    def write(self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Log them."""
        if self._inner is None:
            self._inner = self._find_inner()
        if self._inner is None:
            self._logger.log_metrics(dict(numbers), step=step)
        else:
            self._inner.write(numbers, images, step)

    def _find_inner(self) -> LogTarget | None:
        kind, behind = type(self._logger).__name__, self._logger.experiment
        if kind == "MLFlowLogger":
            return MlflowTarget(sys.modules.get("mlflow"), str(self._logger.run_id), behind)
        if kind == "WandbLogger" or (hasattr(behind, "add_scalar") and hasattr(behind, "add_image")):
            return open_target(behind)
        return None


def _clean_name(name: str) -> str:
    """Return a name with only the characters that MLflow allows.

    >>> _clean_name("netdissect/blocks.3[1]/detectors")
    'netdissect/blocks.3_1_/detectors'
    """
    return re.sub(r"[^\w\-. /]", "_", name)
