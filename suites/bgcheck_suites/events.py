"""The event log of a probe: what happened, in which order, on which thread."""

import asyncio
import itertools
import threading
from dataclasses import dataclass
from typing import NoReturn

LIMIT = 10.0
"""How long anything in a probe waits before it gives up, in seconds."""


class Contradiction(AssertionError):  # noqa: N818 - a finding, not an error
    """An observation that contradicts a requirement: the fact, and the events that show it."""

    def __init__(self, fact: str, *evidence: str) -> None:
        super().__init__("\n".join((fact, *(f"  {line}" for line in evidence))))
        self.fact = fact
        self.evidence = evidence


@dataclass(frozen=True)
class Event:
    """One thing that happened: a label, its number in the log, its thread, and a value."""

    number: int
    label: str
    thread: int
    thread_name: str
    loop: int | None
    value: object = None

    @property
    def kind(self) -> str:
        """The kind of thread: `event loop` or `thread`."""
        return "event loop" if self.loop is not None else "thread"

    @property
    def where(self) -> str:
        """The kind of thread: `event loop` or `thread`, with its name."""
        return f"{self.kind} {self.thread_name}"

    def __str__(self) -> str:
        return f"#{self.number} {self.label} ({self.where})"


class Log:
    """A thread-safe list of events, and the checks on their order.

    `of_server` says that a server in a thread of its own takes part: events that do not wait for
    each other may come in another order the next time.
    """

    def __init__(self) -> None:
        self.of_server = False
        self._numbers = itertools.count(1)
        self._events: list[Event] = []
        self._changed = threading.Condition()

    def mark(self, label: str, value: object = None) -> None:
        """Record that something happened, here and now."""
        thread = threading.current_thread()
        with self._changed:
            self._events.append(
                Event(next(self._numbers), label, thread.ident or 0, thread.name, _loop_id(), value)
            )
            self._changed.notify_all()

    async def mark_async(self, label: str, value: object = None) -> None:
        """Record that something happened, as a coroutine function."""
        self.mark(label, value)

    @property
    def events(self) -> list[Event]:
        """The events so far, in order."""
        with self._changed:
            return list(self._events)

    def count(self, label: str) -> int:
        """How often something happened."""
        return sum(event.label == label for event in self.events)

    def first(self, label: str) -> Event:
        """Return the first event of a label.

        Raises Contradiction where it never happened.
        """
        for event in self.events:
            if event.label == label:
                return event
        return self._never(label)

    def wait(self, label: str) -> Event:
        """Wait until something happens, at most LIMIT seconds, and return its event."""
        with self._changed:
            self._changed.wait_for(lambda: any(e.label == label for e in self._events), LIMIT)
        return self.first(label)

    def before(self, earlier: str, later: str) -> None:
        """Require that one thing happened before another."""
        __tracebackhide__ = True
        first, second = self.first(earlier), self.first(later)
        if first.number > second.number:
            raise Contradiction(f"'{later}' happened before '{earlier}'.", str(second), str(first))

    def in_order(self, *labels: str) -> None:
        """Require that these things happened once each, in this order."""
        __tracebackhide__ = True
        for label in labels:
            self.times(label, 1)
        for earlier, later in itertools.pairwise(labels):
            self.before(earlier, later)

    def times(self, label: str, expected: int) -> None:
        """Require that something happened so many times."""
        __tracebackhide__ = True
        found = [event for event in self.events if event.label == label]
        if len(found) < expected:
            self._never(label) if not found else _wrong_count(label, found, expected)
        if len(found) > expected:
            _wrong_count(label, found, expected)

    def never(self, label: str, *, because_of: str | None = None) -> None:
        """Require that something did not happen; `because_of` names the event that forbids it.

        A finding shows the two together, or without such an event what came before it.
        """
        __tracebackhide__ = True
        events = self.events
        forbidding = [self.first(because_of)] if because_of is not None else []
        for place, event in enumerate(events):
            if event.label == label:
                reason = forbidding or events[:place][-1:]
                raise Contradiction(
                    f"'{label}' happened, and must not.", *map(str, [*reason, event])
                )

    def _never(self, label: str) -> NoReturn:
        events = self.events
        last = f"the last event is {events[-1]}" if events else "the log is empty"
        raise Contradiction(f"'{label}' never happened.", last)


def _wrong_count(label: str, found: list[Event], expected: int) -> NoReturn:
    raise Contradiction(
        f"'{label}' happened {len(found)} times, not {expected}.", *map(str, found[-2:])
    )


def _loop_id() -> int | None:
    try:
        return id(asyncio.get_running_loop())
    except RuntimeError:
        return None


class Gate:
    """A gate that a task waits at until the probe opens it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open = threading.Event()

    def open(self) -> None:
        """Let everything that waits go on."""
        self._open.set()

    def wait(self) -> None:
        """Wait until the gate is open, at most LIMIT seconds."""
        if not self._open.wait(LIMIT):
            self._log.mark(f"the gate stayed shut for {LIMIT:g} s")


def same(fact: str, observed: object, expected: object) -> None:
    """Require that two values are equal; the fact says what is wrong where they are not."""
    __tracebackhide__ = True
    if observed != expected:
        raise Contradiction(fact, f"observed {observed!r}", f"required {expected!r}")
