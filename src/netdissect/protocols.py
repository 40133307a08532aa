"""Interfaces between packages that do not import each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from netdissect.concepts import Labels, Vocabulary
    from netdissect.layers import Layer
    from netdissect.segments import Segments

#: Column of ``index.csv`` in which images that belong together have the same text.
GROUP_COLUMN = "group"


@runtime_checkable
class ActivationSource(Protocol):
    """A network prepared to give the activations of some layers for batches of images.

    It is a context manager: inside the block the network is in evaluation mode and hooks are registered; afterwards the
    network is as it was before, also after an error.
    """

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The probed layers, with their grids and field maps for inputs of `input_size`."""
        ...

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input in pixels."""
        ...

    def model_input(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return the network's input for an image of a probe set: the image at the input's size.

        A generator's input is the latent that the image was made from.
        """
        ...

    def activations(self, inputs: NDArray[np.generic], /) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch, no further than its last probed layer.

        Args:
            inputs: the network's inputs for B images, stacked: RGB, uint8, shape (B, H, W, 3).

        Returns:
            activations by layer name: float32, shape (B, h, w, U), in any memory layout, on the network's device.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


@runtime_checkable
class AblationSource(Protocol):
    """A network prepared to give its class outputs with units of one layer removed.

    It is a context manager: inside the block the network is in evaluation mode and hooks are registered; afterwards the
    network is as it was before, also after an error.
    """

    @property
    def layer(self) -> Layer:
        """The layer whose units are removed."""
        ...

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input in pixels."""
        ...

    @property
    def classes(self) -> int:
        """Number of class outputs Y."""
        ...

    @property
    def note(self) -> str:
        """Why units are removed in one pass each, and not many sets in one pass; empty if they are not."""
        ...

    def model_input(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return the network's input for an image: the image at the input's size."""
        ...

    def measure(self, inputs: NDArray[np.generic], /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the whole network on a batch.

        Args:
            inputs: the network's inputs for B images, stacked: RGB, uint8, shape (B, H, W, 3).

        Returns:
            the class outputs, float32, shape (B, Y), as logits (the logarithm of outputs that are probabilities); and the
            mean activation of every unit over its cells, float32, shape (B, U).
        """
        ...

    def remove(
        self, inputs: NDArray[np.generic], removed: NDArray[np.bool_], values: NDArray[np.float32], /
    ) -> NDArray[np.float32]:
        """Run a batch with sets of units removed; the layers below run once.

        Args:
            inputs: as for `measure`.
            removed: whether each of K sets holds each unit, bool, shape (K, U).
            values: what takes the place of each unit's activations, float32, shape (U,).

        Returns:
            the class outputs, float32, shape (K, B, Y).
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


@runtime_checkable
class ConceptSource(Protocol):
    """A probe set: images and the concepts labeled in them."""

    @property
    def name(self) -> str:
        """Name of the probe set."""
        ...

    @property
    def path(self) -> str:
        """Folder or URL of the probe set; empty if it is not on disk."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The concepts of the probe set."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the labels and images, except the pixels themselves."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        ...

    def __len__(self) -> int:
        """Return the number of images N."""
        ...

    def row(self, index: int) -> int:
        """Return an image's row in ``index.csv``, counted from 0."""
        ...

    def image_name(self, index: int) -> str:
        """Return an image's name."""
        ...

    def label_size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image's label map in pixels."""
        ...

    def read_image(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return an image: RGB, uint8, shape (H, W, 3), scaled (not cropped) to `size` (height, width) if it is given."""
        ...

    def read_image_file(self, index: int) -> bytes:
        """Return an image as the bytes of a JPEG or PNG file."""
        ...

    def read_labels(self, index: int) -> Labels:
        """Return an image's labels."""
        ...


@runtime_checkable
class GroupedSource(Protocol):
    """A probe set whose ``index.csv`` may say which images belong together, such as frames of a video."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns of ``index.csv``."""
        ...

    def read_column(self, column: str) -> Sequence[str]:
        """Return the text of every image in a column, shape (N,)."""
        ...


@runtime_checkable
class SegmentSource(Protocol):
    """A probe set that stores or keeps labels as segments."""

    def read_segments(self, index: int) -> Segments:
        """Return an image's labels as segments."""
        ...


@runtime_checkable
class LatentSource(Protocol):
    """A probe set whose images were made by a generator."""

    def latent(self, index: int) -> NDArray[np.generic]:
        """Return the latent that an image was made from."""
        ...


@runtime_checkable
class ImageSource(Protocol):
    """The images and labels of a probe set that a report shows, by row in ``index.csv``; they may be unavailable."""

    def read_image_file(self, row: int) -> bytes | None:
        """Return an image as the bytes of a JPEG or PNG file; None if it is not available."""
        ...

    def read_labels(self, row: int) -> Labels | None:
        """Return an image's labels; None if they are not available."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """A network or function that labels the pixels of an image, for making probe sets from images without label maps."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of label 1, 2, …; 0 is no label."""
        ...

    @property
    def about(self) -> str:
        """A sentence for README.txt: which network, with which threshold."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of everything that decides the labels."""
        ...

    def __call__(self, image: NDArray[np.uint8], /) -> NDArray[np.integer[Any]]:
        """Label an image.

        Args:
            image: RGB, shape (H, W, 3).

        Returns:
            a label map (h, w), or several (p, h, w) with the most probable label of every pixel first.
        """
        ...


@runtime_checkable
class Progress(Protocol):
    """Shows how far a long task is."""

    def start(self, task: str, total: int) -> None:
        """Begin a task of `total` steps; the previous task has ended."""
        ...

    def advance(self, steps: int) -> None:
        """Report that `steps` more steps are done."""
        ...


class NullProgress:
    """A Progress that shows nothing."""

    def start(self, task: str, total: int) -> None:
        """Show nothing."""

    def advance(self, steps: int) -> None:
        """Show nothing."""


def read_segments(concepts: ConceptSource, index: int) -> Segments:
    """Return the labels of an image of a probe set as segments."""
    if isinstance(concepts, SegmentSource):
        return concepts.read_segments(index)
    from netdissect.segments import Segments  # imports numba

    return Segments.from_labels(concepts.read_labels(index))
