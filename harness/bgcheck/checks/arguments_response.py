"""BG3, continued: requests and responses that are over when the task uses them."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.arguments_live import reachable
from bgcheck.checks.base import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import BodyRead, TaskFinished, TaskStarted
    from bgcheck.recorder.record import ScheduledTask


class ReceiveAfterResponse(Check):
    """A task reads the body of its request for the first time."""

    code = "BG308"
    name = "receive-after-response"
    default: ClassVar[Default] = "E"
    summary = "A task reads the body or stream of its request, which a server has discarded."
    way_out = "Read the body in the endpoint, before the response, and pass what the task needs."
    instruments: ClassVar[tuple[str, ...]] = ("bodies",)

    def on_body_read(self, event: BodyRead) -> Iterator[Finding]:
        """Tell of it; that it works under a test client proves nothing."""
        yield self.found(
            f"{event.task.name} reads the body of its request after the response: on a server it "
            "is empty, or the client counts as gone.",
            [("read at", event.site or "a line of a library")],
            task=event.task,
            covers=[event.task],
        )


class ResponseChangedAfterSend(Check):
    """A task changed the headers or the status of a response that is gone."""

    code = "BG309"
    name = "response-changed-after-send"
    default: ClassVar[Default] = "W"
    summary = "A task changed headers, cookies or the status of a response after it was sent."
    way_out = "Set headers, cookies and the status before the response is returned."

    def __init__(self) -> None:
        self._sent: weakref.WeakKeyDictionary[ScheduledTask, dict[str, _Head]] = (
            weakref.WeakKeyDictionary()
        )

    def on_task_started(self, event: TaskStarted) -> None:
        """Note what the responses are like that the task has."""
        task = event.task
        if task.request is None or not task.request.response_complete:
            return
        heads = dict(_heads(task))
        if heads:
            self._sent[task] = heads

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Compare."""
        if not self._sent:
            return
        task = event.task
        before = self._sent.pop(task, None)
        now = dict(_heads(task)) if before is not None else {}
        for path, head in (before or {}).items():
            if path in now and now[path] != head:
                yield self.found(
                    f"{task.name} changed {path}, a response that was sent before.",
                    list(head.changes(now[path])),
                    task=task,
                )


@dataclass(frozen=True)
class _Head:
    """Status and headers of a response at one moment."""

    status: int | None
    headers: tuple[tuple[bytes, bytes], ...]

    def changes(self, now: _Head) -> Iterator[tuple[str, str]]:
        """Yield what is different now."""
        if self.status != now.status:
            yield "status", f"{self.status} when sent, {now.status} now"
        for name in dict.fromkeys(key for key, _ in (*self.headers, *now.headers)):
            then, since = _values(self, name), _values(now, name)
            if then != since:
                yield name.decode("latin-1"), f"{then or 'nothing'} when sent, {since or 'nothing'}"


def _values(head: _Head, name: bytes) -> str:
    return ", ".join(repr(v.decode("latin-1")) for key, v in head.headers if key == name)


def _heads(task: ScheduledTask) -> Iterator[tuple[str, _Head]]:
    for path, value in reachable(task):
        kinds = [(base.__module__, base.__name__) for base in type(value).__mro__]
        if ("starlette.responses", "Response") in kinds:
            headers = tuple(getattr(value, "raw_headers", ()))
            yield path, _Head(getattr(value, "status_code", None), headers)
        elif ("starlette.datastructures", "MutableHeaders") in kinds:
            yield path, _Head(None, tuple(value.raw))
