"""The input sizes that a network's file fixes: batch, channels, height and width."""

from __future__ import annotations

from dataclasses import dataclass

from netdissect.errors import ModelError


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input sizes that a network's file fixes; None for a free one.

    Attributes:
        batch: images per forward pass.
        channels: 3, or 1 for grayscale images.
        height: in pixels.
        width: in pixels.
    """

    batch: int | None
    channels: int | None
    height: int | None
    width: int | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width; None unless both are fixed."""
        return None if self.height is None or self.width is None else (self.height, self.width)

    def allows(self, input_size: tuple[int, int]) -> bool:
        """Return whether the network accepts images of a size."""
        return self.height in (None, input_size[0]) and self.width in (None, input_size[1])

    def check(self, name: str, input_size: tuple[int, int], depth: int) -> None:
        """Check an input against the sizes that the file fixes.

        Args:
            name: of the network.
            input_size: height and width of the images.
            depth: channels after preprocessing.

        Raises:
            ModelError: if the network does not accept it.
        """
        if not self.allows(input_size):
            square = self.height == self.width
            raise ModelError(
                f"{name} was exported for images of {self.width or 'any'} x {self.height or 'any'} and does not "
                f"accept {input_size[1]} x {input_size[0]}: "
                + (f"give --resolution {self.height}" if square else "export it with free height and width")
            )
        if self.channels not in (None, depth):
            raise ModelError(
                f"{name} takes images of {self.channels} channels, its preprocessing gives {depth}: "
                + ("give --colordepth 1" if self.channels == 1 else "leave out --colordepth 1")
            )
