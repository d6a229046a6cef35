"""E-mail notifications of several kinds, sent to a real mail server."""

import socket

import pytest
from pydantic import ValidationError
from reference_lab import started_client
from smtp_sink import LOGIN, PASSWORD, smtp_sink

from bgcheck import scheduled
from bgcheck_reference.claims import ClaimPolicy
from bgcheck_reference.composing import TEMPLATES, Letter, compose
from bgcheck_reference.main import create_app
from bgcheck_reference.schemas_mailings import Style, Welcome
from bgcheck_reference.settings import Settings
from bgcheck_reference.smtp import address
from bgcheck_reference.tasks.mailings import RetryPolicy, send_mailing

WELCOME = {"kind": "welcome", "product": "Lamps & <Co>", "start_url": "https://example.com/a?b=1"}
ADA, GRACE, ALAN = (f"{name}@example.com" for name in ("ada", "grace", "alan"))


@pytest.fixture
def sink():
    with smtp_sink() as server:
        yield server


@pytest.fixture
def port(sink):
    return sink.port


@pytest.fixture
def settings(database_url, port):
    return Settings(
        database_url=database_url,
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        email_retry_delay=0,
    )


def post(client, *recipients, content=WELCOME, **more):
    people = [{"address": who} if isinstance(who, str) else who for who in recipients]
    body = {"recipients": people, "content": content, **more}
    return client.post("/mailings", json=body)


def outcome(client, response):
    """Return the state of a mailing, and of each recipient: state, attempts, error."""
    mailing = client.get(response.headers["location"]).json()
    recipients = {
        r["address"]: (r["state"], r["attempts"], r["error"]) for r in mailing["recipients"]
    }
    return mailing["state"], recipients


def test_each_recipient_gets_an_email_of_their_own(client, sink):
    response = post(client, {"address": ADA, "name": "Ada <x>"}, GRACE)
    assert outcome(client, response) == (
        "done",
        {ADA: ("sent", 1, None), GRACE: ("sent", 1, None)},
    )
    assert sink.recipients == [ADA, GRACE]
    assert sink.connections == 1
    message = sink.received[0][1]
    assert message["Subject"] == "Welcome to Lamps & <Co>"
    assert message["To"] == '"Ada <x>" <ada@example.com>'
    assert message["From"] == "bgcheck reference app <noreply@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert text == (
        "Hello Ada <x>,\n\nWelcome to Lamps & <Co>. Start here:\n\n"
        "    https://example.com/a?b=1\n\nYour bgcheck team\n"
    )
    assert "Hello Ada &lt;x&gt;," in html
    assert "Lamps &amp; &lt;Co&gt;" in html
    assert 'href="https://example.com/a?b=1"' in html


def test_message_id_stays_the_same_over_attempts(client, sink):
    mailing = post(client, ADA).json()["id"]
    assert sink.received[0][1]["Message-ID"].startswith(f"<{mailing}.")


@pytest.mark.parametrize(
    ("content", "subject", "lines"),
    [
        (
            {
                "kind": "receipt",
                "order": "A-1",
                "items": [
                    {"name": "Lamp", "quantity": 2, "unit_price": "39.90"},
                    {"name": "Bulb", "quantity": 3, "unit_price": "0.10"},
                ],
            },
            "Your order A-1",
            ["    2 x Lamp: 79.80 EUR", "    3 x Bulb: 0.30 EUR", "    Total: 80.10 EUR"],
        ),
        (
            {
                "kind": "maintenance",
                "service": "Reports",
                "starts_at": "2030-01-05T23:00:00+01:00",
                "ends_at": "2030-01-06T02:00:00Z",
                "impact": "No reports.",
            },
            "Reports: maintenance on 05 January 2030",
            ["from 05 January 2030 22:00 UTC", "to   06 January 2030 02:00 UTC.", "No reports."],
        ),
    ],
)
def test_kinds(client, sink, content, subject, lines):
    style = {"accent": "#123abc", "signature": "The shop"}
    post(client, ADA, content=content, style=style)
    ((_, message),) = sink.received
    assert message["Subject"] == subject
    text = message.get_body(("plain",)).get_content().splitlines()
    assert set(lines) <= set(text)
    assert text[-1] == "The shop"
    html = message.get_body(("html",)).get_content()
    assert "background:#123abc" in html
    assert "The shop" in html


def test_a_refused_recipient_keeps_nobody_else_from_theirs(client, sink, caplog):
    sink.answers[GRACE] = ["550 no such user"] * 9
    response = post(client, ADA, GRACE, ALAN)
    assert outcome(client, response) == (
        "failed",
        {
            ADA: ("sent", 1, None),
            GRACE: ("refused", 1, "550 no such user"),
            ALAN: ("sent", 1, None),
        },
    )
    mailing = client.get(response.headers["location"]).json()
    assert mailing["error"] == "1 recipients were not reached"
    assert f"Mailing {mailing['id']} did not reach 1 recipients" in caplog.messages
    assert "grace" not in caplog.text


def test_what_is_refused_for_now_is_tried_again_and_nothing_else(client, sink):
    sink.answers[GRACE] = ["451 greylisted"] * 2
    response = post(client, ADA, GRACE, ALAN)
    assert outcome(client, response)[1][GRACE] == ("sent", 3, None)
    assert sink.recipients == [ADA, ALAN, GRACE]


@pytest.mark.parametrize(
    ("answer", "fate", "got"),
    [
        ("554 looks like spam", ("refused", 1, "554 looks like spam"), []),
        ("452 full", ("sent", 2, None), [ADA]),
    ],
)
def test_message_that_is_refused(client, sink, answer, fate, got):
    sink.data_answers = [answer]
    assert outcome(client, post(client, ADA))[1] == {ADA: fate}
    assert sink.recipients == got


def test_a_connection_that_breaks_in_the_middle(client, sink):
    sink.drop_after = 1
    response = post(client, ADA, GRACE, ALAN)
    state, recipients = outcome(client, response)
    assert state == "done"
    assert sink.recipients == [ADA, GRACE, ALAN]
    assert [attempts for _, attempts, _ in recipients.values()] == [1, 2, 2]


def test_delays_between_attempts_grow(client, bgtasks, sink, settings):
    settings.email_retry_delay = 60
    sink.answers[ADA] = ["451 later"] * 2
    with bgtasks.virtual_time() as clock:
        post(client, ADA)
    assert clock.now >= 60 + 120
    assert sink.recipients == [ADA]


class TestServerDown:
    @pytest.fixture
    def port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            return taken.getsockname()[1]  # closed by now: nobody listens there

    def test_failure_is_visible_and_can_be_tried_again(self, client, app, caplog):
        response = post(client, ADA)
        state, recipients = outcome(client, response)
        assert state == "failed"
        assert recipients[ADA][:2] == ("failed", 3)
        assert recipients[ADA][2].startswith("the mail server cannot be used: ")
        with smtp_sink() as sink:
            app.state.settings.smtp_port = sink.port
            again = client.post(response.headers["location"] + "/retry")
            assert again.status_code == 202
            assert again.json()["state"] == "pending"
        assert sink.recipients == [ADA]
        assert outcome(client, response) == ("done", {ADA: ("sent", 4, None)})

    def test_single_email_of_the_reporting_pattern(self, client):
        content = {"subject": "Welcome", "body": "Good to have you with us."}
        email = {"recipients": [ADA], "content": content}
        location = client.post("/send-email/reporting", json=email).headers["location"]
        delivery = client.get(location).json()
        assert (delivery["state"], delivery["attempts"]) == ("failed", 3)
        assert delivery["error"].startswith("UnreachableError: the mail server cannot be used: ")


def test_single_email_with_a_refused_recipient_is_sent_once(client, sink):
    sink.answers[GRACE] = ["550 no such user"] * 9
    content = {"subject": "Welcome", "body": "Good to have you with us."}
    email = {"recipients": [ADA, GRACE], "content": content}
    location = client.post("/send-email/reporting", json=email).headers["location"]
    delivery = client.get(location).json()
    assert delivery["error"] == (
        "PartlyRefusedError: the server refused some of the recipients: "
        "grace@example.com: 550 no such user"
    )
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)
    assert sink.recipients == [ADA]


def test_retry_is_only_for_a_failed_mailing(client, bgtasks, sink):
    location = post(client, ADA).headers["location"]
    answer = client.post(location + "/retry")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Only a failed mailing can be tried again"}
    assert client.post("/mailings/none/retry").status_code == 404
    assert client.get("/mailings/none").json() == {"detail": "No such mailing"}
    assert len(bgtasks) == 1


def test_retry_leaves_out_who_has_the_email(client, sink):
    sink.answers[GRACE] = ["550 no such user"]
    response = post(client, ADA, GRACE)
    client.post(response.headers["location"] + "/retry")
    assert sink.recipients == [ADA, GRACE]
    assert outcome(client, response)[0] == "done"


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("password", [PASSWORD, "wrong-horse"])
def test_login_and_no_secret_in_logs(database_url, caplog, password):
    caplog.set_level("DEBUG")
    with smtp_sink(**LOGIN) as sink:
        settings = Settings(
            database_url=database_url,
            smtp_host="localhost",
            smtp_port=sink.port,
            smtp_security="none",
            smtp_username="app",
            smtp_password=password,
            mail_attempts=1,
        )
        with started_client(create_app(settings)) as client:
            response = post(client, ADA)
            state, recipients = outcome(client, response)
    assert (state == "done") is (password == PASSWORD)
    assert password not in caplog.text + repr(settings) + str(recipients)
    if password != PASSWORD:
        assert recipients[ADA][0] == "failed"
        assert "535" in recipients[ADA][2]


def test_scheduled_task(client, bgtasks, app, database, sink):
    mailing = post(client, ADA).json()["id"]
    assert bgtasks == [
        scheduled(
            send_mailing,
            mailing,
            mailer=app.state.mailer,
            session_factory=database.async_session_factory,
            policy=RetryPolicy(3, 0),
            claims=ClaimPolicy(),
        )
    ]
    assert bgtasks.one().outcome == "succeeded"
    assert database.async_engine.pool.checkedout() == 0


def test_no_connection_is_held_while_sending(client, database, sink, monkeypatch):
    held = []
    monkeypatch.setitem(sink.answers, ADA, Looking(held, database))
    post(client, ADA)
    assert held == [0]


class Looking(list):
    """Answers that look at the pool before they are given."""

    def __init__(self, held, database):
        super().__init__(["451 later"])
        self.held, self.database = held, database

    def pop(self, index=-1):
        self.held.append(self.database.async_engine.pool.checkedout())
        return super().pop(index)


@pytest.mark.parametrize(
    "change",
    [
        {"recipients": []},
        {"recipients": [{"address": "nobody"}]},
        {"recipients": [{"address": ADA}, {"address": ADA.upper()}]},
        {"recipients": [{"address": ADA, "name": "Ada\r\nBcc: eve@example.com"}]},
        {"content": {**WELCOME, "product": "x\nBcc: eve@example.com"}},
        {"content": {**WELCOME, "start_url": "javascript:alert(1)"}},
        {"content": {**WELCOME, "kind": "other"}},
        {"style": {"accent": "red;background:url(//eve)"}},
        {"style": {"signature": "a\x0bb"}},
    ],
)
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, sink, change):
    body = {"recipients": [{"address": ADA}], "content": WELCOME, **change}
    assert client.post("/mailings", json=body).status_code == 422
    assert bgtasks == []


def test_more_recipients_than_the_settings_allow(client, bgtasks, sink, settings):
    settings.mail_max_recipients = 1
    answer = post(client, ADA, GRACE)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "Too many recipients: at most 1"}
    assert bgtasks == []


def test_no_header_can_be_injected_past_the_schema():
    product = Welcome.model_construct(
        kind="welcome", product="x\nBcc: eve@example.com", start_url="https://example.com"
    )
    letter = Letter(address(ADA), "<1@example.com>", product, Style())
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        compose(letter)
    with pytest.raises(ValueError, match="invalid arguments|CR, LF"):
        address(ADA, "Ada\r\nBcc: eve@example.com")


def test_international_domain(client, sink):
    post(client, {"address": "ada@bücher.example", "name": "Ädä"})
    ((recipient, message),) = sink.received
    assert recipient == "ada@xn--bcher-kva.example"
    assert message["To"] == "Ädä <ada@xn--bcher-kva.example>"


def test_template_that_does_not_fit_is_a_visible_failure(client, sink, monkeypatch, caplog):
    template = TEMPLATES.from_string("{% set subject = nothing.there %}")
    monkeypatch.setattr(TEMPLATES, "get_template", lambda _: template)
    response = post(client, ADA)
    mailing = client.get(response.headers["location"]).json()
    assert mailing["state"] == "failed"
    assert mailing["error"] == "UndefinedError: 'nothing' is undefined"
    assert mailing["recipients"][0]["state"] == "pending"
    assert caplog.messages[-1] == f"Mailing {mailing['id']} failed"
    assert sink.received == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"smtp_username": "app"}, "belong together: give both or none"),
        (
            {
                "smtp_host": "mail.example.com",
                "smtp_security": "none",
                "smtp_username": "app",
                "smtp_password": "x",
            },
            "would send the password in the clear; use 'starttls' or 'tls'",
        ),
    ],
)
def test_unsafe_settings(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Settings(**wrong)


def test_states_as_a_client_sees_them(app, bgtasks, sink):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        response = post(client, ADA)
        assert outcome(client, response) == ("pending", {ADA: ("pending", 0, None)})
        assert sink.received == []
        gate.drain()
        assert outcome(client, response)[0] == "done"
