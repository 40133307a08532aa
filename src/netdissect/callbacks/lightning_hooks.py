"""What Lightning calls during a training."""

from __future__ import annotations

from typing import Any

from netdissect.callbacks.training_watch import TrainingWatch


class LightningHooks(TrainingWatch):
    """Methods of a Lightning callback; it works with ``lightning.pytorch`` and with ``pytorch_lightning``."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Dissect before the training, or where it is resumed."""
        if trainer.is_global_zero:
            self._log_to.add_found(trainer.loggers)
            self.log_step = trainer.global_step
            self.start(pl_module, trainer.global_step if self.unit == "step" else trainer.current_epoch)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any, **__: Any) -> None:
        """Dissect after a step of the optimizer if it is time."""
        if trainer.is_global_zero and self.unit == "step":
            self.log_step = trainer.global_step
            self.look_at(pl_module, trainer.global_step)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Dissect after an epoch if it is time."""
        if trainer.is_global_zero and self.unit == "epoch":
            self.log_step = trainer.global_step
            self.look_at(pl_module, trainer.current_epoch + 1)

    def finish_fit(self, trainer: Any, pl_module: Any) -> None:
        """Dissect at the end of a training."""
        if trainer.is_global_zero:
            self.log_step = trainer.global_step
            self.finish(pl_module)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ARG002 - Lightning's
        """Let go of the network when a training fails."""
        self.close()
