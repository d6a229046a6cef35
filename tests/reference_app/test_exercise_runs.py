"""Progress: polled, streamed, and shown on a page."""

import json
import queue

import pytest
from reference_lab import LIMIT

from bgcheck import scheduled
from bgcheck_reference.claims import ClaimPolicy
from bgcheck_reference.routes import runs as routes
from bgcheck_reference.tasks import runs as tasks


def start(client, **wanted):
    return client.post("/runs", json={"name": "Lamp", **wanted})


def events(lines):
    """Parse the events of a stream, as a browser does."""
    event = {}
    for line in lines:
        if not line and event:
            yield event["event"], json.loads(event["data"])["steps_done"]
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


@pytest.fixture
def steps(monkeypatch):
    """Lets the task do one step for each thing that is put in."""
    allowed = queue.Queue()
    monkeypatch.setattr(tasks, "do_step", lambda _: allowed.get(timeout=LIMIT))
    return allowed


def test_task_scheduled(client, bgtasks, database):
    run_id = start(client, levels=2).json()["id"]
    assert bgtasks == [
        scheduled(
            tasks.work_in_steps, run_id, database.session_factory, tasks.Pace(0.0), ClaimPolicy()
        )
    ]
    run = client.get(f"/runs/{run_id}").json()
    assert (run["state"], run["steps_done"], run["steps_total"]) == ("done", 20, 20)


def test_steps_take_the_time_of_their_levels(client, bgtasks, settings):
    settings.seconds_per_importance = 50
    with bgtasks.virtual_time() as clock:
        start(client, levels=2)
    assert [sleep.seconds for sleep in clock.sleeps] == [5] * 20


def test_every_step_is_visible_and_none_holds_a_connection(client, database, monkeypatch):
    seen = []

    def look(seconds):
        held = database.engine.pool.checkedout()
        with database.engine.connect() as connection:
            (done,) = connection.exec_driver_sql("SELECT steps_done FROM runs").one()
        seen.append((done, held))

    monkeypatch.setattr(tasks, "do_step", look)
    start(client)
    assert seen == [(done, 0) for done in range(10)]


def test_failure_is_stored_and_logged(client, monkeypatch, caplog):
    def fail(seconds):
        raise OSError("disk gone")

    monkeypatch.setattr(tasks, "do_step", fail)
    location = start(client).headers["location"]
    run = client.get(location).json()
    assert (run["state"], run["error"], run["steps_done"]) == ("failed", "OSError: disk gone", 0)
    (error,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert error.getMessage() == f"Run {run['id']} failed"
    assert list(events(client.get(f"{location}/events").text.split("\n"))) == [("end", 0)]


def test_a_finished_run_has_one_event(client):
    location = start(client).headers["location"]
    response = client.get(f"{location}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert list(events(response.text.split("\n"))) == [("end", 10)]


def test_events_of_a_real_server(live, steps, settings):
    settings.progress_poll_seconds = 0.001
    location = start(live.http).headers["location"]
    with live.http.stream("GET", f"{location}/events") as response:
        stream = events(response.iter_lines())
        assert next(stream) == ("progress", 0)
        seen = []
        for _ in range(10):
            steps.put(None)
            while (event := next(stream))[1] == len(seen):
                pass  # the state alone has changed
            seen.append(event[1])
        assert seen == list(range(1, 11))
        rest = [event, *stream]
        assert rest[-1] == ("end", 10)
    assert live.wait() is live.wait() is None


def test_the_stream_ends_when_the_client_leaves(live, steps, settings, database):
    settings.progress_poll_seconds = 0.001
    location = start(live.http).headers["location"]
    with live.http.stream("GET", f"{location}/events") as response:
        assert next(events(response.iter_lines())) == ("progress", 0)
    live.wait()
    assert database.async_engine.pool.checkedout() == 0
    for _ in range(10):
        steps.put(None)
    assert live.wait() is None


def test_no_session_is_open_while_the_stream_waits(live, steps, settings, database, monkeypatch):
    held = queue.Queue()

    async def sleep(seconds):
        held.put(database.async_engine.pool.checkedout())
        await real_sleep(0.001)

    real_sleep = routes.anyio.sleep
    monkeypatch.setattr(routes.anyio, "sleep", sleep)
    location = start(live.http).headers["location"]
    with live.http.stream("GET", f"{location}/events") as response:
        stream = events(response.iter_lines())
        assert next(stream) == ("progress", 0)
        assert [held.get(timeout=LIMIT) for _ in range(3)] == [0, 0, 0]
        for _ in range(10):
            steps.put(None)
        assert list(stream)[-1] == ("end", 10)


def test_unknown_run(client):
    for path in ("/runs/none", "/runs/none/events"):
        response = client.get(path)
        assert (response.status_code, response.json()) == (404, {"detail": "No such run"})


@pytest.mark.parametrize("wanted", [{"name": ""}, {"levels": 0}, {"levels": 11}, {"name": "\0"}])
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, wanted):
    assert start(client, **wanted).status_code == 422
    assert bgtasks == []


def test_page(client):
    response = client.get("/progress")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "new EventSource" in response.text
