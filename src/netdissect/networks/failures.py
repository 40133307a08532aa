"""Why a network fails on images alone: the part that fails, the inputs that are missing, and the part that sees the image."""

from __future__ import annotations

import inspect
import itertools
import linecache
import logging
import re
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netdissect.bounds import RESOLUTION_RANGE
from netdissect.errors import ModelError, root_message
from netdissect.networks.module_copies import FORWARD_ERRORS
from netdissect.networks.sources.python import UsersCodeError, call_user_code
from netdissect.networks.trace.hooks import evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from types import FrameType, TracebackType

    from netdissect.networks.listed_network import ListedNetwork


_LOG = logging.getLogger("netdissect")
#: Sides of images, in pixels, that are tried when a network does not run at the size asked for.
_TRIED_SIDES = (224, 256, 384, 512)
#: Maximum side of an image that is tried, in pixels.
_MAX_TRIED_SIDE = 1024
#: Messages of networks that take several images at once.
_FIVE_DIMENSIONS = re.compile(r"expected 5, got 4|5-?D tensor|5 dimensions", re.IGNORECASE)


def make_size_error(network: ListedNetwork, input_size: tuple[int, int], error: Exception) -> ModelError:
    """Return the error of a network that does not run on inputs of a size; it names another size only if it runs there."""
    works = None if "memory" in str(error) else _find_other_size(network, input_size, error)
    advice = ""
    if works is not None:
        option = f"try --resolution {works[0]}" if works[0] == works[1] else "leave out --resolution"
        advice = f"; it runs on {works[1]} x {works[0]}: {option}"
    is_gray = "1 channel" in str(error) and network.preprocess.depth == 3
    gray = "; try --colordepth 1 for gray images" if is_gray else ""
    return ModelError(
        f"{network.name} does not run on a {input_size[1]} x {input_size[0]} image with {network.preprocess.depth} "
        f"channels: {root_message(error)}{advice}{gray}"
    )


def _find_other_size(network: ListedNetwork, input_size: tuple[int, int], error: Exception) -> tuple[int, int] | None:
    """Return a size on which a network runs: its own, one that its error names, or a usual one; None if none is found."""
    named = [int(number) for number in re.findall(r"(?<!\d)\d{1,4}(?!\d)", root_message(error))]
    sides = [side for side in named if RESOLUTION_RANGE[0] <= side <= _MAX_TRIED_SIDE][:4]
    sizes = (network.input_size, *((side, side) for side in (*sides, *_TRIED_SIDES)))
    others = [size for size in dict.fromkeys(sizes) if size is not None and size != input_size]
    if network.runs_at(input_size):
        return None  # another size would not help: it fails only when it is traced
    return next((size for size in others if network.runs_at(size)), None)


def warn_of_failure(name: str, input_size: tuple[int, int], failure: str) -> None:
    """Log where and why a network fails, so that layers after it are not listed."""
    size = f"{input_size[1]} x {input_size[0]}"
    _LOG.warning("%s fails on a blank %s image%s: layers after it are not listed", name, size, failure)


def find_failing_part(error: BaseException, parts: Mapping[str, nn.Module]) -> str:
    """Return the name of the innermost module that was running when an error was raised; empty for the network itself."""
    names = {id(part): name for name, part in reversed(list(parts.items()))}
    found = [names[id(own)] for frame, _ in _iterate_frames(error) if id(own := frame.f_locals.get("self")) in names]
    return found[-1] if found else ""


def find_missing_inputs(module: nn.Module, error: BaseException, given: str = "") -> list[str]:
    """Return the arguments that a module needs besides its images, if it failed because they were not given.

    Args:
        module: the network.
        error: that was raised when it was called with images.
        given: name of the images' argument; empty for the first.
    """
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):  # code without a signature
        return []
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    others = [one for one in named if one.name != given] if given else named[1:]
    required: list[str] = [one.name for one in others if one.default is one.empty]
    if required:
        return required
    left_out = {one.name for one in others if one.default is None}
    return _find_words(left_out, str(error)) or (
        _find_empty_inputs(error, left_out) if "NoneType" in str(error) else []
    )


def find_image_part(module: nn.Module, x: torch.Tensor) -> str:
    """Return the name of the outermost part that runs on images alone; empty if there is none."""
    outer: list[tuple[str, nn.Module]] = [
        (name, part) for name, part in module.named_modules() if name and name.count(".") < 2
    ]
    with evaluation_mode(module), torch.no_grad():
        for name, part in sorted(outer, key=lambda entry: entry[0].count(".")):
            if _sees_channels(part, x.shape[1]) and _runs(part, x):
                return name
    return ""


def takes_videos(module: nn.Module, error: BaseException, depth: int) -> bool:
    """Return whether a network takes five dimensions, as videos have: it says so, or only its Conv3d take images' channels."""
    over_time = any(isinstance(part, nn.Conv3d) and part.in_channels == depth for part in module.modules())
    return bool(_FIVE_DIMENSIONS.search(str(error))) or (over_time and not _sees_channels(module, depth))


def _sees_channels(part: nn.Module, depth: int) -> bool:
    """Return whether a part contains a convolution of as many channels as an image has."""
    return any(
        isinstance(inner, nn.Conv2d) and inner.in_channels == depth for inner in part.modules() if inner is not part
    )


def _runs(part: nn.Module, x: torch.Tensor) -> bool:
    try:
        call_user_code(part, x)
    except FORWARD_ERRORS:
        return False
    return True


def _find_words(words: Collection[str], text: str) -> list[str]:
    return [word for word in dict.fromkeys(re.findall(r"\w+", text)) if word in words]


def _find_empty_inputs(error: BaseException, left_out: Collection[str]) -> list[str]:
    """Return the first left-out argument that the innermost failing statement reads as None."""
    for frame, statement in reversed(list(_iterate_frames(error))):
        empty = [name for name in _find_words(left_out, statement) if frame.f_locals.get(name, frame) is None]
        if empty:
            return empty[:1]
    return []


def _iterate_frames(error: BaseException) -> Iterator[tuple[FrameType, str]]:
    """Yield the frames that an error passed, the outermost first, each with the text of its statement."""
    original: Any = error.__context__ if isinstance(error, UsersCodeError) else error
    trace: TracebackType | None = original.__traceback__
    while trace is not None:
        code, position = trace.tb_frame.f_code, trace.tb_lasti // 2
        _, end, _, _ = next(itertools.islice(code.co_positions(), position, None), (None, None, None, None))
        lines = range(trace.tb_lineno, (end or trace.tb_lineno) + 1)
        yield trace.tb_frame, "".join(linecache.getline(code.co_filename, line) for line in lines)
        trace = trace.tb_next
