"""Train the bundled network of ``netdissect demo`` and write it as a Caffe pair.

    python training/train_demo_network.py [--out STEM] [--rounds 60] [--epochs 8] [--seed 1] [--shuffled]

A small network like AlexNet learns to classify the scenes and textures of the bundled probe set (`SUBJECTS`). It never
sees a label map, and its images are drawn with other seeds than the demo's. It takes minutes on two cores. STEM: path of
the two files without suffix; by default those of the package. With --shuffled the network learns the classes of other images,
which makes a control.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from netdissect.demo.network import STEM
from netdissect.demo.world import SUBJECTS, render_image
from netdissect.io import atomic
from netdissect.networks.preprocess import CAFFE_MEAN
from netdissect.networks.sources.bundled import CLASSES_FILE
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.net_spec import NetSpec, make_caffe_layer, make_net_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: The demo's probe set is drawn from seed 0; these images are drawn from others.
TRAINING_SEED, HELD_OUT_SEED = 1, 2
#: The classes: every scene and every texture.
CLASSES = tuple(dict.fromkeys(SUBJECTS))
#: Side of the drawn images and of the random windows that the network is given, in pixels.
DRAWN, SEEN = 120, 112
#: Pixels are divided by this during training; the first layer's weights include it at the end.
SPREAD = 64.0
_PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Stage:
    """A convolution with a ReLU, batch normalization during training, and pooling, if any."""

    units: int
    kernel: int
    stride: int = 1
    pooled: bool = False


STAGES = (Stage(32, 7, 2, pooled=True), Stage(64, 3, pooled=True), Stage(96, 3), Stage(128, 3), Stage(128, 3))


def main(words: Sequence[str] | None = None) -> None:
    """Draw images, train, write the Caffe pair, and print the accuracy on held-out images."""
    parser = _make_parser()
    options = parser.parse_args(words)
    if options.shuffled and options.out == STEM:
        parser.error("--shuffled needs --out: the package's network learns its own classes")
    started = time.perf_counter()
    images, labels = draw_images(options.rounds, TRAINING_SEED)
    print(f"{len(labels)} images of {len(CLASSES)} classes drawn in {time.perf_counter() - started:.0f} s", flush=True)
    if options.shuffled:
        labels = shuffle_labels(labels, options.seed)
    learner = train(images, labels, epochs=options.epochs, seed=options.seed)
    text, binary = write_caffe(options.out, make_spec(), fold_weights(learner))
    print(f"{text}, {binary}: {binary.stat().st_size / 1e6:.2f} MB after {time.perf_counter() - started:.0f} s")
    if options.out == STEM:
        atomic.write_text(CLASSES_FILE, "".join(f"{name}\n" for name in CLASSES))
    held_out, truth = draw_images(4, HELD_OUT_SEED)
    print(f"accuracy {measure_accuracy(learner, held_out, truth):.3f} on {len(truth)} held-out images")


def draw_images(rounds: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images, RGB, shape (N, DRAWN, DRAWN, 3), and the number of each one's class.

    Args:
        rounds: passes through `SUBJECTS`, each with two images of a scene and one of a texture.
        seed: seed of the images.
    """
    tasks = [(index, seed) for index in range(rounds * len(SUBJECTS))]
    with ProcessPoolExecutor(_PROCESSORS, mp_context=get_context("spawn")) as pool:
        images = np.stack(list(pool.map(_draw_image, tasks, chunksize=64)))
    return images, np.array([CLASSES.index(SUBJECTS[index % len(SUBJECTS)]) for index, _ in tasks])


def _draw_image(task: tuple[int, int]) -> NDArray[np.uint8]:
    index, seed = task
    return render_image(index, size=DRAWN, seed=seed).image


class Learner(nn.Module):
    """The network during training."""

    def __init__(self) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for stage in STAGES:
            self.convs.append(
                nn.Conv2d(channels, stage.units, stage.kernel, stage.stride, stage.kernel // 2, bias=False)
            )
            self.norms.append(nn.BatchNorm2d(stage.units))
            channels = stage.units
        self.fc = nn.Linear(channels, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Return the classes' scores, shape (B, classes), for input of shape (B, 3, SEEN, SEEN)."""
        for stage, conv, norm in zip(STAGES, self.convs, self.norms, strict=True):
            x = functional.relu(norm(conv(x)))
            if stage.pooled:
                x = functional.max_pool2d(x, 3, 2, ceil_mode=True)  # as Caffe rounds
        return self.fc(functional.dropout(x.amax(dim=(2, 3)), 0.2, self.training))


def train(images: NDArray[np.uint8], labels: NDArray[np.int64], *, epochs: int, seed: int) -> Learner:
    """Train a network to classify images."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learner = Learner().to(memory_format=torch.channels_last)
    size, steps = 64, len(labels) // 64
    optimizer = torch.optim.AdamW(learner.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        started, right, lost = time.perf_counter(), 0, 0.0
        order = rng.permutation(len(labels))
        for step in range(steps):
            chosen = order[step * size : (step + 1) * size]
            scores = learner(make_input(crop_randomly(images[chosen], rng)))
            truth = torch.from_numpy(labels[chosen])
            loss = functional.cross_entropy(scores, truth, label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            right += int((scores.argmax(1) == truth).sum())
            lost += loss.item()
        seen = steps * size
        print(
            f"epoch {epoch + 1}: loss {lost / steps:.3f}, accuracy {right / seen:.3f}, "
            f"{seen / (time.perf_counter() - started):.0f} images/s",
            flush=True,
        )
    return learner.eval()


def shuffle_labels(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the classes of other images, in as many images each; what a network learns of them is no class."""
    return np.random.default_rng(seed).permutation(labels)


def crop_randomly(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a random window of each image, half of them mirrored, shape (B, SEEN, SEEN, 3)."""
    seen = np.empty((len(images), SEEN, SEEN, 3), np.uint8)
    for place, image in enumerate(images):
        top, left = rng.integers(0, DRAWN - SEEN + 1, 2)
        window = image[top : top + SEEN, left : left + SEEN]
        seen[place] = window[:, ::-1] if rng.random() < 0.5 else window
    return seen


def make_input(images: NDArray[np.uint8]) -> Tensor:
    """Return the network's input during training: BGR minus Caffe's mean, divided by SPREAD."""
    bgr = torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).permute(0, 3, 1, 2)
    mean = torch.tensor(CAFFE_MEAN)[:, None, None]
    return ((bgr.float() - mean) / SPREAD).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def measure_accuracy(learner: Learner, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Return the accuracy on the center crops of images."""
    edge = (DRAWN - SEEN) // 2
    middle = images[:, edge : edge + SEEN, edge : edge + SEEN]
    right = 0
    for start in range(0, len(labels), 256):
        scores = learner(make_input(middle[start : start + 256]))
        right += int((scores.argmax(1).numpy() == labels[start : start + 256]).sum())
    return right / len(labels)


def make_spec() -> NetSpec:
    """Return the Caffe network, with batch normalization folded into the convolutions."""
    layers, bottom = [], "data"
    for number, stage in enumerate(STAGES, start=1):
        conv = f"conv{number}"
        shape = {"num_output": stage.units, "kernel_size": stage.kernel, "pad": stage.kernel // 2}
        layers.append(
            make_caffe_layer(conv, "Convolution", bottom, convolution_param={**shape, "stride": stage.stride})
        )
        layers.append(make_caffe_layer(f"relu{number}", "ReLU", conv, conv))
        bottom = conv
        if stage.pooled:
            bottom = f"pool{number}"
            layers.append(
                make_caffe_layer(bottom, "Pooling", conv, pooling_param={"pool": "MAX", "kernel_size": 3, "stride": 2})
            )
    layers.append(make_caffe_layer("pool5", "Pooling", bottom, pooling_param={"pool": "MAX", "global_pooling": True}))
    layers.append(make_caffe_layer("fc6", "InnerProduct", "pool5", inner_product_param={"num_output": len(CLASSES)}))
    layers.append(make_caffe_layer("prob", "Softmax", "fc6"))
    return make_net_spec(STEM.name, {"data": (1, 3, SEEN, SEEN)}, layers)


@torch.no_grad()
def fold_weights(learner: Learner) -> dict[str, list[NDArray[np.float32]]]:
    """Return the trained weights by Caffe layer, with batch normalization folded in."""
    found = {}
    for number, (conv, norm) in enumerate(zip(learner.convs, learner.norms, strict=True), start=1):
        factor = (norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt())[:, None, None, None]
        kernel = conv.weight.double() * factor / (SPREAD if number == 1 else 1.0)
        bias = norm.bias.double() - norm.running_mean.double() * factor.flatten()
        found[f"conv{number}"] = [kernel.float().contiguous().numpy(), bias.float().numpy()]
    found["fc6"] = [learner.fc.weight.numpy(), learner.fc.bias.numpy()]
    return found


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=STEM, help="stem of the two files")
    parser.add_argument("--rounds", type=int, default=60, help="passes through the subjects")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
    parser.add_argument("--shuffled", action="store_true", help="learn the classes of other images")
    return parser


if __name__ == "__main__":
    main()
