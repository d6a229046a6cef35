"""`bgcheck.instrument.hub`: sinks, recordings, and errors of bgcheck itself."""

from typing import Any

import pytest

from bgcheck.instrument.hub import ERRORS, Hub


def test_events_reach_every_sink_in_order() -> None:
    hub, seen = Hub(), []
    with hub.connected(lambda event: seen.append(("first", event))):
        with hub.connected(lambda event: seen.append(("second", event))):
            hub.emit("one")  # type: ignore[arg-type]
        hub.emit("two")  # type: ignore[arg-type]
    hub.emit("three")  # type: ignore[arg-type]
    assert seen == [("first", "one"), ("second", "one"), ("first", "two")]


def test_sinks_may_be_disconnected_in_any_order() -> None:
    hub, seen = Hub(), []
    first = hub.connected(lambda _: seen.append("first"))
    second = hub.connected(lambda _: seen.append("second"))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    hub.emit("x")  # type: ignore[arg-type]
    second.__exit__(None, None, None)
    assert seen == ["second"]
    assert hub.sinks == ()


def test_a_broken_sink_does_not_keep_events_from_others() -> None:
    hub, seen = Hub(), []

    def broken(event: Any) -> None:
        raise ValueError(event)

    with hub.connected(broken), hub.connected(seen.append):
        hub.emit("x")  # type: ignore[arg-type]
    assert seen == ["x"]
    assert [str(error) for error in hub.errors] == ["x"]


def test_only_the_outermost_recording_restarts_the_numbers() -> None:
    hub = Hub()
    with hub.connected(print):
        number = hub.recording_number
        assert next(hub.task_numbers) == 1
        with hub.connected(repr):
            assert hub.recording_number == number
            assert next(hub.task_numbers) == 2
    with hub.connected(print):
        assert hub.recording_number == number + 1
        assert next(hub.task_numbers) == 1


def test_guard_returns_and_keeps() -> None:
    hub = Hub()
    assert hub.guard(int, "3") == 3
    assert hub.guard(int, "x") is None
    for _ in range(ERRORS + 10):
        hub.guard(int, "x")
    assert len(hub.errors) == ERRORS


def test_guard_lets_through_what_stops_the_process() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Hub().guard(stop)
