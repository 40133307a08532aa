"""A training in two processes on CPUs, for `test_distributed`: ``python train_distributed.py RANK MEETING DATA OUT``."""

import sys

import torch
from tests.small_training import OPTIONS, draw_batch, make_learner, seed_all
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import netdissect as nd
from netdissect.callbacks import Dissect


def main(rank: int, meeting: str, data: str, out: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    module = make_learner()
    seed_all()
    model = DistributedDataParallel(module, find_unused_parameters=True)
    optimizer = torch.optim.SGD([value for value in module.parameters() if value.requires_grad], lr=0.05)
    seen = 0
    with Dissect("last", data, every_steps=1, out=out, preprocess=nd.Preprocess(), **OPTIONS) as watch:
        watch.start(model)
        for _ in range(2):
            images, classes = draw_batch()
            torch.nn.functional.cross_entropy(model(images), classes).backward()
            optimizer.step()
            optimizer.zero_grad()
            seen += watch.step(model) is not None
    alike = [torch.zeros(1) for _ in range(2)]
    distributed.all_gather(alike, sum(value.sum() for value in module.parameters()).reshape(1))
    print(f"rank {rank}: {seen} dissections, weights {'alike' if torch.equal(*alike) else 'apart'}", flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
