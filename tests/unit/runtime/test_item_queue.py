"""Items are handed out in order, up to a limit ahead of a slow one, and results come back in order."""

from __future__ import annotations

from netdissect.runtime.item_queue import ItemQueue


def test_results_come_back_in_the_order_of_the_items():
    queue = ItemQueue("abc", workers=1)
    assert [queue.take() for _ in range(4)] == [(0, "a"), (1, "b"), (2, "c"), None]
    queue.add_result(2, "C")
    queue.add_result(0, "A")
    assert list(queue.pop_results()) == ["A"]
    assert not queue.is_finished
    queue.add_result(1, "B")
    assert list(queue.pop_results()) == ["B", "C"]
    assert queue.is_finished


def test_no_item_is_handed_out_far_ahead_of_a_slow_one():
    queue = ItemQueue(range(100), workers=2)
    numbers = []
    while (job := queue.take()) is not None:
        numbers.append(job[0])
    assert numbers == list(range(6))  # three per worker
    queue.add_result(0, None)
    assert list(queue.pop_results()) == [None]
    assert queue.take() == (6, 6)


def test_an_item_that_is_put_back_is_next_and_its_losses_are_counted():
    queue = ItemQueue("ab", workers=1)
    job = queue.take()
    assert [queue.put_back(*job), queue.take() == job, queue.put_back(*job)] == [1, True, 2]


def test_a_queue_of_nothing_is_finished():
    assert ItemQueue([], workers=3).is_finished
