"""A result that a client polls for."""

import threading

import pytest
from reference_lab import LIMIT, CommitError
from sqlalchemy.exc import OperationalError

from bgcheck import scheduled
from bgcheck_reference.routes import reports as routes
from bgcheck_reference.tasks import reports as tasks


@pytest.fixture
def notified(client):
    """Three users, of whom the first two have notifications."""
    client.post("/broadcast/own-session", params={"message": "Hello"}, json=[1, 1, 2])


def ask(client, **wanted):
    return client.post("/reports", json={"title": "Messages", **wanted})


def test_report_is_pending_in_the_response(client):
    response = ask(client, user_ids=[1])
    body = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/reports/{body['id']}"
    assert {key: body[key] for key in body.keys() - {"id", "created_at", "updated_at"}} == {
        "state": "pending",
        "error": None,
        "title": "Messages",
        "user_ids": [1],
        "lines": None,
    }


def test_task_scheduled(client, bgtasks, database):
    report_id = ask(client).json()["id"]
    assert bgtasks == [scheduled(tasks.make_report, report_id, database.session_factory)]
    assert bgtasks.one().outcome == "succeeded"
    assert bgtasks.one().thread == "worker"


def test_pending_state_is_visible(app, bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        location = ask(client).headers["location"]
        assert client.get(location).json()["state"] == "pending"
        assert gate.drain().succeeded == 1
        assert client.get(location).json()["state"] == "done"


def test_reports_are_made_in_any_order(app, bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        first, second = (ask(client).headers["location"] for _ in range(2))
        gate.run(bgtasks[1])
        assert client.get(first).json()["state"] == "pending"
        assert client.get(second).json()["state"] == "done"


@pytest.mark.usefixtures("notified")
@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ({}, [(1, "Demo user 1", 2, 2), (2, "Demo user 2", 1, 1), (3, "Demo user 3", 0, 0)]),
        ({"user_ids": [2, 99]}, [(2, "Demo user 2", 1, 1)]),
        ({"user_ids": []}, []),
    ],
)
def test_report_is_done_after_the_task(client, wanted, lines):
    report = client.get(ask(client, **wanted).headers["location"]).json()
    assert report["state"] == "done"
    assert report["error"] is None
    columns = ("user_id", "name", "notifications", "unread")
    assert report["lines"] == [dict(zip(columns, line, strict=True)) for line in lines]


def test_times_are_aware_and_the_same_from_the_database(client):
    asked = ask(client).json()
    read = client.get(f"/reports/{asked['id']}").json()
    assert read["created_at"] == asked["created_at"]
    assert read["created_at"].endswith("Z")
    assert read["updated_at"] > asked["updated_at"]


def test_failure_is_stored_and_logged(client, monkeypatch, caplog):
    def fail(*_):
        raise OperationalError("SELECT", {}, Exception("disk gone"))

    monkeypatch.setattr(tasks, "count_notifications", fail)
    report = client.get(ask(client).headers["location"]).json()
    assert report["state"] == "failed"
    assert report["error"].startswith("OperationalError: (builtins.Exception) disk gone")
    assert report["lines"] is None
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.getMessage() == f"Report {report['id']} failed"
    assert error.exc_info[0] is OperationalError


def test_states_as_a_real_client_sees_them(live, monkeypatch):
    start, count = threading.Event(), threading.Event()
    counting = threading.Event()

    def gated_make_report(*args):
        assert start.wait(LIMIT)
        make_report(*args)

    def gated_count(*args):
        counting.set()
        assert count.wait(LIMIT)
        return count_notifications(*args)

    make_report, count_notifications = tasks.make_report, tasks.count_notifications
    monkeypatch.setattr(routes, "make_report", gated_make_report)
    monkeypatch.setattr(tasks, "count_notifications", gated_count)

    location = ask(live.http).headers["location"]

    def state():
        return live.http.get(location).json()["state"]

    assert state() == "pending"
    assert live.wait() is None
    start.set()
    assert counting.wait(LIMIT)
    assert state() == "running"
    assert live.wait() is None
    count.set()
    assert live.wait() is None
    assert state() == "done"


def test_a_task_without_its_row_says_so(client, database):
    with pytest.raises(LookupError, match="There is no report none"):
        tasks.make_report("none", database.session_factory)
    assert database.engine.pool.checkedout() == 0


@pytest.mark.usefixtures("failing_commit")
def test_nothing_is_scheduled_for_a_report_that_was_not_stored(client, bgtasks, database):
    with pytest.raises(CommitError):
        ask(client)
    assert bgtasks == []
    assert database.engine.pool.checkedout() == 0


def test_no_connection_is_held_between_the_response_and_the_task(client, database, monkeypatch):
    held = []
    monkeypatch.setattr(
        routes, "make_report", lambda *_: held.append(database.engine.pool.checkedout())
    )
    ask(client)
    assert held == [0]


def test_unknown_report(client):
    response = client.get("/reports/none")
    assert response.status_code == 404
    assert response.json() == {"detail": "No such report"}


@pytest.mark.parametrize(
    "wanted", [{"title": ""}, {"title": "x" * 201}, {"title": "\0"}, {"user_ids": [0]}]
)
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, wanted):
    assert ask(client, **wanted).status_code == 422
    assert bgtasks == []
