"""What Hugging Face's Trainer calls during a training."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

from netdissect.callbacks.training_watch import TrainingWatch


class TrainerHooks(TrainingWatch):
    """Methods of a callback of Hugging Face's Trainer."""

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Dissect before the training, or where it is resumed."""
        if state.is_world_process_zero:
            self._log_to.add_found(self._find_loggers(args))
            self.log_step = state.global_step
            self.start(model, self._find_position(state))

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
        return state.global_step if self.unit == "step" else math.ceil((state.epoch or 0) - 1e-6)

    @staticmethod
    def _find_loggers(args: Any) -> list[object]:
        """Return the loggers that the Trainer reports to.

        It shows its SummaryWriter to nobody, so TensorBoard gets another one, in the folder ``netdissect`` beside the Trainer's files.
        """
        loggers: list[object] = []
        if "tensorboard" in args.report_to:
            from torch.utils.tensorboard import SummaryWriter

            named = os.environ.get("TENSORBOARD_LOGGING_DIR")
            folder = Path(named).expanduser() if named else Path(args.output_dir) / "runs"
            loggers.append(SummaryWriter(str(folder / "netdissect")))
        names = ("wandb", "mlflow")
        return loggers + [sys.modules[name] for name in names if name in args.report_to and name in sys.modules]
