"""A temporary folder is removed with its last use, and a failure is logged."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np

import netdissect as nd


def make_probe_set():
    return nd.open_probe_set((np.zeros((1, 8, 8, 3), np.uint8), np.ones((1, 4, 4), np.uint8)), ["cat"], progress=False)


def find_folder(probe_set):
    return Path(probe_set.file.where).parent


def test_the_file_is_closed_before_its_folder_is_removed(monkeypatch):
    probe_set = make_probe_set()
    file, folder = probe_set.file, find_folder(probe_set)
    probe_set.read_image(0)
    seen, really_remove = [], shutil.rmtree

    def remove(path):
        seen.append((file._reader, dict(file._rows)))
        really_remove(path)

    monkeypatch.setattr(shutil, "rmtree", remove)
    del probe_set
    assert seen == [(None, {})]
    assert not folder.exists()


def test_a_folder_that_cannot_be_removed_is_logged(monkeypatch, caplog):
    probe_set = make_probe_set()
    folder = find_folder(probe_set)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with caplog.at_level(logging.WARNING, logger="netdissect"):
        del probe_set
    assert f"{folder} cannot be removed (Permission denied)" in caplog.text
    monkeypatch.undo()
    shutil.rmtree(folder)


def test_a_folder_that_is_gone_is_no_trouble(caplog):
    probe_set = make_probe_set()
    shutil.rmtree(find_folder(probe_set))
    del probe_set
    assert not caplog.records
