"""Where dissections are logged: TensorBoard, Weights & Biases, MLflow, and the loggers of Lightning."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from netdissect.bounds import describe_type
from netdissect.callbacks.log_numbers import GROUP, collect_numbers
from netdissect.errors import RunError, SettingsError, root_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.experiments.track import TrackedCheckpoint
    from netdissect.results.run_result import Result

#: The name under which the step is logged, which Weights & Biases takes as the axis of all others.
_STEP = f"{GROUP}/step"


class LogTarget(Protocol):
    """Takes the numbers and the images of a dissection."""

    def write(
        self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int, name: str
    ) -> None:
        """Log them.

        Args:
            numbers: by name.
            images: by name, each uint8, shape (H, W, 3).
            step: the training step, or the epoch.
            name: the dissection's name, such as ``epoch-3``.
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
            self.close()
            self._targets = [open_target(one) for one in loggers]

    def close(self) -> None:
        """Close what was opened here; the loggers of others stay open."""
        for target in self._targets:
            if isinstance(target, TensorBoardFolder):
                target.close()

    def write(self, result: Result, checkpoint: TrackedCheckpoint, step: int, *, seconds: float, cards: int) -> None:
        """Log a dissection everywhere, also after one of the loggers has failed.

        Args:
            result: the dissection.
            checkpoint: its counts.
            step: the training step, or the epoch.
            seconds: how long it took.
            cards: the most units of a layer that are shown with their exemplars.

        Raises:
            Exception: that of the logger that failed; a RunError if several did.
        """
        if not self._targets:
            return
        from netdissect.callbacks.log_images import draw_images

        numbers, images = collect_numbers(result, checkpoint, seconds), draw_images(result, cards)
        failed: list[Exception] = []
        for target in self._targets:
            try:
                target.write(numbers, images, step, checkpoint.name)
            except Exception as error:  # noqa: BLE001 - the others get theirs first
                failed.append(error)
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise RunError("; ".join(dict.fromkeys(root_message(error) for error in failed)))


def open_target(logger: Any) -> LogTarget:
    """Return where a logger's dissections go.

    Args:
        logger: a SummaryWriter of TensorBoard; a run of Weights & Biases or MLflow, or the library itself, whose active run
            is used; or a logger of Lightning.

    Raises:
        SettingsError: if it is anything else.
    """
    if isinstance(logger, TensorBoardFolder):
        return logger
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

    def write(
        self,
        numbers: Mapping[str, float],
        images: Mapping[str, NDArray[np.uint8]],
        step: int,
        name: str,  # noqa: ARG002
    ) -> None:
        """Log them."""
        for key, value in numbers.items():
            self._writer.add_scalar(key, value, step)
        for key, image in images.items():
            self._writer.add_image(key, image, step, dataformats="HWC")
        self._writer.flush()


class TensorBoardFolder:
    """Logs to TensorBoard through a SummaryWriter of its own, which is opened when there is something to write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def write(
        self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int, name: str
    ) -> None:
        """Log them."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))
        TensorBoardTarget(self._writer).write(numbers, images, step, name)

    def close(self) -> None:
        """Close the SummaryWriter."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class WandbTarget:
    """Logs to a run of Weights & Biases, over an axis of its own: the run's own steps go on as the user counts them."""

    def __init__(self, run: Any) -> None:
        self._given = run
        self._defined: set[str] = set()
        self._row: int | None = None

    def write(
        self,
        numbers: Mapping[str, float],
        images: Mapping[str, NDArray[np.uint8]],
        step: int,
        name: str,  # noqa: ARG002
    ) -> None:
        """Add them to the row that the run writes next."""
        run = self._given.run if isinstance(self._given, ModuleType) else self._given
        if run is None:
            raise SettingsError("log_to=wandb needs an active run: call wandb.init first")
        if not self._defined:
            run.define_metric(_STEP)
        for key in [key for key in (*numbers, *images) if key not in self._defined]:
            run.define_metric(key, step_metric=_STEP)
            self._defined.add(key)
        if self._row == run.step:  # nothing was written since: the last dissection must not be overwritten
            run.log({}, commit=True)
        shown = {key: sys.modules["wandb"].Image(image) for key, image in images.items()}
        run.log({**numbers, **shown, _STEP: step}, commit=False)
        self._row = run.step


class MlflowTarget:
    """Logs to a run of MLflow."""

    def __init__(self, mlflow: Any, run_id: str | None, client: Any = None) -> None:
        self._mlflow, self._run_id, self._client = mlflow, run_id, client

    def write(
        self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int, name: str
    ) -> None:
        """Log them."""
        run_id = self._run_id
        if run_id is None:
            active = self._mlflow.active_run()
            if active is None:
                raise SettingsError("log_to=mlflow needs an active run: call mlflow.start_run first")
            run_id = str(active.info.run_id)
        client = self._client or self._mlflow.MlflowClient()
        for key, value in numbers.items():
            client.log_metric(run_id, _clean_name(key), value, step=step)
        for key, image in images.items():
            client.log_image(run_id, image, artifact_file=f"{_clean_name(key)}/{name}.png")


class LightningTarget:
    """Logs to a logger of Lightning: to the library behind it, or, if that takes no images, the numbers alone."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._inner: LogTarget | None = None

    def write(
        self, numbers: Mapping[str, float], images: Mapping[str, NDArray[np.uint8]], step: int, name: str
    ) -> None:
        """Log them."""
        if self._inner is None:
            self._inner = self._find_inner()
        if self._inner is None:
            self._logger.log_metrics(dict(numbers), step=step)
        else:
            self._inner.write(numbers, images, step, name)

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
