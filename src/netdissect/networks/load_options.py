"""Options of MODEL: its weights, its architecture, and how images become its input."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the command line reads annotations at run time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netdissect.bounds import MAX_SEED, format_value, require_integer, require_number
from netdissect.errors import SettingsError
from netdissect.setting_fields import declare_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from netdissect.networks.preprocess import Preprocess

#: Larger numbers overflow to infinity in float32 arithmetic.
_MAX_VALUE = 1e30
_OR_FILE = "or one .npy or .binaryproto file"
#: Options that change how images become a network's input.
PREPROCESSING = frozenset({"mean", "std", "scale", "channels", "colordepth"})


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a model is loaded: its architecture and weights, and how images become its input."""

    arch: str | None = declare_option(None, "Architecture of a state dict, such as torchvision:resnet18.", none="none")
    weights: str | None = declare_option(
        None, "Weights file, or random.", none="MODEL's own", aliases=("-w",), path=True
    )
    mean: Sequence[str] | None = declare_option(
        None, "Mean of the input, in its channel order: 3 numbers, or a .npy or .binaryproto file.", none="MODEL's own",
        rare=True, path=True,
    )  # fmt: skip
    std: Sequence[str] | None = declare_option(
        None, "Standard deviation of the input, divided by after subtracting the mean.", none="MODEL's own", rare=True
    )
    scale: float | None = declare_option(
        None, "Factor applied after subtracting the mean, for images from 0 to 255 as in Caffe.", none="MODEL's own",
        rare=True,
    )  # fmt: skip
    channels: Literal["rgb", "bgr"] | None = declare_option(
        None, "Channel order of the input.", none="MODEL's own", rare=True
    )
    colordepth: int = declare_option(3, "Channels of the input: 3, or 1 for grayscale images.", rare=True)
    seed: int = declare_option(0, "Seed of random weights.")
    trust: bool = declare_option(False, "Open MODEL although it may hold code (FILE.pt2).")

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SettingsError: if one is out of its range.
        """
        if self.colordepth in (-1, -3):  # in the released code, negative means: subtract no mean
            object.__setattr__(self, "mean", self.mean or ("0", "0", "0"))
            object.__setattr__(self, "colordepth", -self.colordepth)
        if self.colordepth not in (1, 3):
            raise SettingsError(f"--colordepth must be 3 (color) or 1 (grayscale), not {format_value(self.colordepth)}")
        if self.channels not in (None, "rgb", "bgr"):
            raise SettingsError(f"--channels must be rgb or bgr, not {format_value(self.channels)}")
        require_integer("seed", self.seed, 0, MAX_SEED)
        if self.scale is not None and require_number("scale", self.scale, "be a number other than 0") == 0:
            raise SettingsError("--scale must not be 0: every value of the input is multiplied by it")
        if self.scale is not None and not 1 / _MAX_VALUE <= abs(self.scale) <= _MAX_VALUE:
            raise SettingsError(f"--scale must lie between {1 / _MAX_VALUE:g} and {_MAX_VALUE:g}, not {self.scale:g}")
        if self.std is not None and (parse_channels("--std", self.std) <= 0).any():
            raise SettingsError(f"--std must be greater than 0, not {' '.join(self.std)}")
        if self.mean is not None and not _find_mean_file(self.mean):
            parse_channels("--mean", self.mean, otherwise=_OR_FILE)

    @property
    def grayscale(self) -> bool:
        """Whether the network takes grayscale images."""
        return self.colordepth == 1

    def changed_options(self) -> set[str]:
        """Return the names of the options that differ from their defaults."""
        defaults = LoadOptions()
        return {name for name in self.__dataclass_fields__ if getattr(self, name) != getattr(defaults, name)}


def override_preprocess(own: Preprocess, options: LoadOptions) -> Preprocess:
    """Return a network's own preprocessing, with the user's options applied.

    ``mean`` and ``std`` are in the range of the network's own input (0 to 1 for most torch networks). With ``scale``
    images range from 0 to 255, as in Caffe, whatever the network's own range is.

    Raises:
        SettingsError: if options contradict each other, or the mean is out of range.
    """
    import numpy as np

    changes: dict[str, object] = {}
    if options.scale is not None:
        if options.std is not None:
            raise SettingsError("--scale and --std contradict each other: give one of them")
        if options.mean is None:
            raise SettingsError(
                "--scale goes with --mean: together they replace the network's own mean and standard deviation"
            )
        changes |= {"rescale_factor": 1.0, "std": np.full(3, 1 / options.scale, np.float32)}
    if options.std is not None:
        changes["std"] = parse_channels("--std", options.std)
    if options.mean is not None:
        mean = read_mean_option(options.mean)
        highest = 255 * float(changes.get("rescale_factor", own.rescale_factor))  # type: ignore[arg-type]
        if mean is not None and float(np.abs(mean).max()) > highest * 1.001:
            raise SettingsError(
                f"--mean {' '.join(options.mean)} is out of this network's range, 0 to {highest:g}: "
                f"for numbers from 0 to 255 give --scale too"
            )
        # A grayscale mean applies to all three channels.
        changes["mean"] = np.repeat(mean, 3, axis=0) if mean is not None and mean.shape[0] == 1 else mean
    if options.channels is not None:
        changes["channels"] = options.channels
    if options.grayscale:
        changes["grayscale"] = True
    if not changes:
        return own
    changed = options.changed_options()
    names = ", ".join(f"--{name}" for name in ("mean", "std", "scale", "channels", "colordepth") if name in changed)
    note = f"{names} given" + (f"; else {own.note}" if own.note else "")
    return replace(own, **changes, note=note)  # type: ignore[arg-type]


def read_mean_option(words: Sequence[str] | None) -> NDArray[np.float32] | None:
    """Return the value of --mean: three numbers, shape (3,), or the mean image of a file, shape (3, H, W)."""
    if words is None:
        return None
    file = _find_mean_file(words)
    if file is not None:
        from netdissect.networks.sources.caffe.mean_files import read_mean

        return read_mean(Path(file))
    return parse_channels("--mean", words, otherwise=_OR_FILE)


def _find_mean_file(mean: Sequence[str]) -> str | None:
    """Return the file that --mean names; None if it gives numbers, also if they are quoted together."""
    if len(mean) != 1 or any(_is_number(word) for word in mean[0].replace(",", " ").split()):
        return None
    return mean[0]


def parse_channels(
    option: str, typed: Sequence[str], *, otherwise: str = "or one for all channels"
) -> NDArray[np.float32]:
    """Parse an option of one or three numbers, shape (3,); a single one is used for all channels.

    >>> parse_channels("--std", ["0.5"]).tolist()
    [0.5, 0.5, 0.5]
    """
    import numpy as np

    words = [word for text in typed for word in text.replace(",", " ").split()]
    if len(words) not in (1, 3) or not all(_is_finite_number(word) for word in words):
        raise SettingsError(f"{option} takes three numbers, {otherwise}, not {' '.join(typed)}")
    return np.resize(np.array([float(word) for word in words], np.float32), 3)


def _is_number(word: str) -> bool:
    """Return whether a word is a number, NaN and infinity included."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_finite_number(word: str) -> bool:
    try:
        return abs(float(word)) <= _MAX_VALUE
    except ValueError:
        return False
