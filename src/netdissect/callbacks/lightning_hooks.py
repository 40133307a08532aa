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
            is_epoch, step = self.unit == "epoch", trainer.global_step
            self.begin(
                pl_module, trainer.current_epoch if is_epoch else step,
                is_resumed=step > 0, is_between=is_epoch and step > 0 and _is_between_epochs(trainer),
            )  # fmt: skip

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


def _is_between_epochs(trainer: Any) -> bool:
    """Return whether a resumed training has begun an epoch and not done it."""
    epochs, batches = trainer.fit_loop.epoch_progress.current, trainer.fit_loop.epoch_loop.batch_progress
    is_begun = (
        batches.current.ready > 0 and not batches.is_last_batch
    )  # releases before 2.5 count the epoch as not begun
    return bool(epochs.ready > epochs.processed or is_begun)
