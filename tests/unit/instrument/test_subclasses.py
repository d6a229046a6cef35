"""`bgcheck.instrument.starlette`: task classes of user code, whatever they override."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import BackgroundTasks
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.responses import Response

from bgcheck import record, scheduled
from support.apps import TaskError, fail, note, starlette_app
from support.clients import by_asgi

ran: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


class CallsUp(BackgroundTask):
    async def __call__(self) -> None:
        ran.append("before")
        await super().__call__()


class CallsFunc(BackgroundTask):
    async def __call__(self) -> None:
        ran.append(self.func(*self.args, **self.kwargs))


class Initialised(BackgroundTask):
    def __init__(self, number: int) -> None:
        super().__init__(note, number)


class Retrying(BackgroundTask):
    async def __call__(self) -> None:
        for _ in range(2):
            try:
                await super().__call__()
            except TaskError:
                ran.append("again")


class Plain(BackgroundTask):
    """Does not call up at all, and has no `func`."""

    def __init__(self, number: int, *, text: str = "x") -> None:
        self.number = number
        self.text = text

    async def __call__(self) -> None:
        ran.append(self.number)


class Below(Plain):
    async def __call__(self) -> None:
        await super().__call__()


@dataclass
class Data(BackgroundTask):
    number: int

    async def __call__(self) -> None:
        ran.append(self.number)


class Mixin:
    async def __call__(self) -> None:
        ran.append("mixin")


class Mixed(Mixin, BackgroundTask):
    """Inherits `__call__` from a class that is no task."""


def respond_with(background: Any) -> Any:
    return starlette_app(lambda: Response(background=background()))


@pytest.mark.parametrize(
    ("make", "func", "args"),
    [
        (lambda: CallsUp(note, 1), note, (1,)),
        (lambda: CallsFunc(note, 1), note, (1,)),
        (lambda: Initialised(1), note, (1,)),
        (lambda: Mixed(note, 1), note, (1,)),
        (lambda: Plain(1), Plain, (1,)),
        (lambda: Below(1), Below, (1,)),
        (lambda: Data(1), Data, (1,)),
    ],
)
@pytest.mark.parametrize("grouped", [False, True])
def test_it_is_recorded_once(make: Any, func: Any, args: Any, grouped: bool, bgtasks: Any) -> None:
    by_asgi(respond_with(lambda: StarletteTasks([make()]) if grouped else make()), "GET", "/")
    assert bgtasks == [scheduled(func, *args)]
    (task,) = bgtasks
    assert (task.outcome, task.runs, task.site.function) == ("succeeded", 1, "<lambda>")
    assert task.site.file == __file__


def test_a_class_without_func_is_recorded_by_its_constructor(bgtasks: Any) -> None:
    live = Plain(7, text="y")
    (task,) = bgtasks
    assert task == scheduled(Plain, number=7, text="y")
    assert (task.name, task.func, task.args, task.kwargs) == ("Plain", Plain, (), {})
    asyncio.run(live())
    assert (task.outcome, ran) == ("succeeded", [7])


def test_retries_are_one_run_of_one_task(bgtasks: Any) -> None:
    by_asgi(respond_with(lambda: Retrying(fail)), "GET", "/")
    assert [(task.outcome, task.runs) for task in bgtasks] == [("succeeded", 1)]
    assert ran == ["again", "again"]


def test_a_mixin_is_not_touched() -> None:
    before = dict(vars(Mixin))
    with record():
        asyncio.run(Mixed(note)())
        assert dict(vars(Mixin)) == before
        asyncio.run(Mixin()())
    assert ran == ["mixin", "mixin"]


class Recording(BackgroundTasks):
    def add_task(self, func: Any, *args: Any, **kwargs: Any) -> None:
        ran.append(func)
        super().add_task(func, *args, **kwargs)


class Appending(StarletteTasks):
    def add_task(self, func: Any, *args: Any, **kwargs: Any) -> None:
        self.tasks.append(BackgroundTask(func, *args, **kwargs))


class Concurrent(StarletteTasks):
    async def __call__(self) -> None:
        await asyncio.gather(*(task() for task in self.tasks))


class Bypassing(StarletteTasks):
    async def __call__(self) -> None:
        ran.extend(task.func(*task.args) for task in self.tasks)


class Tolerant(StarletteTasks):
    async def __call__(self) -> None:
        for task in self.tasks:
            try:
                await task()
            except TaskError:
                ran.append("failed")


def group(kind: Any, *funcs: Any) -> Any:
    def make() -> Any:
        tasks = kind()
        for func in funcs:
            tasks.add_task(func)
        return tasks

    return make


@pytest.mark.parametrize("kind", [Recording, Appending, Concurrent])
def test_a_subclass_of_the_group(kind: Any, bgtasks: Any) -> None:
    by_asgi(respond_with(group(kind, note, note)), "GET", "/")
    assert bgtasks == [scheduled(note), scheduled(note)]
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]
    assert {task.site.function for task in bgtasks} == {"make"}


def test_a_group_that_goes_on_after_a_failure(bgtasks: Any) -> None:
    by_asgi(respond_with(group(Tolerant, fail, note)), "GET", "/")
    assert [task.outcome for task in bgtasks] == ["failed", "succeeded"]


def test_a_group_that_runs_functions_itself_loses_nothing(bgtasks: Any) -> None:
    by_asgi(respond_with(group(Bypassing, note)), "GET", "/")
    (task,) = bgtasks
    assert (task.outcome, task.reason) == (
        "pending",
        "Bypassing.__call__ did not call the task object",
    )
    assert ran == [None]


def test_a_class_made_during_the_recording(bgtasks: Any) -> None:
    class Late(BackgroundTask):
        def __init__(self) -> None: ...

        async def __call__(self) -> None:
            ran.append("late")

    by_asgi(respond_with(Late), "GET", "/")
    assert bgtasks == [scheduled(Late)]
    assert bgtasks[0].outcome == "succeeded"


def test_a_class_that_compares_by_value(bgtasks: Any) -> None:
    one, other = Data(1), Data(1)
    assert one == other
    assert len(bgtasks) == 2


def test_type_and_functions_stay_what_they_are(bgtasks: Any) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(note, 1, text="x")
    assert type(tasks) is BackgroundTasks
    assert type(tasks.tasks[0]) is BackgroundTask
    assert tasks.tasks[0].func is note
    assert vars(tasks.tasks[0]) == {
        "func": note,
        "args": (1,),
        "kwargs": {"text": "x"},
        "is_async": False,
    }
    assert list(vars(tasks)) == ["tasks"]
    assert BackgroundTask.__call__.__name__ == "__call__"
    assert asyncio.iscoroutinefunction(BackgroundTask.__call__)


def test_appended_to_a_group(bgtasks: Any) -> None:
    def respond() -> Response:
        tasks = StarletteTasks()
        tasks.tasks.append(Plain(3))
        return Response(background=tasks)

    by_asgi(starlette_app(respond), "GET", "/")
    assert bgtasks == [scheduled(Plain, 3)]
    assert (bgtasks[0].outcome, ran) == ("succeeded", [3])
