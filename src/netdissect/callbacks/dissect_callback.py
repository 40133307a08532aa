"""The callback: one object for a plain loop, for Lightning and for Hugging Face's Trainer."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Self, cast

from netdissect.callbacks.lightning_hooks import LightningHooks
from netdissect.callbacks.trainer_hooks import TrainerHooks

if TYPE_CHECKING:
    from collections.abc import Callable

#: The modules that define the callbacks of frameworks, by the name of the class.
_FRAMEWORKS = {
    "lightning.pytorch.callbacks.callback": "Callback",
    "pytorch_lightning.callbacks.callback": "Callback",
    "transformers.trainer_callback": "TrainerCallback",
}


class Dissect(LightningHooks, TrainerHooks):
    """Dissects a network while it is trained, on a small probe set: at the start, every few steps or epochs, and at the end.

    It is a callback of Lightning and of Hugging Face's Trainer as it is, and in a plain loop its methods are called. The training is
    left as it was: the weights are bit for bit those of a training without it (docs/training.md).

    Args:
        layers: the layers to dissect, by name or as modules; names are those of the network without wrappers.
        data: the probe set, as for `netdissect.dissect`; images and labels are decoded once.
        concepts: what the masks of `data` mean, as for `netdissect.dissect`.
        every_steps: dissect after every so many steps of the optimizer.
        every_epochs: dissect after every so many epochs; this is the default, with 1.
        out: folder in which each dissection gets a run folder, such as ``step-500``; None writes nothing. A training that is
            resumed continues the series in it.
        network: the part of the trained model that is dissected, such as ``"backbone"``: the name of a submodule, or a function that
            returns it; names of layers are relative to it. None takes all of it.
        preprocess: as for `netdissect.dissect`.
        log_to: where dissections are logged: a SummaryWriter, a run of wandb or mlflow, or a list of them; ``()`` logs nowhere.
            None takes the loggers that Lightning or the Trainer has.
        cards: the most units of a layer that are logged with their exemplars.
        definition: how unique detectors are counted, ``"label"`` or ``"category"``.
        on_failure: what an error of a later dissection does: ``"warn"`` logs a warning, and the training goes on; ``"raise"`` ends it.
            The first dissection always raises, so that a wrong layer is found before hours are spent.
        fresh: replace the runs that an earlier training left in `out`; they are removed when the first dissection is done.
        progress: shows how far each dissection is, as for `netdissect.dissect`; False, the default here, shows nothing.
        settings: all settings; None takes the paper's, without reports.
        options: single settings by name, such as ``quantile=0.01``; ``pictures=True`` writes the report of every run.

    Raises:
        SettingsError: if an argument is wrong.
        DataError: or a subclass, if there is no such probe set.

    Example::

        from netdissect.callbacks import Dissect

        with Dissect("layer4", "dataset/broden1_224", every_steps=500, out="runs/emergence") as watch:
            watch.start(model)
            for images, labels in loader:
                loss(model(images), labels).backward()
                optimizer.step()
                optimizer.zero_grad()
                watch.step(model)
        watch.write_track("training.svg")
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make a callback of the frameworks that have been imported."""
        return cast("Self", object.__new__(_find_class(cls)))

    def __getattr__(self, name: str) -> Any:
        """Become a callback of a framework that was imported after this object was made."""
        found = _find_class(type(self))
        if name.startswith("__") or found is type(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.__class__ = found
        return getattr(self, name)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[type[Dissect]], dict[str, Any]]:
        left = ("_open", "_shared", "_wrapped", "_model")  # what is open here, and the network
        kept = {name: value for name, value in self.__dict__.items() if name not in left}
        return _make_empty, (type(self).__dict__.get("_origin", type(self)),), kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _open=contextlib.ExitStack(), _shared=None, _wrapped=None, _model=None)

    def on_train_end(self, first: Any, second: Any, *rest: Any, model: Any = None, **_: Any) -> None:
        """Dissect at the end: Lightning gives its trainer and module, Hugging Face's Trainer its arguments, state and control."""
        if rest:
            self.finish_training(first, second, model)
        else:
            self.finish_fit(first, second)


def _make_empty(origin: type[Dissect]) -> Dissect:
    return object.__new__(_find_class(origin))


def _find_class(base: type[Dissect]) -> type[Dissect]:
    """Return the class that is also a callback of every framework that has been imported."""
    found = [getattr(sys.modules[module], name) for module, name in _FRAMEWORKS.items() if module in sys.modules]
    missing = tuple(kind for kind in found if not issubclass(base, kind))
    if not missing:
        return base
    origin = base.__dict__.get("_origin", base)
    wanted = (origin, *found)
    if wanted not in _CLASSES:
        names = {
            "_origin": origin,
            "__module__": origin.__module__,
            "__doc__": origin.__doc__,
            "__qualname__": origin.__qualname__,
        }
        _CLASSES[wanted] = type(origin.__name__, wanted, names)
    return _CLASSES[wanted]


#: Classes that are callbacks of frameworks, by what they are made of.
_CLASSES: dict[tuple[type, ...], type[Dissect]] = {}
