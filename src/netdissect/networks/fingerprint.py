"""Fingerprints of networks: hashes of structure, weights and preprocessing."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from netdissect.networks.preprocess import Preprocess

#: Bytes of weights per hashed chunk.
_CHUNK_BYTES = 2**22


def fingerprint_module(module: nn.Module, preprocess: Preprocess) -> str:
    """Return a hash of a network's structure, weights and preprocessing."""
    hashed = hashlib.blake2b(digest_size=16)
    hashed.update(repr(module).encode())
    hash_preprocess(hashed, preprocess)
    hash_tensors(hashed, module.state_dict())
    return hashed.hexdigest()


def hash_preprocess(hashed: Any, preprocess: Preprocess) -> None:
    """Add a preprocessing to a hash."""
    hashed.update(preprocess.describe().encode())
    hashed.update(np.ascontiguousarray(preprocess.mean).tobytes())


def hash_tensors(hashed: Any, state: Mapping[str, torch.Tensor]) -> None:
    """Add named tensors to a hash; their bytes are hashed in chunks on all CPU cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, tensor in sorted(state.items()):
            hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            data = tensor.detach().cpu().contiguous().reshape(-1)
            content = data.view(torch.uint8).numpy() if data.numel() else np.zeros(0, np.uint8)
            pieces = [content[start : start + _CHUNK_BYTES] for start in range(0, content.size, _CHUNK_BYTES)]
            for digest in pool.map(lambda piece: hashlib.blake2b(piece).digest(), pieces):
                hashed.update(digest)
