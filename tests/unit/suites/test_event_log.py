"""The event log of a probe, and the words of its contradictions."""

import asyncio
import threading

import pytest

from bgcheck_suites import events
from bgcheck_suites.events import Contradiction, Gate, Log, same

MAIN = "(thread MainThread)"


@pytest.fixture
def log():
    """An event log."""
    return Log()


def contradiction(call, *args, **kwargs):
    with pytest.raises(Contradiction) as raised:
        call(*args, **kwargs)
    return str(raised.value)


def test_events_are_numbered_in_order(log):
    log.mark("first", 1)
    log.mark("second")
    assert [(event.number, event.label, event.value) for event in log.events] == [
        (1, "first", 1),
        (2, "second", None),
    ]


def test_an_event_knows_thread_and_loop(log):
    async def on_loop():
        await log.mark_async("on the loop")

    asyncio.run(on_loop())
    thread = threading.Thread(target=log.mark, args=("in a thread",), name="worker")
    thread.start()
    thread.join()
    assert log.first("on the loop").where == "event loop MainThread"
    assert log.first("in a thread").where == "thread worker"
    assert str(log.first("in a thread")) == "#2 in a thread (thread worker)"


def test_what_holds_raises_nothing(log):
    log.mark("a")
    log.mark("b")
    log.in_order("a", "b")
    log.before("a", "b")
    log.times("a", 1)
    log.times("c", 0)
    log.never("c")
    same("they differ", [1], [1])


def test_wrong_order_shows_the_two_events(log):
    for label in ("b", "other", "a"):
        log.mark(label)
    assert contradiction(log.in_order, "a", "b") == (
        f"'b' happened before 'a'.\n  #1 b {MAIN}\n  #3 a {MAIN}"
    )


def test_a_missing_event_shows_the_last_one(log):
    assert contradiction(log.first, "a") == "'a' never happened.\n  the log is empty"
    log.mark("b")
    assert contradiction(log.before, "a", "b") == (
        f"'a' never happened.\n  the last event is #1 b {MAIN}"
    )
    assert contradiction(log.times, "a", 1).startswith("'a' never happened.")


def test_a_repeated_event_shows_two_of_them(log):
    for _ in range(3):
        log.mark("a")
    assert contradiction(log.times, "a", 1) == (
        f"'a' happened 3 times, not 1.\n  #2 a {MAIN}\n  #3 a {MAIN}"
    )
    assert contradiction(log.times, "a", 4).startswith("'a' happened 3 times, not 4.")


def test_a_forbidden_event_shows_what_forbids_it(log):
    log.mark("failure")
    log.mark("task")
    assert contradiction(log.never, "task", because_of="failure") == (
        f"'task' happened, and must not.\n  #1 failure {MAIN}\n  #2 task {MAIN}"
    )


def test_a_forbidden_event_shows_what_came_before_it(log):
    log.mark("task")
    assert contradiction(log.never, "task") == f"'task' happened, and must not.\n  #1 task {MAIN}"
    for label in ("response complete", "late"):
        log.mark(label)
    assert contradiction(log.never, "late") == (
        f"'late' happened, and must not.\n  #2 response complete {MAIN}\n  #3 late {MAIN}"
    )


def test_what_forbids_must_have_happened(log):
    assert contradiction(log.never, "task", because_of="failure").startswith(
        "'failure' never happened."
    )


def test_unequal_values_are_shown():
    assert contradiction(same, "They differ.", [1], [2]) == (
        "They differ.\n  observed [1]\n  required [2]"
    )


def test_waiting_for_an_event_of_another_thread(log):
    thread = threading.Thread(target=log.mark, args=("late",))
    thread.start()
    assert log.wait("late").label == "late"
    thread.join()


def test_waiting_has_an_end(log, monkeypatch):
    monkeypatch.setattr(events, "LIMIT", 0)
    assert contradiction(log.wait, "late").startswith("'late' never happened.")


def test_a_gate_opens(log):
    gate = Gate(log)
    gate.open()
    gate.wait()
    assert log.events == []


def test_a_gate_that_stays_shut_is_an_event(log, monkeypatch):
    monkeypatch.setattr(events, "LIMIT", 0)
    Gate(log).wait()
    assert [event.label for event in log.events] == ["the gate stayed shut for 0 s"]
