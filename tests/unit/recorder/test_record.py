"""`bgcheck.recorder.record`, `request` and `identity`: one record for each task and request."""

import functools
import gc
from typing import Any

import pytest
from fastapi import BackgroundTasks
from starlette.background import BackgroundTask

from bgcheck import record
from bgcheck.instrument.hub import hub
from bgcheck.recorder.identity import IdentityMap
from bgcheck.recorder.record import describe_function, func_of
from bgcheck.recorder.request import RequestInfo, ordinal
from support.apps import fail, fastapi_app, note
from support.clients import by_asgi


def test_live_arguments(bgtasks: Any) -> None:
    value, more = [1], {"a": 1}
    live = BackgroundTask(note, value, more=more)
    (task,) = bgtasks
    assert task.live is live
    assert task.args[0] is value
    assert task.kwargs["more"] is more
    value.append(2)
    assert task.args == ([1, 2],)
    assert task.params["values"] == ([1],)


def test_live_arguments_are_kept_while_recording(bgtasks: Any) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(note, [1])

    by_asgi(fastapi_app(schedule), "POST", "/items/1")
    gc.collect()
    assert bgtasks[0].args == ([1],)


def test_live_arguments_are_gone_where_nothing_keeps_them() -> None:
    seen: list[Any] = []

    class Watching:
        keeps_live = False

        def __call__(self, event: Any) -> None:
            seen.append(event.task)

    with hub.connected(Watching()):
        BackgroundTask(note, [1])
    gc.collect()
    with pytest.raises(ReferenceError) as caught:
        _ = seen[0].args
    assert str(caught.value) == (
        "the live arguments of note are gone: bgcheck keeps them only while the bgtasks fixture "
        "or bgcheck.record() is in use; read task.params instead"
    )


def test_times_and_status(bgtasks: Any) -> None:
    by_asgi(fastapi_app(lambda tasks: tasks.add_task(note)), "POST", "/items/1")
    (task,) = bgtasks
    assert task.started_at <= task.ended_at
    assert task.duration == task.ended_at - task.started_at
    assert task.finished
    assert (task.response_status, task.request.response_complete) == (200, True)


def test_repr(bgtasks: Any) -> None:
    by_asgi(fastapi_app(lambda tasks: tasks.add_task(note, 1)), "POST", "/items/1")
    assert repr(bgtasks[0]) == "<ScheduledTask note(values=(1,), named={}) succeeded>"
    assert repr(bgtasks[0].request) == "<RequestInfo POST /items/1, 1st request>"


def test_records_compare_by_identity(bgtasks: Any) -> None:
    BackgroundTask(note)
    BackgroundTask(note)
    first, second = bgtasks
    assert first == first
    assert first != second
    assert len({first, second}) == 2


def test_belongs_to() -> None:
    headers = [(b"a", b"b")]
    request = RequestInfo(method="GET", path="/", number=1, scope={"headers": headers, "app": fail})
    assert request.belongs_to({"headers": headers})
    assert request.belongs_to({"headers": [], "app": fail})
    assert not request.belongs_to({"headers": [(b"a", b"b")]})
    assert not request.belongs_to({"app": note})
    assert not request.belongs_to({})
    request.finish(None)
    assert not request.belongs_to({"headers": headers})


class Service:
    def method(self) -> None: ...

    def __call__(self) -> None: ...


def decorated() -> None: ...


@pytest.mark.parametrize(
    ("func", "name"),
    [
        (note, "note"),
        (Service().method, "Service.method"),
        (Service(), "Service"),
        (Service, "Service"),
        (functools.partial(functools.partial(note, 1), 2), "note"),
        (lambda: None, "<lambda>"),
        (len, "len"),
        (functools.lru_cache(decorated), "decorated"),
    ],
)
def test_describe_function(func: Any, name: str) -> None:
    assert describe_function(func) == name


def test_func_of() -> None:
    class Own(BackgroundTask):
        def __init__(self) -> None: ...

    assert func_of(BackgroundTask(note)) is note
    assert func_of(Own()) is Own


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (111, "111th")],
)
def test_ordinal(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_identity_map_lets_its_keys_go() -> None:
    class Key:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    one, other, entries = Key(), Key(), IdentityMap[int]()
    entries[one] = 1
    entries[other] = 2
    entries[one] = 3
    assert (entries.get(one), entries.get(other), entries.get(Key()), len(entries)) == (
        3,
        2,
        None,
        2,
    )
    assert entries.get(Key(), "default") == "default"
    del one
    gc.collect()
    assert len(entries) == 1


def test_recording_ends_with_its_block() -> None:
    with record() as log:
        BackgroundTask(note, 1)
    BackgroundTask(note, 2)
    assert [task.params["values"] for task in log] == [(1,)]
