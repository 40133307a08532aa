"""What Hugging Face's Trainer calls during a training."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.callbacks.log_targets import TensorBoardFolder
from netdissect.callbacks.training_watch import TrainingWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How far a whole epoch may be from a whole number.
_ROUNDING = 1e-6


class TrainerHooks(TrainingWatch):
    """Methods of a callback of Hugging Face's Trainer."""

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Dissect before the training, or where it is resumed."""
        if state.is_world_process_zero:
            self._log_to.add_found(self._find_loggers(args))
            self.log_step = state.global_step
            done = state.global_step if self.unit == "step" else (state.epoch or 0.0)
            is_between = abs(done - round(done)) > _ROUNDING
            at = math.floor(done) if is_between else round(done)
            self.begin(model, at, is_resumed=state.global_step > 0, is_between=is_between)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Dissect after a step of the optimizer if it is time, or if it was the last one."""
        if state.is_world_process_zero and self.unit == "step":
            self.log_step = state.global_step
            self.look_at(model, state.global_step, is_due=state.global_step >= state.max_steps)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Dissect after an epoch if it is time."""
        if state.is_world_process_zero and self.unit == "epoch":
            self.log_step = state.global_step
            self.look_at(model, self._find_position(state), is_due=state.global_step >= state.max_steps)

    def finish_training(self, args: Any, state: Any, model: Any) -> None:
        """Dissect at the end of a training, unless the best checkpoint has just replaced its last weights."""
        if state.is_world_process_zero:
            if args.load_best_model_at_end:
                self.forget_model()
            self.finish(None if args.load_best_model_at_end else model)

    def _find_position(self, state: Any) -> int:
        """Return how many steps are done, or how many epochs have begun."""
        return state.global_step if self.unit == "step" else math.ceil((state.epoch or 0) - _ROUNDING)

    @staticmethod
    def _find_loggers(args: Any) -> Iterator[object]:
        """Yield the loggers that the Trainer reports to.

        It shows its SummaryWriter to nobody, so TensorBoard gets another one, in the folder ``netdissect`` beside the Trainer's files.
        """
        if "tensorboard" in args.report_to:
            # transformers 5 takes the folder from the environment, and earlier releases from their argument
            named = os.environ.get("TENSORBOARD_LOGGING_DIR") or getattr(args, "logging_dir", None)
            folder = Path(named).expanduser() if named else Path(args.output_dir) / "runs"
            yield TensorBoardFolder(folder / "netdissect")
        for name in ("wandb", "mlflow"):
            if name in args.report_to and name in sys.modules:
                yield sys.modules[name]
