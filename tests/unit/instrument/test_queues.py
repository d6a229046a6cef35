"""What user code sends to Celery, taskiq and Dramatiq, on the test backends of those libraries."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bgcheck import scheduled
from bgcheck.instrument.hub import hub
from bgcheck.recording import record

celery = pytest.importorskip("celery")
dramatiq = pytest.importorskip("dramatiq")
taskiq = pytest.importorskip("taskiq")

from dramatiq.brokers.stub import StubBroker  # noqa: E402
from dramatiq.results import Results  # noqa: E402
from dramatiq.results.backends import StubBackend  # noqa: E402

BOOM = "boom"


def add(a: int, b: int = 2) -> int:
    return a + b


def fail(a: int) -> None:
    raise ValueError(f"{BOOM} {a}")


class CeleryApp:
    """Celery, eager unless a test says otherwise."""

    def __init__(self) -> None:
        self.app = celery.Celery("tests", broker="memory://", set_as_current=False)
        self.app.conf.task_always_eager = True
        self.add = self.app.task(name="add")(add)
        self.fail = self.app.task(name="fail")(fail)

    def send(self, task: Any, *args: Any, **kwargs: Any) -> None:
        task.delay(*args, **kwargs)

    def run(self) -> None:
        """Eager tasks have run."""


class TaskiqApp:
    """taskiq with its broker in memory."""

    def __init__(self) -> None:
        self.broker = taskiq.InMemoryBroker()
        self.add = self.broker.task(task_name="add")(_own_add())
        self.fail = self.broker.task(task_name="fail")(_async_fail())

    def send(self, task: Any, *args: Any, **kwargs: Any) -> None:
        async def kick() -> None:
            await task.kiq(*args, **kwargs)
            await self.broker.wait_all()

        asyncio.run(kick())

    def run(self) -> None:
        """The broker has run them."""


def _own_add() -> Any:
    """Make a function that taskiq may rename."""

    def add(a: int, b: int = 2) -> int:
        return a + b

    return add


def _async_fail() -> Any:
    async def fail(a: int) -> None:
        raise ValueError(f"{BOOM} {a}")

    return fail


class DramatiqApp:
    """Dramatiq with its broker in memory, and a worker when a test wants the tasks to run."""

    def __init__(self) -> None:
        self.broker = StubBroker()
        self.broker.add_middleware(Results(backend=StubBackend()))
        options = {"broker": self.broker, "max_retries": 0, "store_results": True}
        self.add = dramatiq.actor(actor_name="add", **options)(add)
        self.fail = dramatiq.actor(actor_name="fail", **options)(fail)

    def send(self, task: Any, *args: Any, **kwargs: Any) -> None:
        task.send(*args, **kwargs)

    def run(self) -> None:
        worker = dramatiq.Worker(self.broker, worker_timeout=10, worker_threads=1)
        worker.start()
        try:
            self.broker.join("default", fail_fast=False, timeout=20_000)
            worker.join()
        finally:
            worker.stop()


@pytest.fixture(autouse=True)
def no_errors_of_bgcheck() -> Iterator[None]:
    before = len(hub.errors)
    yield
    assert hub.errors[before:] == []


@pytest.fixture(params=[CeleryApp, TaskiqApp, DramatiqApp])
def queue(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_sends_are_scheduled_tasks(queue: Any, bgtasks: Any) -> None:
    queue.send(queue.add, 1)
    queue.send(queue.add, a=3, b=4)
    assert bgtasks == [scheduled(queue.add, 1, 2), scheduled(queue.add, 3, b=4)]
    assert scheduled(queue.add, 3, 4) in bgtasks
    assert scheduled(queue.add, 9) not in bgtasks
    assert not bgtasks.of(queue.fail)
    assert bgtasks.one(queue.add, a=3).params == {"a": 3, "b": 4}
    with pytest.raises(AssertionError, match=r"^add was scheduled twice, with other params"):
        bgtasks.one(queue.add, a=7)


def test_plain_function_and_task_object_are_the_same(bgtasks: Any) -> None:
    queue = CeleryApp()
    queue.send(queue.add, 1)
    assert bgtasks == [scheduled(add, 1)]
    assert bgtasks.one(add).func is add
    assert bgtasks.of(queue.add) == bgtasks.of(add)


def test_outcomes(queue: Any, bgtasks: Any) -> None:
    queue.send(queue.add, 1)
    queue.send(queue.fail, 1)
    queue.run()
    assert [task.outcome for task in bgtasks] == ["succeeded", "failed"]
    error = bgtasks.one(queue.fail).error
    assert isinstance(error, ValueError)
    assert str(error) == "boom 1"
    assert all(task.duration is not None and task.runs == 1 for task in bgtasks)
    with pytest.raises(ValueError, match="boom 1"):
        bgtasks.raise_errors()


def test_site_is_the_line_that_sends(bgtasks: Any) -> None:
    queue = DramatiqApp()
    queue.add.send(1)
    line = sys._getframe().f_lineno - 1
    site = bgtasks.one().site
    assert (site.file, site.line, site.function) == (
        __file__,
        line,
        "test_site_is_the_line_that_sends",
    )


@pytest.mark.parametrize("kind", [CeleryApp, DramatiqApp])
def test_pending_until_a_worker_runs_it(kind: Any, bgtasks: Any) -> None:
    queue = kind()
    if kind is CeleryApp:
        queue.app.conf.task_always_eager = False
    queue.send(queue.add, 1)
    assert bgtasks.one(queue.add).outcome == "pending"
    assert bgtasks.one(queue.add).thread is None


def test_request_that_sends(queue: Any, bgtasks: Any) -> None:
    async def endpoint(request: Request) -> Response:
        if isinstance(queue, TaskiqApp):
            await queue.add.kiq(1)
        else:
            queue.send(queue.add, 1)
        return Response("ok")

    app = Starlette(routes=[Route("/add", endpoint, methods=["POST"])])
    with bgtasks.client(app) as client:
        assert client.post("/add").text == "ok"
    task = bgtasks.one(queue.add)
    assert str(task.request) == "POST /add, 1st request"
    assert task.site.function.endswith(("endpoint", "send"))
    assert bgtasks.of(path="/add") == [scheduled(queue.add, 1)]
    assert task not in bgtasks.requests[0].tasks


def test_what_cannot_be_sent_is_lost(queue: Any, bgtasks: Any) -> None:
    with pytest.raises(Exception, match=r".+") as raised:
        queue.send(queue.add, object())
    task = bgtasks.one()
    assert (task.outcome, task.runs) == ("lost", 0)
    assert task.reason == f"it could not be sent: {raised.type.__name__}: {raised.value}"


def test_celery_ways_to_send(bgtasks: Any) -> None:
    queue = CeleryApp()
    queue.app.conf.task_always_eager = False
    queue.add.apply_async((1,), {"b": 5}, countdown=60)
    queue.add.s(2).delay()
    queue.app.send_task("add", (3,))
    queue.app.send_task("add", kwargs={"a": 4})
    queue.app.send_task("task.of.another.service", (5,))
    (queue.add.s(6) | queue.add.s(7)).delay()
    assert bgtasks == [
        scheduled(add, 1, 5),
        scheduled(add, 2),
        scheduled(add, 3),
        scheduled(add, 4),
        scheduled(add, 6),
    ]


def test_celery_bound_task_that_retries(bgtasks: Any) -> None:
    queue = CeleryApp()
    runs = []

    @queue.app.task(bind=True, max_retries=3)
    def flaky(self: Any, a: int) -> None:
        runs.append(a)
        if len(runs) < 3:
            raise self.retry(countdown=0)

    flaky.delay(1)
    assert runs == [1, 1, 1]
    assert bgtasks == [scheduled(flaky, 1)]
    assert (bgtasks.one().outcome, bgtasks.one().runs) == ("succeeded", 3)


def test_celery_eager_task_that_propagates(bgtasks: Any) -> None:
    queue = CeleryApp()
    queue.app.conf.task_eager_propagates = True
    with pytest.raises(ValueError, match="boom 1"):
        queue.fail.delay(1)
    assert bgtasks.one().outcome == "failed"
    assert str(bgtasks.one().error) == "boom 1"


def test_task_that_sends_another_is_its_parent(bgtasks: Any) -> None:
    queue = CeleryApp()

    @queue.app.task
    def outer() -> None:
        queue.add.delay(1)

    outer.delay()
    queue.add.delay(2)
    assert bgtasks.one(add, a=1).parent is bgtasks.one(outer)
    assert bgtasks.one(add, a=2).parent is None


def test_shared_task(bgtasks: Any) -> None:
    app = celery.Celery("shared", broker="memory://")
    app.conf.task_always_eager = True

    @celery.shared_task(name="shared")
    def shared(a: int) -> int:
        return a

    shared.delay(1)
    assert bgtasks == [scheduled(shared, 1)]


def test_wrong_arguments_are_no_call() -> None:
    queue = CeleryApp()
    with record(), pytest.raises(TypeError, match=r"scheduled\(.*add, \.\.\.\) is no call"):
        scheduled(queue.add, 1, 2, 3)


def test_dramatiq_pipeline_and_retry(bgtasks: Any) -> None:
    queue = DramatiqApp()
    runs = []

    @dramatiq.actor(broker=queue.broker, max_retries=1, min_backoff=1, max_backoff=1)
    def flaky(a: int) -> None:
        runs.append(a)
        if len(runs) == 1:
            raise ValueError(BOOM)

    flaky.send(1)
    messages = [queue.add.message(1), queue.add.message(2)]
    dramatiq.pipeline(messages, broker=queue.broker).run()
    queue.run()
    assert bgtasks.one(flaky).outcome == "succeeded"
    assert bgtasks.one(flaky).runs == 2
    assert [task.params["a"] for task in bgtasks.of(queue.add)] == [1, 2]


def test_nothing_is_kept_or_changed_without_a_recording() -> None:
    queue = CeleryApp()
    assert queue.add.delay(1).get() == 3
    with record() as bgtasks:
        assert queue.add.delay(1).get() == 3
    assert queue.add.delay(5).get() == 7
    assert len(bgtasks) == 1


def test_only_recordings_are_told(bgtasks: Any) -> None:
    class Watching:
        keeps_live = False
        heard: list[Any] = []  # noqa: RUF012

        def __call__(self, event: Any) -> None:
            self.heard.append(event)

    queue = CeleryApp()
    with hub.connected(Watching()):
        queue.send(queue.add, 1)
    assert Watching.heard == []
    assert len(bgtasks) == 1


PUT_BACK = """
import celery.app.task, celery.app.base, dramatiq, taskiq.kicker, taskiq.receiver.receiver
from celery import signals
from bgcheck import record
from bgcheck.recorder import binding

def state():
    return (
        celery.app.task.Task.__dict__["apply_async"], celery.app.task.Task.__dict__["apply"],
        celery.canvas.group.__dict__["apply_async"], celery.app.base.Celery.__dict__["send_task"],
        dramatiq.Broker.__dict__["emit_before"], dramatiq.Broker.__dict__["emit_after"],
        taskiq.kicker.AsyncKicker.__dict__["kiq"],
        taskiq.receiver.receiver.Receiver.__dict__["run_task"],
        *(list(s.receivers or ()) for s in (signals.task_prerun, signals.task_postrun)),
        list(binding.queue_tasks),
    )

before = state()
with record():
    assert state() != before
    assert len(binding.queue_tasks) == 4
assert state() == before, state()
"""


def test_everything_is_put_back() -> None:
    done = subprocess.run([sys.executable, "-c", PUT_BACK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
