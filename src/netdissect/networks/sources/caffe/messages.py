"""Caffe's protobuf messages, created from ``caffe.desc``, which is ``caffe.proto`` compiled.

They are in a separate descriptor pool, because another library in the process may define a package ``caffe`` too.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def make_message(name: str, /, **fields: Any) -> Any:
    """Return a new message.

    Args:
        name: such as ``"LayerParameter"``.
        fields: values of its fields.

    >>> make_message("BlobShape", dim=[1, 3, 227, 227]).dim[1]
    3
    """
    return _get_message_class(name)(**fields)


@functools.cache
def _get_message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_load_descriptor_pool().FindMessageTypeByName(f"caffe.{name}"))


@functools.cache
def _load_descriptor_pool() -> Any:
    pool = descriptor_pool.DescriptorPool()
    compiled = resources.files(__package__).joinpath("caffe.desc").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled).file:
        pool.Add(file)
    return pool
