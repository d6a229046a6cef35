"""`bgcheck.instrument.created_tasks`: each asyncio task that a background task creates, once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from bgcheck.instrument import asyncio_children, created_tasks, leftovers
from bgcheck.instrument.hub import current_task, hub

created: list[tuple[Any, Any]] = []


def follower(task: Any, made: Any) -> None:
    created.append((task, made))


async def nothing() -> None:
    """A child."""


@pytest.fixture(autouse=True)
def _listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    created.clear()
    monkeypatch.setattr(hub, "sinks", (created.append,))
    created_tasks.follow(follower)
    yield
    created_tasks.unfollow(follower)


async def create(background: Any) -> None:
    loop = asyncio.get_running_loop()
    token = current_task.set(background)
    children = [
        loop.create_task(nothing(), name="loop"),
        asyncio.create_task(nothing(), name="asyncio"),
        asyncio.ensure_future(nothing()),
    ]
    current_task.reset(token)
    children[2].set_name("future")
    await asyncio.gather(*children)


def test_it_hears_of_each() -> None:
    background: Any = object()
    asyncio.run(create(background))
    assert [task for task, _ in created] == [background] * 3
    assert [made.get_name() for _, made in created] == ["loop", "asyncio", "future"]


def test_it_hears_of_none_outside_of_a_task() -> None:
    asyncio.run(create(None))
    assert created == []


def test_debug_mode_shows_the_line_of_user_code() -> None:
    async def made_here() -> None:
        child: Any = asyncio.create_task(nothing())
        assert child._source_traceback[-1].name in ("made_here", "create_task")
        assert not any("bgcheck/instrument" in line.filename for line in child._source_traceback)
        await child

    asyncio.run(made_here(), debug=True)


def test_a_follower_that_fails_changes_nothing() -> None:
    def broken(task: Any, made: Any) -> None:
        raise KeyError

    hub.errors.clear()
    created_tasks.follow(broken)
    asyncio.run(create(object()))
    created_tasks.unfollow(broken)
    assert [type(error) for error in hub.errors] == [KeyError] * 3
    hub.errors.clear()


def test_users_share_one_wrapper() -> None:
    wrapper = asyncio.BaseEventLoop.create_task
    leftovers.install()
    asyncio_children.install()
    assert asyncio.BaseEventLoop.create_task is wrapper
    asyncio_children.uninstall()
    leftovers.uninstall()
    assert asyncio.BaseEventLoop.create_task is wrapper


def test_a_loop_gets_what_the_caller_has_given() -> None:
    got: list[dict[str, Any]] = []

    def original(loop: Any, coro: Any, **kwargs: Any) -> None:
        got.append(kwargs)

    create_task: Any = created_tasks._wrap_create_task(original)
    create_task(None, None)
    create_task(None, None, name=None)
    create_task(None, None, context=1)
    create_task(None, coro=None, name="x", context=1)
    assert got == [{}, {"name": None}, {"context": 1}, {"name": "x", "context": 1}]
