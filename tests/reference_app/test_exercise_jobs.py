"""Error recovery: retries, a final failure that can be run again, and restarts."""

from datetime import datetime, timedelta, timezone

import anyio
import pytest
from reference_lab import CommitError, run_together, started_client

from bgcheck import scheduled
from bgcheck_reference.mailer import OutboxMailer, get_mailer
from bgcheck_reference.main import create_app
from bgcheck_reference.models import Job
from bgcheck_reference.queues.resources import job_policy
from bgcheck_reference.tasks.jobs import run_job

EMAIL = {
    "recipients": ["ada@example.com"],
    "content": {"subject": "Welcome", "body": "Good to have you with us."},
}
BROADCAST = {"message": "Noon", "user_ids": [1, 99, 2]}


class FlakyMailer(OutboxMailer):
    """Refuses the first messages."""

    refusals = 0
    calls = 0

    async def send(self, message):
        self.calls += 1
        if self.calls <= self.refusals:
            raise ConnectionError(f"refusal {self.calls}")
        await super().send(message)


@pytest.fixture
def mailer(app):
    flaky = FlakyMailer()
    app.dependency_overrides[get_mailer] = lambda: flaky
    app.state.mailer = flaky
    return flaky


@pytest.fixture
def failed(client, mailer, settings):
    """The path of a job that has failed for good."""
    settings.job_retry_delay = 0
    mailer.refusals = settings.job_attempts
    return client.post("/jobs/email", json=EMAIL).headers["location"]


def store(database, **values):
    """Store a job as a process that ended has left it."""
    database.create_tables(demo_users=3)
    with database.session_factory.begin() as db:
        job = Job(kind="broadcast", payload=BROADCAST, **values)
        db.add(job)
        db.flush()
        return job.id


def past():
    return datetime.now(timezone.utc) - timedelta(seconds=60)


def until_done(client, job_id):
    """Read a job until it is over."""
    while True:
        job = client.get(f"/jobs/{job_id}").json()
        if job["state"] in {"done", "failed"}:
            return job


def test_task_scheduled(client, bgtasks, mailer, settings, database):
    location = client.post("/jobs/email", json=EMAIL).headers["location"]
    assert bgtasks == [
        scheduled(
            run_job,
            location.rsplit("/", 1)[1],
            session_factory=database.async_session_factory,
            mailer=mailer,
            policy=job_policy(settings),
        )
    ]
    job = client.get(location).json()
    assert (job["state"], job["attempts"], job["error"]) == ("done", 1, None)
    assert mailer.outbox[0]["Message-ID"] == f"<{job['id']}@bgcheck-reference>"


def test_back_off(client, bgtasks, mailer, settings):
    settings.job_retry_delay, settings.job_retry_delay_max = 60, 200
    mailer.refusals = 4
    with bgtasks.virtual_time() as clock:
        location = client.post("/jobs/email", json=EMAIL).headers["location"]
    assert [sleep.seconds for sleep in clock.sleeps] == [60, 120, 200, 200]
    job = client.get(location).json()
    assert (job["state"], job["attempts"], job["error"]) == ("done", 5, None)


def test_final_failure(client, bgtasks, failed, caplog):
    job = client.get(failed).json()
    assert (job["state"], job["attempts"]) == ("failed", 5)
    assert job["error"] == "ConnectionError: refusal 5"
    assert bgtasks.one().outcome == "succeeded"
    (error,) = [r for r in caplog.get_records("setup") if r.levelname == "ERROR"]
    assert error.getMessage() == f"Job {job['id']} failed for good after 5 attempts"
    assert error.exc_info[0] is ConnectionError
    assert client.get("/jobs", params={"state": "failed"}).json() == [job]
    assert client.get("/jobs", params={"state": "done"}).json() == []
    page = client.get("/jobs/page").text
    assert "ConnectionError: refusal 5" in page
    assert f'data-job="{job["id"]}"' in page


def test_run_again(client, failed, mailer):
    assert client.post(f"{failed}/rerun").status_code == 202
    job = client.get(failed).json()
    assert (job["state"], job["attempts"], job["error"]) == ("done", 1, None)
    assert len(mailer.outbox) == 1
    again = client.post(f"{failed}/rerun")
    assert (again.status_code, again.json()) == (409, {"detail": "The job is done, not failed"})
    assert len(mailer.outbox) == 1


def test_unknown_job(client):
    for response in (client.get("/jobs/none"), client.post("/jobs/none/rerun")):
        assert (response.status_code, response.json()) == (404, {"detail": "No such job"})


def test_an_attempt_that_takes_too_long_fails(client, bgtasks, app, settings):
    class Hanging(OutboxMailer):
        async def send(self, message):
            await anyio.sleep(3600)

    app.dependency_overrides[get_mailer] = Hanging
    with bgtasks.virtual_time():
        location = client.post("/jobs/email", json=EMAIL).headers["location"]
    job = client.get(location).json()
    assert (job["state"], job["attempts"], job["error"]) == ("failed", 5, "TimeoutError: ")


@pytest.mark.usefixtures("failing_commit")
def test_nothing_is_scheduled_for_a_job_that_was_not_stored(client, bgtasks):
    with pytest.raises(CommitError):
        client.post("/jobs/broadcast", json=BROADCAST)
    assert bgtasks == []


def test_pages_escape_what_a_client_wrote(client, settings, mailer):
    settings.job_attempts = mailer.refusals = 1
    mailer.send = lambda _: (_ for _ in ()).throw(OSError("<script>alert(1)</script>"))
    client.post("/jobs/email", json=EMAIL)
    assert "OSError: &lt;script&gt;" in client.get("/jobs/page").text


@pytest.mark.parametrize(
    "left",
    [{"state": "pending", "due_at": past()}, {"state": "running", "claim": "x", "due_at": past()}],
)
def test_a_new_app_takes_up_what_another_has_left(app, database, left):
    job_id = store(database, **left)
    with started_client(app) as client:
        assert until_done(client, job_id)["state"] == "done"
        for user_id in (1, 2):
            assert len(client.get(f"/users/{user_id}/notifications").json()) == 1


def test_a_dropped_task_is_taken_up_by_the_next_app(app, settings, bgtasks):
    with started_client(app) as client, bgtasks.drop():
        job_id = client.post("/jobs/broadcast", json=BROADCAST).json()["id"]
        assert client.get(f"/jobs/{job_id}").json()["state"] == "pending"
    settings.grace_seconds = 0
    with started_client(create_app(settings)) as client:
        assert until_done(client, job_id)["attempts"] == 1
        assert len(client.get("/users/1/notifications").json()) == 1


def test_of_many_who_take_up_a_job_one_does(database, settings):
    job_id = store(database, state="pending")
    run_together(database, job_id, settings, 8)
    with database.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM notifications").scalar()
        attempts = connection.exec_driver_sql("SELECT attempts FROM jobs").scalar()
    database.engine.dispose()
    assert (count, attempts) == (2, 1)


def test_a_job_that_another_is_working_on_is_left_alone(database, settings):
    due_at = datetime.now(timezone.utc) + timedelta(seconds=60)
    job_id = store(database, state="running", claim="x", due_at=due_at)
    run_together(database, job_id, settings, 1)
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT state, claim FROM jobs").one() == ("running", "x")
    database.engine.dispose()
