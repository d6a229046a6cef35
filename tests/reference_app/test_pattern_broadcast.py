"""A database session for a task: the request's as documented, or one of its own."""

import asyncio
from importlib.metadata import version

import pytest
from reference_lab import CommitError, listening
from sqlalchemy.orm import Session, sessionmaker

from bgcheck import scheduled
from bgcheck_reference.db import get_session_factory
from bgcheck_reference.tasks import broadcast as tasks

DOCUMENTED = "/broadcast/"
HOLDING = ["/broadcast/own-session", "/broadcast/async-session"]
EVERY = [DOCUMENTED, *HOLDING]

RELEASE = tuple(int(part) for part in version("fastapi").split(".")[:2])
CLOSED_BEFORE_TASKS = (0, 106) <= RELEASE < (0, 118)


def broadcast(client, path, user_ids=(1, 2), message="Hello"):
    return client.post(path, params={"message": message}, json=list(user_ids))


def messages(client, user_id):
    return [row["message"] for row in client.get(f"/users/{user_id}/notifications").json()]


@pytest.fixture
def watched_session(app, database, live):
    """Note in `live.events` when a session of the request is used and closed."""

    class Watched(Session):
        def get(self, *args, **kwargs):
            live.events.append("session used")
            return super().get(*args, **kwargs)

        def close(self):
            live.events.append("session closed")
            super().close()

    factory = sessionmaker(database.engine, class_=Watched, expire_on_commit=False)
    app.dependency_overrides[get_session_factory] = lambda: factory


@pytest.fixture
def statements(database):
    """Whether each statement of the synchronous engine ran on an event loop."""
    on_loop = []

    def note(*_):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_loop.append(False)
        else:
            on_loop.append(True)

    with listening(database.engine, "before_cursor_execute", note):
        yield on_loop


@pytest.mark.parametrize("path", EVERY)
def test_answer_as_documented(client, path):
    response = broadcast(client, path, [1, 2, 3])
    assert response.status_code == 200
    assert response.json() == {"message": "Broadcasting initiated", "recipients": 3}


def test_documented_task_gets_the_session_of_the_request(client, bgtasks):
    broadcast(client, DOCUMENTED)
    task = bgtasks.one(tasks.send_notifications, user_ids=[1, 2], message="Hello")
    assert isinstance(task.args[2], Session)
    assert task.outcome == "succeeded"


def test_holding_tasks_get_a_session_factory(client, bgtasks, database):
    for path in HOLDING:
        broadcast(client, path)
    assert bgtasks == [
        scheduled(tasks.send_notifications_own_session, [1, 2], "Hello", database.session_factory),
        scheduled(
            tasks.send_notifications_async_session, [1, 2], "Hello", database.async_session_factory
        ),
    ]
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]
    assert [task.thread for task in bgtasks] == ["worker", "loop"]


@pytest.mark.parametrize("path", EVERY)
def test_known_users_are_notified_and_others_left_out(client, caplog, path):
    broadcast(client, path, [1, 99, 1])
    assert messages(client, 1) == ["Hello", "Hello"]
    assert messages(client, 2) == messages(client, 99) == []
    lines = [r.getMessage() for r in caplog.records if r.name.endswith("tasks.broadcast")]
    assert lines == ["Notified user 1", "No user 99 to notify", "Notified user 1"]


@pytest.mark.parametrize("path", EVERY)
def test_notification_is_unread(client, path):
    broadcast(client, path, [2])
    assert client.get("/users/2/notifications").json() == [
        {"id": 1, "user_id": 2, "message": "Hello", "is_read": False}
    ]


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({}, [1]),
        ({"message": "nul \0"}, [1]),
        ({"message": "x" * 10_001}, [1]),
        ({"message": "Hello"}, None),
        ({"message": "Hello"}, ["one"]),
        ({"message": "Hello"}, [0]),
        ({"message": "Hello"}, [2**31]),
        ({"message": "Hello"}, [1] * 1001),
    ],
)
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, path, params, body):
    assert client.post(path, params=params, json=body).status_code == 422
    assert bgtasks == []


@pytest.mark.parametrize("path", EVERY)
def test_every_connection_is_back_after_success(client, database, path):
    broadcast(client, path)
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0


@pytest.mark.parametrize("path", HOLDING)
@pytest.mark.usefixtures("failing_commit")
def test_holding_ways_give_back_the_connection_when_the_task_fails(client, database, path):
    with pytest.raises(CommitError):
        broadcast(client, path)
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0
    assert messages(client, 1) == []


@pytest.mark.usefixtures("failing_commit")
def test_documented_way_keeps_the_connection_of_a_failed_task_where_closed_early(
    client, database, bgtasks
):
    # The error, whose traceback keeps the session alive, is kept: what is measured is whether
    # somebody closed the session, not when the garbage collector came by.
    with pytest.raises(CommitError) as error:
        broadcast(client, DOCUMENTED)
    assert database.engine.pool.checkedout() == (1 if CLOSED_BEFORE_TASKS else 0)
    assert bgtasks.one().error is error.value


@pytest.mark.usefixtures("watched_session")
def test_documented_session_on_a_real_server(live):
    broadcast(live.http, DOCUMENTED)
    assert live.wait() is None
    expected = (
        ["session closed", "response complete", "session used", "session used"]
        if CLOSED_BEFORE_TASKS
        else ["response complete", "session used", "session used", "session closed"]
    )
    assert live.events == expected


@pytest.mark.usefixtures("watched_session")
def test_own_session_opens_and_closes_after_the_response_on_a_real_server(live):
    broadcast(live.http, HOLDING[0])
    assert live.wait() is None
    assert live.events == ["response complete", "session closed"]


@pytest.mark.parametrize("path", EVERY)
def test_real_server_stores_the_notifications(live, path):
    broadcast(live.http, path)
    assert live.wait() is None
    assert messages(live.http, 2) == ["Hello"]


def test_documented_way_blocks_the_event_loop(client, statements):
    broadcast(client, DOCUMENTED)
    assert statements
    assert all(statements)


def test_own_session_keeps_off_the_event_loop(client, statements):
    broadcast(client, "/broadcast/own-session")
    assert statements
    assert not any(statements)


def test_async_session_awaits_its_own_engine(client, statements):
    broadcast(client, "/broadcast/async-session")
    assert not statements
