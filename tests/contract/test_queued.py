"""The contract where the tasks of an endpoint go to a queue: what changes, and what is verified."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
import dramatiq
import pytest
import taskiq
from contract_lab import Planted
from dramatiq.brokers.stub import StubBroker
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from bgcheck_suites.endpoint.verify import VERIFICATIONS, contract_rows, verify
from bgcheck_suites.judge import Verdict

logger = logging.getLogger("planted")
done: dict[Any, int] = {}


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


def repeatable(number: Any) -> None:
    logger.info("order %s", number)
    done[number] = 1


def twice(number: Any) -> None:
    logger.info("order %s", number)
    done[number] = done.get(number, 0) + 1


def once_only(number: Any) -> None:
    if number in done:
        raise ValueError(f"{number} is done")
    done[number] = 1


def silent(number: Any) -> None:
    with contextlib.suppress(Exception):
        logger.info("order %s", number)


def in_celery(task: Callable[..., Any], *, eager: bool = False) -> Callable[..., Any]:
    queue = celery.Celery("shop", broker="memory://")
    queue.conf.task_always_eager = eager
    return queue.task(task).delay  # type: ignore[no-any-return]


def in_taskiq(task: Callable[..., Any]) -> Callable[..., Any]:
    return taskiq.InMemoryBroker().task(task).kiq


def in_dramatiq(task: Callable[..., Any]) -> Callable[..., Any]:
    return dramatiq.actor(task, broker=StubBroker(), actor_name=task.__name__).send


QUEUES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "celery": in_celery,
    "celery eager": lambda task: in_celery(task, eager=True),
    "taskiq": in_taskiq,
    "dramatiq": in_dramatiq,
}


def app_of(send: Callable[..., Any], argument: Any = 7, *, besides: Any = None) -> FastAPI:
    app = FastAPI()

    @app.post("/orders/{number}")
    async def create(number: int, tasks: BackgroundTasks) -> None:
        if besides is not None:
            tasks.add_task(besides, number)
        sent = send(argument)
        if hasattr(sent, "__await__") and not hasattr(sent, "ready"):
            await sent

    return app


def judged(id_: str, app: FastAPI) -> Verdict:
    return verify(Planted(lambda: app, "POST /orders/1").of(), id_)


@pytest.mark.parametrize("queue", QUEUES)
def test_what_is_about_the_process_does_not_apply(queue: str) -> None:
    send = QUEUES[queue](repeatable)
    found = {id_: judged(id_, app_of(send)) for id_ in VERIFICATIONS}
    rows = contract_rows()
    for id_, verdict in found.items():
        if rows[id_].in_process_only:
            assert verdict.status == "not-applicable"
            assert verdict.message == f"its tasks go to a queue: {rows[id_].on_queue}"
        else:
            assert verdict.status in ("pass", "not-applicable"), (id_, verdict)
    passed = {id_ for id_, verdict in found.items() if verdict.status == "pass"}
    assert passed >= {"BGC-ERR-01", "BGC-ERR-03", "BGC-ARG-01", "BGC-VAL-01", "BGC-RUN-01"}


@pytest.mark.parametrize("queue", QUEUES)
def test_a_failure_must_be_visible(queue: str) -> None:
    verdict = judged("BGC-ERR-01", app_of(QUEUES[queue](silent)))
    assert verdict.status == "fail"
    assert "fails at line" in verdict.message


@pytest.mark.parametrize("queue", QUEUES)
def test_an_effect_must_be_repeatable(queue: str) -> None:
    verdict = judged("BGC-RUN-01", app_of(QUEUES[queue](twice)))
    assert verdict.status == "warn"
    assert "delivered twice has its effect twice." in verdict.message
    assert verdict.evidence[-1] == "way out: look at what has been done before doing it"


def test_a_message_that_fails_the_second_time() -> None:
    verdict = judged("BGC-RUN-01", app_of(in_celery(once_only)))
    assert verdict.status == "warn"
    assert verdict.message.startswith("A message for once_only fails where it is delivered twice.")
    assert "ValueError('7 is done')" in verdict.evidence[0]


def test_arguments_must_serialize() -> None:
    app = app_of(in_celery(repeatable, eager=True), threading.Lock())
    verdict = judged("BGC-ARG-01", app)
    assert verdict.status == "fail", verdict
    assert verdict.message.startswith(
        "argument 1 of repeatable cannot be sent to a queue: it must serialize."
    )


def test_sessions_are_watched_in_what_is_delivered(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}", poolclass=QueuePool)

    def leaving(number: int) -> None:
        session = Session(engine)
        session.execute(text("SELECT 1"))
        logger.info("order %d", number)
        session.close()

    def closing(number: int) -> None:
        with Session(engine) as session:
            session.execute(text("SELECT 1"))
            logger.info("order %d", number)

    assert judged("BGC-DB-01", app_of(in_celery(leaving))).status == "fail"
    assert judged("BGC-DB-01", app_of(in_celery(closing))).status == "pass"
    engine.dispose()


def test_background_tasks_beside_a_queue_are_verified_as_such() -> None:
    app = app_of(in_celery(repeatable), besides=repeatable)
    assert judged("BGC-RESP-01", app).status == "pass"


def test_a_message_that_nobody_can_work_off() -> None:
    def needing(number: int, *, settings: object) -> None: ...

    verdict = judged("BGC-ERR-01", app_of(in_dramatiq(needing)))
    assert verdict.status == "not-testable"
    assert verdict.message.startswith("needing fails with no more than its message: TypeError(")
