"""Work whose process ends in the middle: who may take it up, when, and how often."""

import threading
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import anyio
import pytest
from reference_lab import LIMIT, started_client

from bgcheck_reference import claims, recovery
from bgcheck_reference.claims import (
    Claim,
    ClaimPolicy,
    apply,
    give_up,
    perform,
    perform_async,
    take_up,
)
from bgcheck_reference.mailer import MailError
from bgcheck_reference.main import create_app
from bgcheck_reference.models import Export, Mailing, MailingRecipient, Run
from bgcheck_reference.settings import Settings
from bgcheck_reference.tasks import runs

POLICY = ClaimPolicy(seconds=60, attempts=3)
WELCOME = {"kind": "welcome", "product": "x", "start_url": "https://example.com"}
MAILING = {
    "recipients": [{"address": "ada@example.com"}, {"address": "grace@example.com"}],
    "content": WELCOME,
}


def ago(seconds):
    return datetime.now(timezone.utc) - timedelta(seconds=seconds)


@pytest.fixture
def sessions(database):
    database.create_tables(demo_users=3)
    yield database.session_factory
    database.engine.dispose()


def stored(sessions, **values):
    """Store a run as a process has left it."""
    with sessions.begin() as db:
        run = Run(name="Lamp", steps_total=10, **values)
        db.add(run)
        db.flush()
        return run.id


def read(sessions, row_id, model=Run):
    with sessions() as db:
        return db.get_one(model, row_id)


class TestClaim:
    """The changes of one row."""

    def test_one_of_two_takes_it(self, sessions):
        run_id = stored(sessions)
        first, second = Claim(Run, run_id, POLICY), Claim(Run, run_id, POLICY)
        assert apply(sessions, first.take())
        assert not apply(sessions, second.take())
        assert not apply(sessions, second.end())
        assert apply(sessions, first.end(steps_done=10))
        run = read(sessions, run_id)
        assert (run.state, run.steps_done, run.attempts, run.claim) == ("done", 10, 1, None)

    @pytest.mark.parametrize(
        ("state", "seconds", "attempts", "free"),
        [
            ("pending", 0, 0, True),
            ("running", 1, 0, True),
            ("running", -300, 0, False),
            ("running", 1, 3, False),
            ("done", 1, 0, False),
            ("failed", 1, 0, False),
        ],
    )
    def test_what_can_be_taken(self, sessions, state, seconds, attempts, free):
        row = {"state": state, "due_at": ago(seconds), "attempts": attempts}
        claim = Claim(Run, stored(sessions, **row), POLICY)
        assert apply(sessions, claim.take()) is free

    def test_who_notes_something_keeps_it_for_longer(self, sessions):
        claim = Claim(Run, stored(sessions), ClaimPolicy(seconds=60))
        apply(sessions, claim.take())
        due = read(sessions, claim.row_id).due_at
        assert apply(sessions, claim.keep(pause=1000, steps_done=4))
        run = read(sessions, claim.row_id)
        assert run.steps_done == 4
        assert run.due_at >= due + timedelta(seconds=1000)

    def test_who_is_late_stores_nothing(self, sessions):
        late = Claim(Run, stored(sessions), ClaimPolicy(seconds=0))
        assert apply(sessions, late.take())
        assert apply(sessions, Claim(Run, late.row_id, POLICY).take())
        changes = late.keep(steps_done=9), late.end(), late.fail(OSError()), late.give_back()
        assert not any(apply(sessions, change) for change in changes)
        assert read(sessions, late.row_id).steps_done == 0

    def test_given_back_it_counts_as_not_begun(self, sessions):
        claim = Claim(Run, stored(sessions), POLICY)
        apply(sessions, claim.take())
        apply(sessions, claim.give_back())
        run = read(sessions, claim.row_id)
        assert (run.state, run.attempts, run.claim) == ("pending", 0, None)


class Beats:
    """Stands in for the event that ends the keeping of a claim: so many waits, then the end."""

    def __init__(self, beats):
        self.beats, self.enough = iter(beats), threading.Event()

    def wait(self, seconds):
        assert seconds == 20
        beat = next(self.beats, None)
        if beat is None:
            self.enough.set()
            return True
        beat()
        return False

    def set(self):
        """It ends by itself."""


def test_long_work_keeps_its_row(sessions, monkeypatch, caplog):
    claim = Claim(Run, stored(sessions), POLICY)
    real = sessions.begin

    def fail():
        raise OSError("no database")

    def outage():
        monkeypatch.setattr(sessions, "begin", fail)

    def end_of_outage():
        monkeypatch.setattr(sessions, "begin", real)
        with sessions.begin() as db:
            db.get_one(Run, claim.row_id).due_at = ago(1000)

    beats = Beats([outage, end_of_outage])
    monkeypatch.setattr(
        claims, "threading", SimpleNamespace(Event=lambda: beats, Thread=threading.Thread)
    )

    def work(note):
        assert beats.enough.wait(LIMIT)
        assert read(sessions, claim.row_id).due_at > ago(-50)
        return {}

    perform(claim, sessions, work)
    assert read(sessions, claim.row_id).state == "done"
    assert f"Could not keep Run {claim.row_id}" in caplog.messages


@pytest.mark.parametrize(
    ("state", "seconds", "taken_up"),
    [
        ("pending", 310, True),
        ("pending", 290, False),
        ("running", 1, True),
        ("running", -300, False),
        ("failed", 1000, False),
        ("done", 1000, False),
    ],
)
def test_what_is_taken_up(sessions, state, seconds, taken_up):
    run_id = stored(sessions, state=state, due_at=ago(seconds))
    with sessions.begin() as db:
        assert db.scalars(take_up(Run, 300)).all() == [run_id] * taken_up
        assert db.scalars(take_up(Run, 300)).all() == []
    if taken_up:
        assert read(sessions, run_id).state == "pending"


def test_what_never_ends_fails_in_the_end(sessions):
    run_id = stored(sessions, state="running", claim="x", due_at=ago(1), attempts=3)
    with sessions.begin() as db:
        assert db.scalars(give_up(Run, POLICY)).all() == [run_id]
    run = read(sessions, run_id)
    assert (run.state, run.claim) == ("failed", None)
    assert run.error == "Begun 3 times; who began it last has ended, or took too long"


def test_an_app_that_starts_goes_on_where_another_was(app, sessions, monkeypatch, caplog):
    caplog.set_level("INFO")
    steps = []
    monkeypatch.setattr(runs, "do_step", steps.append)
    run_id = stored(sessions, state="running", claim="x", due_at=ago(1), steps_done=7)
    spent = stored(sessions, state="running", claim="x", due_at=ago(1), attempts=5)
    with started_client(app) as client:
        while client.get(f"/runs/{run_id}").json()["state"] != "done":
            pass
        assert client.get(f"/runs/{spent}").json()["state"] == "failed"
    assert len(steps) == 3
    assert f"Taking up Run {run_id}" in caplog.messages
    assert f"Run {spent} was begun too often" in caplog.messages


@pytest.mark.parametrize("model", recovery.TASKS, ids=lambda model: model.label)
def test_a_failing_look_keeps_nothing_else_from_being_taken_up(
    app, sessions, monkeypatch, caplog, model
):
    real = recovery.take_up

    def fail(which, grace):
        if which is model:
            raise OSError("no look")
        return real(which, grace)

    monkeypatch.setattr(recovery, "take_up", fail)
    with started_client(app) as client:
        assert client.get("/jobs").status_code == 200
    assert f"Could not take up unfinished work: {model.label}" in caplog.messages


def test_with_a_queue_it_is_sent_again_and_not_run_here(sessions, settings, bgtasks):
    pytest.importorskip("dramatiq")
    with sessions.begin() as db:
        db.add(export := Export(**EXPORT_ROW, state="running", claim="x", due_at=ago(1)))
        db.add(Export(**EXPORT_ROW, due_at=ago(600)))
    queued = settings.model_copy(update={"task_queue": "dramatiq", "queue_url": MEMORY})
    with started_client(create_app(queued)):
        assert bgtasks.one(recovery.make_export).params["export_id"] == export.id
        assert bgtasks.one().outcome == "pending"
    assert read(sessions, export.id, Export).state == "pending"


EXPORT_ROW = {
    "title": "March",
    "format": "csv",
    "since": ago(0).date(),
    "until": ago(0).date(),
    "sections": ["summary"],
}
MEMORY = Settings(queue_url="memory://").queue_url


def test_what_is_cancelled_is_given_back(sessions, database):
    claim = Claim(Run, stored(sessions), POLICY)

    async def cancelled():
        async with anyio.create_task_group() as group:

            async def work():
                group.cancel_scope.cancel()
                await anyio.sleep_forever()

            await perform_async(claim, database.async_session_factory, work)
        await database.async_engine.dispose()

    anyio.run(cancelled)
    run = read(sessions, claim.row_id)
    assert (run.state, run.attempts, run.error) == ("pending", 0, None)


def test_a_mailing_that_another_has_taken_over_writes_to_nobody_else(app, client, sessions):
    class Slow(type(app.state.mailer)):
        """Sends the first e-mail, and meanwhile another process takes the mailing over."""

        async def send(self, message):
            await super().send(message)
            with sessions.begin() as db:
                db.query(Mailing).update({"claim": "of another"})

    app.state.mailer = Slow()
    location = client.post("/mailings", json=MAILING).headers["location"]
    mailing = client.get(location).json()
    assert [message["To"] for message in app.state.mailer.outbox] == ["ada@example.com"]
    assert [r["state"] for r in mailing["recipients"]] == ["sent", "pending"]
    assert mailing["state"] == "running"  # so it is for the other


def test_what_another_has_noted_is_not_overwritten(app, client, sessions):
    class Late(type(app.state.mailer)):
        """Fails, after another process has taken the mailing over and sent the e-mail."""

        async def send(self, message):
            with sessions.begin() as db:
                db.query(Mailing).update({"claim": "of another"})
                db.query(MailingRecipient).update({"state": "sent"})
            raise MailError("421 later")

    app.state.mailer = Late()
    location = client.post("/mailings", json=MAILING).headers["location"]
    recipients = client.get(location).json()["recipients"]
    assert [(r["state"], r["error"]) for r in recipients] == [("sent", None)] * 2


def test_pending_recipients_only(sessions, app):
    with sessions.begin() as db:
        db.add(
            Mailing(
                kind="welcome",
                content=WELCOME,
                style={},
                state="running",
                claim="x",
                due_at=ago(1),
                recipients=[
                    MailingRecipient(address="ada@example.com", state="sent"),
                    MailingRecipient(address="grace@example.com"),
                ],
            )
        )
    with started_client(app) as client:
        mailing_id = read_only(sessions, Mailing).id
        while client.get(f"/mailings/{mailing_id}").json()["state"] != "done":
            pass
    assert [message["To"] for message in app.state.mailer.outbox] == ["grace@example.com"]


def read_only(sessions, model):
    with sessions() as db:
        return db.query(model).one()
