"""Work that is one batch behind: in order, nothing lost, errors told, nothing done any more after leaving."""

import threading
from threading import Event as Flag

import pytest

from inference_chat.runners.behind import Behind, Held


def test_results_come_in_order_one_batch_later_on_another_thread():
    with Behind[int, tuple[int, bool]](lambda n: (n, threading.current_thread() is main)) as behind:
        main = threading.current_thread()
        told = [behind.hand([1, 2]), behind.hand([3]), behind.hand([4]), behind.rest(), behind.rest()]
    assert told == [[], [(1, False), (2, False)], [(3, False)], [(4, False)], []]


def test_what_went_wrong_is_raised():
    with Behind[int, float](lambda n: 1 / n) as behind:
        behind.hand([0])
        with pytest.raises(ZeroDivisionError):
            behind.hand([1])


def test_leaving_does_no_more_of_the_work():
    begun, go, done = Flag(), Flag(), list[int]()

    def work(number: int) -> int:
        begun.set()
        go.wait(10)
        done.append(number)
        return number

    with Behind[int, int](work) as behind:
        behind.hand([1])
        begun.wait(10)
        second = behind._thread.submit(lambda: [work(2)])
        second.add_done_callback(lambda _: go.set())
        behind._waiting.append(second)
    assert done == [1]


def test_each_thing_goes_on_with_the_one_after_it():
    held = Held[int]()
    told = [held.take([1, 2]), held.take([]), held.take([3]), held.rest(), held.rest()]
    assert told == [[(1, 2)], [], [(2, 3)], [(3, None)], []]
