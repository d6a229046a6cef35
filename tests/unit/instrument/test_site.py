"""`bgcheck.instrument.site`: the line of user code that scheduled a task."""

import functools
import inspect
from typing import Any
from unittest import mock

import pytest
from fastapi import BackgroundTasks
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks

from support.apps import fastapi_app, note
from support.clients import by_asgi


def here() -> int:
    """The line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def only_site(bgtasks: Any) -> tuple[str, int, str]:
    (task,) = bgtasks
    return task.site.file, task.site.line, task.site.function


def test_add_task(bgtasks: Any) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(note); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks) == (__file__, line, "test_add_task")
    assert str(bgtasks[0].site) == f"{__file__}:{line} in test_add_task"


def test_background_task(bgtasks: Any) -> None:
    BackgroundTask(note); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks) == (__file__, line, "test_background_task")


def test_endpoint(bgtasks: Any) -> None:
    class Handlers:
        def schedule(self, tasks: BackgroundTasks) -> None:
            tasks.add_task(note)

    by_asgi(fastapi_app(Handlers().schedule), "POST", "/items/1")
    file, _, function = only_site(bgtasks)
    assert file == __file__
    assert function in ("Handlers.schedule", "schedule")  # qualified since Python 3.11


def test_helper_that_calls_add_task_is_the_site(bgtasks: Any) -> None:
    def enqueue(tasks: BackgroundTasks, *args: Any, **kwargs: Any) -> None:
        tasks.add_task(note, *args, **kwargs)

    enqueue(BackgroundTasks(), 1)
    assert only_site(bgtasks)[2].endswith("enqueue")


class Traced(BackgroundTasks):
    def add_task(self, func: Any, *args: Any, **kwargs: Any) -> None:
        super().add_task(func, *args, **kwargs)

    def add_note(self) -> None:
        self.add_task(note)


class Appending(StarletteTasks):
    def add_task(self, func: Any, *args: Any, **kwargs: Any) -> None:
        task = BackgroundTask(func, *args, **kwargs)
        self.tasks.append(task)


class Email(BackgroundTask):
    def __init__(self, to: str) -> None:
        super().__init__(note, to)


def logged(method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return wrapper


class Decorated(StarletteTasks):
    add_task = logged(StarletteTasks.add_task)


@pytest.mark.parametrize("kind", [Traced, Appending, Decorated])
def test_caller_of_an_overridden_add_task(kind: Any, bgtasks: Any) -> None:
    kind().add_task(note); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks)[1:] == (line, "test_caller_of_an_overridden_add_task")


def test_method_of_a_subclass_that_is_no_add_task(bgtasks: Any) -> None:
    Traced().add_note()
    assert only_site(bgtasks)[2].endswith("add_note")


def test_caller_of_an_overridden_constructor(bgtasks: Any) -> None:
    Email("a@example.com"); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks)[1] == line


def patched_by_function(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = base.add_task

    def spy(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs)

    monkeypatch.setattr(base, "add_task", spy)


def patched_by_autospec(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = base.add_task
    monkeypatch.setattr(base, "add_task", mock.create_autospec(base.add_task, side_effect=original))


def patched_by_decorator(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "add_task", logged(logged(base.add_task)))


@pytest.mark.parametrize("patch", [patched_by_function, patched_by_autospec, patched_by_decorator])
@pytest.mark.parametrize("base", [BackgroundTasks, StarletteTasks])
def test_caller_of_a_spy(
    patch: Any, base: Any, monkeypatch: pytest.MonkeyPatch, bgtasks: Any
) -> None:
    patch(base, monkeypatch)
    BackgroundTasks().add_task(note); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks)[1:] == (line, "test_caller_of_a_spy")


def test_caller_of_a_mocker_spy(request: Any, bgtasks: Any) -> None:
    pytest_mock = pytest.importorskip("pytest_mock", reason="this cell has no pytest-mock")
    mocker = pytest_mock.MockerFixture(request.config)
    request.addfinalizer(mocker.stopall)
    spy = mocker.spy(BackgroundTasks, "add_task")
    BackgroundTasks().add_task(note); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks)[1] == line
    assert spy.call_count == 1


def test_caller_of_a_wrapped_constructor(monkeypatch: pytest.MonkeyPatch, bgtasks: Any) -> None:
    original = BackgroundTask.__init__

    def traced(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)

    monkeypatch.setattr(BackgroundTask, "__init__", traced)
    StarletteTasks().add_task(note); line = here()  # fmt: skip # noqa: E702
    assert only_site(bgtasks)[1] == line
