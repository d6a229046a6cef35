"""The same task functions in this process and on three queues, asserted in the same way."""

import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from PIL import Image
from pydantic import ValidationError
from reference_lab import LIMIT, started_client

from bgcheck import scheduled
from bgcheck_reference.exports.store import ExportStore
from bgcheck_reference.mailer import Mailer
from bgcheck_reference.main import create_app
from bgcheck_reference.queues.known import TASKS
from bgcheck_reference.queues.resources import make_resources, resources_of
from bgcheck_reference.settings import Settings
from bgcheck_reference.tasks.exports import make_export
from bgcheck_reference.tasks.images import make_image
from bgcheck_reference.tasks.items import process_item
from bgcheck_reference.tasks.jobs import run_job
from bgcheck_reference.tasks.mailings import send_mailing
from bgcheck_reference.tasks.runs import work_in_steps

QUEUES = ["background", "celery", "taskiq", "dramatiq"]
EXPORT = {"title": "March", "format": "csv", "since": "2026-03-01", "until": "2026-03-31"}
MAILING = {
    "recipients": [{"address": "ada@example.com"}],
    "content": {"kind": "welcome", "product": "x", "start_url": "https://example.com"},
}


@pytest.fixture(params=QUEUES)
def kind(request):
    if request.param != "background":
        pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def settings(database_url, tmp_path, kind):
    return Settings(
        database_url=database_url,
        email_retry_delay=0,
        export_directory=tmp_path / "exports",
        image_directory=tmp_path / "images",
        seconds_per_importance=0,
        task_queue=kind,
        queue_url="memory://",
    )


@pytest.fixture
def queue(app):
    return app.state.queue


def given(app, task):
    """Return the resources that a task gets, by name."""
    if app.state.queue is not None:
        return resources_of(task, app.state.queue.resources)
    state = app.state
    factories = state.database.session_factory, state.database.async_session_factory
    return resources_of(
        task, make_resources(state.settings, state.mailer, state.image_stores, *factories)
    )


def let_run(queue, kind, client):
    """Have what was sent run to its end, where it does not do so by itself."""
    if kind == "taskiq":
        client.portal.call(queue.broker.wait_all)
    elif kind == "dramatiq":
        import dramatiq

        worker = dramatiq.Worker(queue.broker, worker_timeout=10, worker_threads=1)
        worker.start()
        try:
            queue.broker.join("default", timeout=int(LIMIT * 1000))
            worker.join()
        finally:
            worker.stop()


def test_export(app, client, bgtasks, queue, kind, database):
    response = client.post("/exports", json=EXPORT)
    let_run(queue, kind, client)
    assert bgtasks == [scheduled(make_export, response.json()["id"], **given(app, make_export))]
    assert (bgtasks.one(make_export).outcome, bgtasks.one().thread) == ("succeeded", "worker")
    assert str(bgtasks.one().request) == "POST /exports, 1st request"
    assert client.get(response.headers["location"]).json()["state"] == "done"
    assert client.get(response.headers["location"] + "/file").status_code == 200
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0


def test_mailing(app, client, bgtasks, queue, kind):
    response = client.post("/mailings", json=MAILING)
    let_run(queue, kind, client)
    mailing_id = response.json()["id"]
    assert scheduled(send_mailing, mailing_id, **given(app, send_mailing)) in bgtasks
    assert bgtasks.expect(send_mailing, mailing_id=mailing_id)[0].outcome == "succeeded"
    mailer = app.state.mailer if queue is None else queue.resources[Mailer]
    assert [message["To"] for message in mailer.outbox] == ["ada@example.com"]
    assert client.get(response.headers["location"]).json()["state"] == "done"


def ask_for_everything(client):
    """Ask for the work of each exercise; return the tasks with the answers to wait for."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    email = {"recipients": ["ada@example.com"], "content": {"subject": "x", "body": "y"}}
    return [
        (send_mailing, client.post("/mailings", json=MAILING)),
        (make_export, client.post("/exports", json=EXPORT)),
        (make_image, client.post("/images", files={"file": ("x.png", picture.getvalue())})),
        (run_job, client.post("/jobs/email", json=email)),
        (run_job, client.post("/jobs/broadcast", json={"message": "x", "user_ids": [1]})),
        (work_in_steps, client.post("/runs", json={"name": "Lamp"})),
    ]


def test_the_tasks_of_all_exercises(app, client, bgtasks, queue, kind):
    asked = ask_for_everything(client)
    let_run(queue, kind, client)
    calls = [scheduled(task, answer.json()["id"], **given(app, task)) for task, answer in asked]
    assert bgtasks == calls
    assert {task.outcome for task in bgtasks} == {"succeeded"}
    for _, answer in asked:
        row = client.get(answer.headers["location"]).json()
        assert (row["state"], row["error"]) == ("done", None)


def test_a_task_that_is_delivered_twice_has_one_effect(app, client, queue, kind):
    response = client.post("/mailings", json=MAILING)
    let_run(queue, kind, client)
    again = {**given(app, send_mailing)}
    asyncio.run(send_mailing(response.json()["id"], **again))
    assert len(again["mailer"].outbox) == 1


def test_failure_is_stored_whatever_the_queue(client, bgtasks, queue, kind, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(ExportStore, "save", fail)
    location = client.post("/exports", json=EXPORT).headers["location"]
    let_run(queue, kind, client)
    assert client.get(location).json()["error"] == "OSError: disk full"
    assert bgtasks.one(make_export).outcome == "succeeded"


def test_every_known_task_can_be_sent(client, bgtasks, queue, kind):
    if queue is None:
        pytest.skip("the background tasks need a response")
    client.portal.call(queue.add, process_item, 42, "create")
    let_run(queue, kind, client)
    assert bgtasks == [scheduled(process_item, 42, action="create")]
    assert bgtasks.one().outcome == "succeeded"


def test_what_cannot_travel_is_refused_by_the_queue(client, bgtasks, queue, kind):
    if queue is None:
        pytest.skip("background tasks share their arguments and copy nothing")
    with pytest.raises(Exception, match=r"."):
        client.portal.call(queue.add, process_item, object(), "create")


def test_the_library_is_imported_only_when_chosen(tmp_path):
    code = (
        "import sys; from bgcheck_reference.main import create_app; "
        "print({'celery', 'taskiq', 'dramatiq'} & {m.partition('.')[0] for m in sys.modules})"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BGCHECK_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    "secret",
    [
        {"queue_url": "redis://:s3cret@db/0"},
        {"database_url": "postgresql://app:s3cret@db/app"},
        {"smtp_username": "app", "smtp_password": "s3cret"},
        {"s3_access_key_id": "app", "s3_secret_access_key": "s3cret"},
    ],
)
def test_no_secret_is_shown(secret):
    assert "s3cret" not in repr(Settings(**secret))
    with pytest.raises(ValidationError) as refused:
        Settings(**secret, smtp_port=0, job_attempts="s3cret")
    assert "s3cret" not in str(refused.value)


COMMANDS = {
    "celery": ["celery", "-A", "bgcheck_reference.queues.celery_worker", "worker",
               "-l", "info", "-P", "solo", "--without-gossip", "--without-mingle"],
    "taskiq": ["taskiq", "worker", "bgcheck_reference.queues.taskiq_worker:broker",
               "--workers", "1"],
    "dramatiq": ["dramatiq", "bgcheck_reference.queues.dramatiq_worker:broker",
                 "--processes", "1", "--threads", "1"],
}  # fmt: skip


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """A Redis of the module's own."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server on the PATH: Debian's package redis-server has it")
    pytest.importorskip("redis")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [server, "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if "Ready to accept connections" in line:
                break
        yield f"redis://127.0.0.1:{port}/0"
        process.terminate()


@pytest.mark.parametrize("kind", QUEUES[1:], indirect=True)
def test_a_worker_of_another_process(kind, redis_url, settings, bgtasks, tmp_path):
    """The app sends, and a real worker runs the tasks, over a real Redis."""
    if kind == "taskiq":
        pytest.importorskip("taskiq_redis")
    settings = settings.model_copy(update={"queue_url": type(settings.queue_url)(redis_url)})
    app = create_app(settings)
    environment = {
        **os.environ,
        "BGCHECK_DATABASE_URL": settings.database_url,
        "BGCHECK_QUEUE_URL": redis_url,
        "BGCHECK_EXPORT_DIRECTORY": str(settings.export_directory),
        "BGCHECK_IMAGE_DIRECTORY": str(settings.image_directory),
        "BGCHECK_SECONDS_PER_IMPORTANCE": "0",
    }
    with started_client(app) as client:
        asked = ask_for_everything(client)
        calls = [scheduled(task, answer.json()["id"], **given(app, task)) for task, answer in asked]
        assert bgtasks == calls
        locations = [answer.headers["location"] for _, answer in asked]
        assert {client.get(location).json()["state"] for location in locations} == {"pending"}
        with working(COMMANDS[kind], environment, tmp_path / "log.txt") as is_working:
            for location in locations:
                while (row := client.get(location).json())["state"] in {"pending", "running"}:
                    assert is_working(), (tmp_path / "log.txt").read_text()
                assert (row["state"], row["error"]) == ("done", None)
        assert client.get(locations[1] + "/file").status_code == 200
        assert client.get(locations[2] + "/content").status_code == 200
        assert {task.outcome for task in bgtasks} == {"pending"}  # they ran where no test can see


@contextmanager
def working(command, environment, log):
    """Run a worker until the end of the block; yield what tells whether it still runs."""
    with (
        log.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as worker,
    ):
        late = threading.Timer(3 * LIMIT, os.killpg, (worker.pid, signal.SIGKILL))
        late.start()
        try:
            yield lambda: worker.poll() is None
        finally:
            late.cancel()
            worker.terminate()


def test_known_tasks_have_names_of_their_own():
    names = [task.__name__ for task in TASKS]
    assert len(set(names)) == len(names)
