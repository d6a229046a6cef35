"""What the planted apps are made of, and how they are judged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from fastapi import BackgroundTasks, FastAPI

from bgcheck_suites.endpoint.subject import RequestSpec, Subject
from bgcheck_suites.endpoint.verify import VERIFICATIONS, verify

logger = logging.getLogger("planted")
left_open = ExitStack()
"""Closes what planted apps have left open on purpose."""
SHOULD = frozenset({"BGC-ERR-02", "BGC-ARG-04", "BGC-DB-02", "BGC-RUN-01"})


@dataclass(frozen=True)
class Planted:
    """An app, the request to send, and the requirements that must not hold besides the first.

    Attributes:
        make: makes the app.
        line: the request.
        options: more of the request.
        also: other requirements that the fault breaks.
        subject: what an adopter overrides.
    """

    make: Callable[..., Any]
    line: str = "POST /orders"
    options: dict[str, Any] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    subject: dict[str, Any] = field(default_factory=dict)

    def of(self, *given: Any) -> Subject:
        """Make the subject, with an app of its own."""
        spec = RequestSpec(self.line, **self.options)
        return Subject(self.make(*given), spec, **{"seeds": 3, "timeout": 5.0, **self.subject})


def broken(planted: Planted, *given: Any) -> dict[str, str]:
    """Return the requirements that do not hold, with the message, and check their status."""
    found = {}
    for id_ in VERIFICATIONS:
        verdict = verify(planted.of(*given), id_)
        if verdict.status in ("pass", "not-applicable"):
            continue
        assert verdict.status == ("warn" if id_ in SHOULD else "fail"), (id_, verdict)
        found[id_] = verdict.message
    return found


def scheduling(schedule: Callable[[BackgroundTasks], object], **options: Any) -> FastAPI:
    """Return an app whose `POST /orders` hands its tasks to a function."""
    app = FastAPI(**options)

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> dict[str, str]:
        schedule(tasks)
        return {"state": "accepted"}

    return app


def work(number: int = 1) -> None:
    """A task that can fail, and says so."""
    logger.info("working on %d", number)


async def work_async(number: int = 1) -> None:
    """The same on the event loop."""
    logger.info("working on %d", number)


def only(task: Any, *args: Any, **kwargs: Any) -> Callable[[], FastAPI]:
    """Return the maker of an app that schedules one task."""
    return lambda: scheduling(lambda tasks: tasks.add_task(task, *args, **kwargs))


def two(first: Any, second: Any = work) -> Callable[[], FastAPI]:
    """Return the maker of an app that schedules two tasks."""

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(first)
        tasks.add_task(second)

    return lambda: scheduling(schedule)
