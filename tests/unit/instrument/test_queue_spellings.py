"""Every way that the queue libraries have to send one call, asserted with the same words."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from bgcheck import scheduled

celery = pytest.importorskip("celery")
dramatiq = pytest.importorskip("dramatiq")
taskiq = pytest.importorskip("taskiq")

from celery import canvas  # noqa: E402
from dramatiq.brokers.stub import StubBroker  # noqa: E402

LATER = datetime(2100, 1, 1, tzinfo=timezone.utc)


def add(a: int, b: int = 2) -> int:
    return a + b


def total(numbers: list[int], extra: int = 0) -> int:
    return sum(numbers) + extra


class Celery:
    """Two tasks on a broker in memory."""

    def __init__(self, *, eager: bool) -> None:
        self.app = celery.Celery(
            "spellings", broker="memory://", backend="cache+memory://", set_as_current=False
        )
        self.app.conf.task_always_eager = eager
        self.add = self.app.task(name="spellings.add", shared=False)(add)
        self.total = self.app.task(name="spellings.total", shared=False)(total)


ONE_CALL: dict[str, Callable[[Celery], object]] = {
    "delay": lambda queue: queue.add.delay(1, b=3),
    "apply_async": lambda queue: queue.add.apply_async((1,), {"b": 3}),
    "names": lambda queue: queue.add.apply_async(args=[1], kwargs={"b": 3}, countdown=5),
    "options": lambda queue: queue.add.apply_async((1, 3), eta=LATER, queue="q", priority=3),
    "signature": lambda queue: queue.add.s(1, b=3).apply_async(countdown=5),
    "immutable": lambda queue: queue.add.si(1, b=3).delay(),
    "completed": lambda queue: queue.add.s(b=3).apply_async((1,)),
    "replaced": lambda queue: queue.add.s(1, b=9).delay(b=3),
    "cloned": lambda queue: queue.add.s().clone(args=(1,), kwargs={"b": 3}).delay(),
    "set": lambda queue: queue.add.s(1, 3).set(queue="q").delay(),
    "by name": lambda queue: queue.app.signature("spellings.add", (1,), {"b": 3}).delay(),
    "from data": lambda queue: canvas.Signature.from_dict(
        dict(queue.add.s(1, b=3)), app=queue.app
    ).delay(),
}


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("spelling", ONE_CALL)
def test_celery_spellings_of_one_call(bgtasks: Any, spelling: str, eager: bool) -> None:
    queue = Celery(eager=eager)
    ONE_CALL[spelling](queue)
    assert bgtasks == [scheduled(queue.add, 1, b=3)]
    assert bgtasks == [scheduled(add, 1, 3)]
    assert bgtasks.expect(add, a=1, times=1)
    assert bgtasks.one(add).params == {"a": 1, "b": 3}
    assert bgtasks.one().outcome == ("succeeded" if eager else "pending")


Canvas = Callable[[Celery], Any]

CANVASES: dict[str, tuple[Canvas, list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    # what is made; what is sent by it; what runs besides where tasks are eager
    "chain": (lambda q: q.add.s(1) | q.add.s(10), [(add, 1)], [(add, 3, 10)]),
    "group": (lambda q: celery.group(q.add.s(1), q.add.s(5, b=6)), [(add, 1), (add, 5, 6)], []),
    "chord": (
        lambda q: celery.chord([q.add.s(1), q.add.s(4)], q.total.s(extra=1)),
        [(add, 1), (add, 4)],
        [(total, [3, 6], 1)],
    ),
    "nested": (
        lambda q: q.add.s(1) | celery.group(q.add.s(10), q.add.s(20)),
        [(add, 1)],
        [(add, 3, 10), (add, 3, 20)],
    ),
}


@pytest.mark.parametrize("call", ["delay", "apply_async", "__call__"])
@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("kind", CANVASES)
def test_celery_canvases(bgtasks: Any, kind: str, eager: bool, call: str) -> None:
    make, sent, later = CANVASES[kind]
    getattr(make(Celery(eager=eager)), call)()
    calls = sent + later if eager else sent
    assert bgtasks == [scheduled(*call) for call in calls]
    assert {task.outcome for task in bgtasks} == {"succeeded" if eager else "pending"}


@pytest.mark.parametrize("eager", [True, False])
def test_celery_chunks_are_tasks_of_celery_itself(bgtasks: Any, eager: bool) -> None:
    Celery(eager=eager).add.chunks([(1, 2), (3, 4)], 1).apply_async()
    assert [task.params["it"] for task in bgtasks] == [[(1, 2)], [(3, 4)]]


def test_celery_calls_in_place_are_not_sent(bgtasks: Any) -> None:
    queue = Celery(eager=True)

    @queue.app.task(name="spellings.outer", shared=False)
    def outer() -> Any:
        return queue.add.apply((7,)).get()

    assert queue.add(1) == queue.add.apply((1,)).get() == queue.add.s(1)() == 3
    assert not bgtasks
    celery.group(outer.s(), app=queue.app).delay()
    assert bgtasks == [scheduled(outer)]


def test_an_id_that_is_used_again_is_another_task(bgtasks: Any) -> None:
    queue = Celery(eager=True)
    queue.add.apply_async((1,), task_id="same")
    queue.add.apply_async((1,), task_id="same")
    assert bgtasks == [scheduled(add, 1), scheduled(add, 1)]
    assert [(task.outcome, task.runs) for task in bgtasks] == [("succeeded", 1)] * 2


Taskiq = Callable[[Any, Any], Any]

KICKS: dict[str, Taskiq] = {
    "kiq": lambda _, task: task.kiq(1, b=3),
    "kicker": lambda _, task: task.kicker().kiq(1, 3),
    "labels": lambda _, task: task.kicker().with_labels(delay=3).kiq(1, b=3),
    "id": lambda _, task: task.kicker().with_task_id("mine").kiq(1, b=3),
    "broker": lambda broker, task: task.kicker().with_broker(broker).kiq(a=1, b=3),
    "by name": lambda broker, _: broker.find_task("add").kiq(1, b=3),
}


@pytest.mark.parametrize("spelling", KICKS)
def test_taskiq_spellings_of_one_call(bgtasks: Any, spelling: str) -> None:
    async def send() -> Any:
        broker = taskiq.InMemoryBroker()

        @broker.task(task_name="add")
        async def task(a: int, b: int = 2) -> int:
            return a + b

        await broker.startup()
        await KICKS[spelling](broker, task)
        await broker.wait_all()
        await broker.shutdown()
        return task

    task = asyncio.run(send())
    assert bgtasks == [scheduled(task, 1, b=3)]
    assert bgtasks == [scheduled(task.original_func, 1, 3)]
    assert bgtasks.one(task, a=1).params == {"a": 1, "b": 3}
    assert bgtasks.one().outcome == "succeeded"


Dramatiq = Callable[[Any, Any], object]

SENDS: dict[str, Dramatiq] = {
    "send": lambda _, actor: actor.send(1, b=3),
    "options": lambda _, actor: actor.send_with_options(args=(1,), kwargs={"b": 3}),
    "delay": lambda _, actor: actor.send_with_options(args=(1, 3), delay=1),
    "message": lambda broker, actor: broker.enqueue(actor.message(1, b=3)),
    "message options": lambda broker, actor: broker.enqueue(
        actor.message_with_options(kwargs={"a": 1, "b": 3}, max_retries=0), delay=1
    ),
    "group": lambda broker, actor: dramatiq.group([actor.message(1, b=3)], broker=broker).run(),
    "pipeline": lambda broker, actor: dramatiq.pipeline([actor.message(1, b=3)], broker=broker).run(
        delay=1
    ),
}


@pytest.mark.parametrize("spelling", SENDS)
def test_dramatiq_spellings_of_one_call(bgtasks: Any, spelling: str) -> None:
    broker = StubBroker()
    actor = dramatiq.actor(broker=broker)(add)
    SENDS[spelling](broker, actor)
    _work(broker, "default")
    assert bgtasks == [scheduled(actor, 1, b=3)]
    assert bgtasks.one(add, a=1).params == {"a": 1, "b": 3}
    assert (bgtasks.one().outcome, bgtasks.one().runs) == ("succeeded", 1)


def test_dramatiq_actor_that_is_a_class(bgtasks: Any) -> None:
    broker = StubBroker()

    class Adding(dramatiq.GenericActor):
        class Meta:
            pass

        Meta.broker = broker

        def perform(self, a: int, b: int = 2) -> int:
            return a + b

    Adding.send(1, b=3)
    _work(broker, "default")
    assert bgtasks == [scheduled(Adding, 1, 3)]
    assert bgtasks.one(Adding.perform).params == {"a": 1, "b": 3}
    assert bgtasks.one().outcome == "succeeded"


def _work(broker: Any, queue: str) -> None:
    worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
    worker.start()
    try:
        broker.join(queue, timeout=20_000)
        worker.join()
    finally:
        worker.stop()
        broker.close()
