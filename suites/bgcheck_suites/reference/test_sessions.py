"""Database sessions: the request's as documented, and one of the task's own."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, QueuePool, event
from sqlalchemy.orm import Session, sessionmaker

from bgcheck import BackgroundTasksLog
from bgcheck_reference.db import Database, get_session_factory
from bgcheck_reference.tasks import broadcast
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log
from bgcheck_suites.marks import requirement

DOCUMENTED = "/broadcast/"
OWN: dict[str, Callable[..., Any]] = {
    "/broadcast/own-session": broadcast.send_notifications_own_session,
    "/broadcast/async-session": broadcast.send_notifications_async_session,
}


def announce(client: Any, path: str, user_ids: list[int] | None = None) -> int:
    """Broadcast a message, and return the status."""
    body = [1, 2] if user_ids is None else user_ids
    status: int = client.post(path, params={"message": "Hello"}, json=body).status_code
    return status


def messages(client: Any, user_id: int) -> list[str]:
    """Return the messages that a user has got."""
    return [row["message"] for row in client.get(f"/users/{user_id}/notifications").json()]


def checked_out(database: Database) -> int:
    """Return how many connections are out of the pools of both engines."""
    pools = (database.engine.pool, database.async_engine.pool)
    return sum(cast("QueuePool", pool).checkedout() for pool in pools)


class CommitError(Exception):
    """Raised in place of a commit."""


@pytest.fixture
def failing_commit(client: Any) -> Iterator[None]:
    """Make every commit fail, after its changes were sent; the app has started before."""

    def fail(session: Session) -> None:
        session.flush()
        raise CommitError("the database is full")

    event.listen(Session, "before_commit", fail)
    yield
    event.remove(Session, "before_commit", fail)


@requirement("BGR-SESSION-01")
@pytest.mark.parametrize("path", [DOCUMENTED, *OWN])
def test_known_users_are_notified(client: Any, bgtasks: BackgroundTasksLog, path: str) -> None:
    assert announce(client, path, [1, 99]) == 200
    assert bgtasks.one().outcome == "succeeded"
    assert messages(client, 1) == ["Hello"]
    assert messages(client, 99) == []


@requirement("BGR-SESSION-02")
def test_when_the_session_of_the_request_closes(
    client: Any, app: FastAPI, database: Database, log: Log, observe: Observe
) -> None:
    app.dependency_overrides[get_session_factory] = lambda: _watched(log, database.engine)
    announce(client, DOCUMENTED, [1])
    used, closed = log.first("used"), log.first("closed")
    observe("open in the task" if used.number < closed.number else "closed before the task")


def _watched(log: Log, engine: Engine) -> sessionmaker[Session]:
    class Watched(Session):
        def get(self, *args: Any, **kwargs: Any) -> Any:
            log.mark("used")
            return super().get(*args, **kwargs)

        def close(self) -> None:
            log.mark("closed")
            super().close()

    return sessionmaker(engine, class_=Watched, expire_on_commit=False)


@requirement("BGR-SESSION-03")
@pytest.mark.parametrize("path", OWN)
def test_a_task_with_its_own_session_gets_no_session(
    client: Any, bgtasks: BackgroundTasksLog, path: str
) -> None:
    announce(client, path)
    params = bgtasks.one(OWN[path], user_ids=[1, 2], message="Hello").params
    assert set(params) == {"user_ids", "message", "session_factory"}


@requirement("BGR-SESSION-04")
@pytest.mark.parametrize("path", OWN)
def test_the_connection_is_back_after_the_task(
    client: Any, bgtasks: BackgroundTasksLog, database: Database, path: str
) -> None:
    announce(client, path)
    assert bgtasks.one().outcome == "succeeded"
    assert checked_out(database) == 0


@requirement("BGR-SESSION-05")
@pytest.mark.usefixtures("failing_commit")
@pytest.mark.parametrize("path", OWN)
def test_the_connection_is_back_after_a_failure(
    client: Any, bgtasks: BackgroundTasksLog, database: Database, path: str
) -> None:
    assert announce(client, path) == 200
    task = bgtasks.one(OWN[path])
    assert task.outcome == "failed"
    assert isinstance(task.error, CommitError)
    assert checked_out(database) == 0
    assert messages(client, 1) == []


@requirement("BGR-SESSION-06")
@pytest.mark.parametrize("path", [DOCUMENTED, *OWN])
@pytest.mark.parametrize("body", [["one"], [0], {}])
def test_invalid_recipients_schedule_nothing(
    client: Any, bgtasks: BackgroundTasksLog, path: str, body: Any
) -> None:
    assert announce(client, path, body) == 422
    assert bgtasks == []
