"""Deadlines: their order, their ties, and what becomes of them when the clock is over."""

from __future__ import annotations

from bgcheck.runner.clock._core import Core
from bgcheck.runner.clock._timers import Timer, Timers


def timer(when: float, group: object = None) -> Timer:
    return Timer(when, lambda: None, lambda _left: None, group)


def test_earliest_first_and_ties_in_the_order_they_were_set() -> None:
    timers = Timers()
    late, first, second = timer(2), timer(1), timer(1)
    for one in (late, first, second):
        timers.add(one)
    assert timers.first() is first
    assert [timers.pop(), timers.pop(), timers.pop()] == [[first], [second], [late]]
    assert timers.first() is None


def test_ties_of_one_group_come_together_unless_another_is_between() -> None:
    timers = Timers()
    loop, other = object(), object()
    ties = [timer(1, loop), timer(1, loop), timer(1, other), timer(1, loop), timer(2, loop)]
    for one in ties:
        timers.add(one)
    assert [timers.pop() for _ in range(4)] == [ties[:2], [ties[2]], [ties[3]], [ties[4]]]


def test_cancelled_timers_are_passed_over() -> None:
    timers = Timers()
    gone, kept = timer(1), timer(2)
    timers.add(gone)
    timers.add(kept)
    gone.cancelled = True
    assert timers.first() is kept
    assert timers.clear() == [kept]


def test_moments_are_kept_to_the_nanosecond() -> None:
    assert timer(0.1 + 0.2).when == 0.3


def test_a_timer_that_is_set_when_the_clock_is_over_goes_on_in_real_time() -> None:
    left: list[float] = []
    core = Core("tasks", auto=True, patience=0)
    core.add(Timer(5, lambda: None, left.append))
    assert left == [5]
