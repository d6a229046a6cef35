"""Messages for a queue, delivered in the process as a worker would: copied, and more than once.

What a request sends to Celery, taskiq or Dramatiq runs after its response as background tasks do,
so that the faults reach it.
"""

import copy
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask

from bgcheck.checks.arguments_transport import why_not_serializable
from bgcheck.recorder.record import ScheduledTask
from bgcheck_suites.events import Contradiction

LIBRARIES = ("celery", "taskiq", "dramatiq")
AGAIN = "/bgcheck-delivers-again"
"""The path of a request that delivers the messages of the last one again."""


def in_use() -> bool:
    """Whether a library is there that could send messages."""
    return any(name in sys.modules for name in LIBRARIES)


def is_message(task: ScheduledTask) -> bool:
    """Whether a record is of a message, and not of a background task."""
    return task.queued


class Delivering(Starlette):
    """The app, and after each response a worker for the messages that were sent meanwhile.

    An application itself: what it delivers belongs to the request for which it is called.
    """

    def __init__(self, app: Any, sent: Callable[[], Sequence[ScheduledTask]]) -> None:
        super().__init__()
        self.last: list[ScheduledTask] = []
        self._inner = app
        self._sent = sent

    def build_middleware_stack(self) -> Any:
        """Return what is called for each request."""
        return self._deliver

    async def _deliver(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if scope["path"] == AGAIN:
            await _accept(send)
        else:
            number = len(self._sent())
            await self._inner(scope, receive, send)
            self.last = [task for task in self._sent()[number:] if is_message(task)]
        if self.last:
            await _run(self.last)


async def _accept(send: Any) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _run(messages: list[ScheduledTask]) -> None:
    """Run each message by itself: one that fails keeps no other from running."""
    errors = []
    for message in messages:
        args, kwargs = _copied((message.args, dict(message.kwargs)))
        try:
            await BackgroundTask(message.func, *args, **kwargs)()
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]  # to the server, as a worker would log it


def _copied(value: Any) -> Any:
    """Return a copy as another process would get it, where there can be one."""
    try:
        return pickle.loads(pickle.dumps(value))
    except Exception:  # what a foreign class raises
        return copy.copy(value)


def require_serializable(messages: Sequence[ScheduledTask]) -> None:
    """Require that the arguments of messages can be sent to another process.

    Raises Contradiction with the argument and the reason.
    """
    for message in messages:
        for name, value in _arguments(message):
            reason = why_not_serializable(value)
            if reason is not None:
                raise Contradiction(
                    f"{name} of {message.name} cannot be sent to a queue: it must serialize.",
                    reason,
                    f"sent at {message.site}",
                )


def _arguments(message: ScheduledTask) -> Iterator[tuple[str, Any]]:
    yield from ((f"argument {number}", one) for number, one in enumerate(message.args, 1))
    yield from message.kwargs.items()
