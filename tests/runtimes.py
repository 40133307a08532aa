"""Tests that every runtime must pass: base classes of the tests of each."""

from __future__ import annotations

import os
import pickle

import pytest
from tests import tasks

from netdissect.errors import RunError


class RuntimeTests:
    """A subclass defines ``workers(setup)``: a context manager that yields a runtime of two workers."""

    def test_every_item_is_done_once_and_results_come_in_order(self):
        with self.workers(tasks.ContextSetup()) as workers:
            assert list(workers.map(tasks.square, range(20))) == [n * n for n in range(20)]
            assert list(workers.map(tasks.delay_first, range(8))) == list(range(8))
            assert list(workers.map(tasks.square, [])) == []

    def test_an_error_of_a_task_is_raised_and_the_runtime_still_works(self):
        with self.workers(tasks.ContextSetup()) as workers:
            with pytest.raises(KeyError, match="three"):
                list(workers.map(tasks.raise_at_three, range(6)))
            assert list(workers.map(tasks.square, range(5))) == [0, 1, 4, 9, 16]

    def test_a_map_that_is_abandoned_does_not_disturb_the_next(self):
        with self.workers(tasks.ContextSetup()) as workers:
            assert next(iter(workers.map(tasks.delay_all_but_first, range(50)))) == 0
            assert list(workers.map(tasks.square, range(7))) == [n * n for n in range(7)]


class WorkerRuntimeTests(RuntimeTests):
    """A runtime whose workers are other processes."""

    def test_an_error_of_the_setup_is_raised(self):
        with (
            self.workers(tasks.ContextSetup("no such network")) as workers,
            pytest.raises(ValueError, match="no such network"),
        ):
            list(workers.map(tasks.square, range(4)))

    def test_several_workers_share_the_items(self):
        with self.workers(tasks.ContextSetup()) as workers:
            pids = set(workers.map(tasks.get_worker_pid, range(60)))  # 3 s: the second worker may start late
        assert len(pids) == 2
        assert os.getpid() not in pids

    def test_a_killed_worker_loses_only_its_item_which_is_done_again(self, tmp_path):
        with self.workers(tasks.ContextSetup()) as workers:
            assert list(workers.map(tasks.DieOnce(tmp_path, 4), range(10))) == [n * n for n in range(10)]
            assert list(workers.map(tasks.square, range(3))) == [0, 1, 4]
        assert len(list(tmp_path.iterdir())) == 1

    def test_a_result_that_cannot_be_pickled_is_an_error(self):
        with self.workers(tasks.ContextSetup()) as workers:
            with pytest.raises(RunError, match="UnpicklableError: it is what it is") as caught:
                list(workers.map(tasks.raise_unpicklable, range(4)))
            assert pickle.loads(pickle.dumps(caught.value))
            with pytest.raises((RunError, TypeError), match=r"(?i)pickl|serializ"):
                list(workers.map(tasks.return_lock, range(4)))

    def test_an_error_says_where_in_the_worker_it_arose(self):
        with self.workers(tasks.ContextSetup()) as workers, pytest.raises(KeyError) as caught:
            list(workers.map(tasks.raise_at_three, [3]))
        assert any("in raise_at_three" in note for note in caught.value.__notes__)
