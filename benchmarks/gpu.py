"""Images per second of a dissection, compared with the network alone on data in GPU memory."""

from __future__ import annotations

import argparse

import torch

import netdissect as nd
from benchmarks import machine, probe_sets
from benchmarks.overhead import make_network


def main(words: list[str]) -> None:
    """Print a row per network and precision; without a GPU print that nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu --")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args(words)
    if not torch.cuda.is_available():
        print("\n## GPU\n\ntorch sees no CUDA device here: nothing was measured\n")
        return
    machine.shim_torchvision()
    machine.print_title(f"GPU, {options.images} images, batches of {options.batch}")
    concepts = probe_sets.make_noise(options.images)
    rows = []
    for architecture, layer in (("resnet18", "layer4"), ("resnet152", "layer4")):
        for precision in ("fp32", "bf16"):
            network = make_network(architecture)
            module = network.module.cuda().to(memory_format=torch.channels_last)
            images = torch.randn(options.batch, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)

            def bare(module=module, images=images, precision=precision):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
                half = torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16")
                with torch.inference_mode(), half:
                    for _ in range(-(-options.images // options.batch)):
                        module(images)
                torch.cuda.synchronize()

            def dissection(network=network, precision=precision, layer=layer):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
                nd.dissect(
                    network, layer, concepts, pictures=False, device="cuda", batch_size=options.batch, precision=precision
                )  # fmt: skip

            seconds = machine.time_interleaved({"bare": bare, "dissection": dissection}, options.times)
            ratio = seconds["bare"] / seconds["dissection"]
            name = f"{architecture} {layer}, {precision}"
            rows.append([name, options.images / seconds["bare"], options.images / seconds["dissection"], ratio])
            machine.record_figure(f"GPU: {name}, images/s ÷ the network alone", f"{ratio:.2f}", "≥ 0.7")
    machine.print_table(["network", "network alone, images/s", "dissection, images/s", "ratio"], rows)
