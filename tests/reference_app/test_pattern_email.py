"""An e-mail with early validation: as documented, or with a record of how it ended."""

import copy

import anyio
import pytest
from reference_lab import CommitError

from bgcheck import scheduled
from bgcheck_reference.mailer import OUTBOX_SIZE, OutboxMailer, get_mailer
from bgcheck_reference.schemas import EmailTask
from bgcheck_reference.tasks import email as email_tasks
from bgcheck_reference.tasks.email import send_email_task, send_email_task_reporting

DOCUMENTED, REPORTING = "/send-email/", "/send-email/reporting"
EMAIL = {
    "recipients": ["ada@example.com", "grace@example.com"],
    "content": {"subject": "Welcome", "body": "Good to have you with us."},
}


class RefusedError(Exception):
    """The mail server does not want the message."""


class FlakyMailer(OutboxMailer):
    """Refuses the first messages."""

    def __init__(self, refusals):
        super().__init__()
        self.refusals = refusals
        self.calls = 0

    async def send(self, message):
        self.calls += 1
        if self.calls <= self.refusals:
            raise RefusedError(f"refusal {self.calls}")
        await super().send(message)


@pytest.fixture
def mailer(app, request):
    """A mailer in the app that refuses as many messages as the test asks for."""
    flaky = FlakyMailer(getattr(request, "param", 0))
    app.dependency_overrides[get_mailer] = lambda: flaky
    return flaky


@pytest.fixture
def delays(monkeypatch):
    """Seconds slept between attempts."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(email_tasks.anyio, "sleep", sleep)
    return slept


def records(caplog):
    return [(r.levelname, r.getMessage()) for r in caplog.records if r.name == email_tasks.__name__]


@pytest.mark.parametrize(
    ("path", "status", "extra"), [(DOCUMENTED, 200, set()), (REPORTING, 202, {"delivery_id"})]
)
def test_answer_as_documented(client, path, status, extra):
    response = client.post(path, json={**EMAIL, "priority": 2})
    assert response.status_code == status
    body = response.json()
    assert {key: body[key] for key in body.keys() - extra} == {
        "status": "queued",
        "recipients_count": 2,
        "priority": 2,
    }
    assert extra <= body.keys()


def test_documented_task_scheduled(client, bgtasks, app):
    client.post(DOCUMENTED, params={"log_success": False}, json=EMAIL)
    assert bgtasks == [
        scheduled(
            send_email_task,
            EmailTask(**EMAIL),
            False,
            mailer=app.state.mailer,
            retry_delay=0,
        )
    ]


def test_reporting_task_scheduled(client, bgtasks, app, database):
    delivery_id = client.post(REPORTING, json=EMAIL).json()["delivery_id"]
    assert bgtasks == [
        scheduled(
            send_email_task_reporting,
            EmailTask(**EMAIL),
            delivery_id,
            mailer=app.state.mailer,
            session_factory=database.async_session_factory,
            retry_delay=0,
        )
    ]


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
def test_the_mail_is_sent(client, app, path):
    client.post(path, json=EMAIL)
    (message,) = app.state.mailer.outbox
    assert message["Subject"] == "Welcome"
    assert message["To"] == "ada@example.com, grace@example.com"
    assert message.get_content() == "Good to have you with us.\n"


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"recipients": []}, "No recipients provided"),
        ({"content": {"subject": "Hi", "body": "123456789"}}, "Email body too short"),
    ],
)
def test_early_validation(client, bgtasks, path, change, detail):
    response = client.post(path, json={**EMAIL, **change})
    assert response.status_code == 400
    assert response.json() == {"detail": detail}
    assert bgtasks == []


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
@pytest.mark.parametrize(
    "change",
    [
        {"recipients": ["nobody"]},
        {"retry_count": 0},
        {"retry_count": 11},
        {"content": {"subject": "Two\nlines", "body": "long enough"}},
        {"content": {"subject": "Hi", "body": "long enough\0"}},
    ],
)
def test_what_the_task_would_fail_on_is_refused(client, bgtasks, path, change):
    assert client.post(path, json={**EMAIL, **change}).status_code == 422
    assert bgtasks == []


def test_ten_characters_are_long_enough(client):
    body = {**EMAIL, "content": {"subject": "Hi", "body": "1234567890"}}
    assert client.post(DOCUMENTED, json=body).status_code == 200


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
@pytest.mark.parametrize("mailer", [2], indirect=True)
def test_retry_with_growing_delays(client, mailer, settings, delays, caplog, path):
    settings.email_retry_delay = 0.5
    client.post(path, json=EMAIL)
    assert mailer.calls == 3
    assert len(mailer.outbox) == 1
    assert delays == [0.5, 1.0]
    assert [level for level, _ in records(caplog)].count("WARNING") == 2
    assert records(caplog)[-1] == ("INFO", "E-mail sent to 2 recipients")


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
@pytest.mark.parametrize("mailer", [9], indirect=True)
def test_an_hour_of_retries_passes_at_once(client, bgtasks, mailer, settings, path):
    settings.email_retry_delay = 60
    with bgtasks.virtual_time() as clock:
        client.post(path, json={**EMAIL, "retry_count": 7})
    assert mailer.calls == 7
    assert clock.now == 60 + 120 + 240 + 480 + 960 + 1920


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
@pytest.mark.parametrize("mailer", [9], indirect=True)
def test_no_more_attempts_than_asked_for(client, mailer, delays, path):
    client.post(path, json={**EMAIL, "retry_count": 4})
    assert mailer.calls == 4
    assert len(delays) == 3


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
def test_success_is_logged_only_if_wanted(client, caplog, path):
    client.post(path, params={"log_success": False}, json=EMAIL)
    assert ("INFO", "E-mail sent to 2 recipients") not in records(caplog)
    assert ("INFO", "Sending 'Welcome': attempt 1 of 3") in records(caplog)


@pytest.mark.parametrize("mailer", [9], indirect=True)
def test_documented_way_leaves_one_line_of_a_failure(client, bgtasks, mailer, caplog):
    assert client.post(DOCUMENTED, json=EMAIL).status_code == 200
    assert mailer.calls == 3
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [r.getMessage() for r in errors] == ["Failed to send e-mail after 3 attempts: refusal 3"]
    assert errors[0].exc_info is None
    assert bgtasks.one().outcome == "succeeded"


@pytest.mark.parametrize("mailer", [9], indirect=True)
def test_reporting_way_shows_the_failure(client, mailer, caplog):
    response = client.post(REPORTING, json=EMAIL)
    delivery = client.get(response.headers["location"]).json()
    assert delivery["state"] == "failed"
    assert delivery["error"] == "RefusedError: refusal 3"
    assert delivery["attempts"] == mailer.calls == 3
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.getMessage() == f"Delivery {delivery['id']} failed after 3 attempts"
    assert error.exc_info[0] is RefusedError


@pytest.mark.parametrize("mailer", [1], indirect=True)
def test_reporting_way_shows_the_success(client, mailer):
    response = client.post(REPORTING, json=EMAIL)
    assert response.headers["location"] == f"/send-email/reporting/{response.json()['delivery_id']}"
    delivery = client.get(response.headers["location"]).json()
    assert delivery["created_at"] <= delivery["updated_at"]
    assert {key: delivery[key] for key in delivery.keys() - {"id", "created_at", "updated_at"}} == {
        "state": "done",
        "error": None,
        "attempts": mailer.calls,
        "subject": "Welcome",
        "recipients": EMAIL["recipients"],
    }


def test_states_of_a_delivery_as_a_client_sees_them(app, bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        location = client.post(REPORTING, json=EMAIL).headers["location"]
        assert client.get(location).json()["state"] == "pending"
        assert not app.state.mailer.outbox
        gate.drain()
        assert client.get(location).json()["state"] == "done"
    assert app.state.mailer.outbox


def test_unknown_delivery(client):
    response = client.get("/send-email/reporting/none")
    assert response.status_code == 404
    assert response.json() == {"detail": "No such delivery"}


def test_no_connection_is_held_while_sending(client, app, database):
    held = []

    class Looking(OutboxMailer):
        async def send(self, message):
            held.append(database.async_engine.pool.checkedout())

    app.dependency_overrides[get_mailer] = Looking
    client.post(REPORTING, json=EMAIL)
    assert held == [0]


@pytest.mark.usefixtures("failing_commit")
def test_nothing_is_scheduled_for_a_delivery_that_was_not_stored(client, bgtasks, database):
    with pytest.raises(CommitError):
        client.post(REPORTING, json=EMAIL)
    assert bgtasks == []
    assert database.async_engine.pool.checkedout() == 0


def test_documented_task_works_on_a_copy_of_its_own(caplog):
    caplog.set_level("INFO", logger="bgcheck_reference")
    task = EmailTask.model_validate(EMAIL)
    given = copy.deepcopy(task)
    mailer = FlakyMailer(2)

    async def change_between_attempts():
        async def empty(message):
            given.recipients.clear()
            given.retry_count = 1
            await FlakyMailer.send(mailer, message)

        mailer.send = empty
        await send_email_task(given, mailer=mailer, retry_delay=0)

    anyio.run(change_between_attempts)
    assert mailer.calls == 3
    assert mailer.outbox[0]["To"] == ", ".join(task.recipients)
    assert records(caplog)[-1] == ("INFO", "E-mail sent to 2 recipients")


def test_outbox_keeps_the_newest():
    mailer = OutboxMailer()

    async def send_many():
        for number in range(OUTBOX_SIZE + 1):
            message = email_tasks.EmailMessage()
            message["Subject"] = str(number)
            await mailer.send(message)

    anyio.run(send_many)
    assert [mailer.outbox[0]["Subject"], mailer.outbox[-1]["Subject"]] == ["1", str(OUTBOX_SIZE)]


@pytest.mark.parametrize("path", [DOCUMENTED, REPORTING])
def test_real_server_sends_after_the_response(live, path):
    class Noting(OutboxMailer):
        async def send(self, message):
            live.events.append("sent")
            await super().send(message)

    live.app.dependency_overrides[get_mailer] = Noting
    live.http.post(path, json=EMAIL)
    assert live.wait() is None
    assert live.events == ["response complete", "sent"]
