"""BG210 and BG211: what a task tries again and again."""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from bgcheck.checks.base import unless_plain
from bgcheck.checks.handlers import handler_of, holds
from bgcheck.checks.outcome_swallowed import CANCELLED, ExceptionCheck
from bgcheck.checks.retries import goes_through_data, unbounded_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import (
        ExceptionHandled,
        PostSucceeded,
        StatementStarted,
        TaskSettled,
        TransactionEnded,
    )
    from bgcheck.recorder.record import ScheduledTask, Site

_MANY: Final = 10
"""From how many identical failures on a retry counts as one without a bound."""

_REPEATABLE: Final = ("ON CONFLICT", "ON DUPLICATE KEY", "INSERT OR ", "INSERT IGNORE")

Failing = tuple["Site", int, tuple[str, ...], str]
"""Where an exception came from, the line of the handlers, its classes and its text."""


class UnboundedRetry(ExceptionCheck):
    """A task failed many times in the same way, and nothing ends its retries."""

    code = "BG210"
    name = "unbounded-retry"
    default: ClassVar[Default] = "O"
    summary = "A task failed many times in the same way in a loop that nothing but success ends."
    way_out = "Give up after a number of attempts or a time, and log or raise the last error."

    def __init__(self) -> None:
        self._counts: weakref.WeakKeyDictionary[ScheduledTask, dict[Failing, int]] = (
            weakref.WeakKeyDictionary()
        )

    def on_exception_handled(self, event: ExceptionHandled) -> None:
        """Count it."""
        if event.by_user and CANCELLED.isdisjoint(event.kinds):
            counts = self._counts.setdefault(event.task, defaultdict(int))
            counts[(event.site, event.handler_line, event.kinds, str(event.failure))] += 1

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Look for a bound in the source where there are many."""
        if not self._counts:
            return
        task = event.task
        for (site, line, kinds, error), count in self._counts.pop(task, {}).items():
            handler = handler_of(site, line, kinds) if count >= _MANY else None
            loop = unbounded_loop(handler) if handler is not None else None
            if loop is not None:
                yield self.found(
                    f"{task.name} failed {count} times in the same way, and nothing but success "
                    "ends the loop.",
                    [("error", error), ("raised", site), ("loop", _at(site, loop.lineno))],
                    task=task,
                )


def _at(site: Site, line: int) -> Site:
    return type(site)(site.file, line, site.function)


@dataclass(slots=True, eq=False)
class _Effect:
    """Something a task did outside of itself: what, with which data, and from where.

    `connection` is that of an INSERT, as long as nobody has committed it.
    """

    what: str
    data: object
    stack: tuple[Site, ...]
    number: int
    runner: int | None
    connection: int | None = None
    dropped: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        return (self.what, self.data, self.stack, self.runner)


@dataclass(slots=True, eq=False)
class _Story:
    """What one task did and what went wrong, in order."""

    effects: list[_Effect] = field(default_factory=list)
    errors: list[tuple[int, ExceptionHandled]] = field(default_factory=list)
    number: int = 0

    def next(self) -> int:
        self.number += 1
        return self.number


class RepeatedSideEffect(ExceptionCheck):
    """A retry repeated an INSERT or a POST that had succeeded."""

    code = "BG211"
    name = "repeated-side-effect"
    default: ClassVar[Default] = "W"
    summary = (
        "A task that tried again after an error repeated an INSERT or POST that had succeeded."
    )
    way_out = (
        "Try again only what has failed; or make the repeated part harmless: a unique key, an "
        "idempotency key, one transaction."
    )
    instruments: ClassVar[tuple[str, ...]] = ("exceptions", "sqlalchemy", "http_posts")

    def __init__(self) -> None:
        self._stories: weakref.WeakKeyDictionary[ScheduledTask, _Story] = (
            weakref.WeakKeyDictionary()
        )

    def _story(self, task: ScheduledTask) -> _Story:
        return self._stories.setdefault(task, _Story())

    def on_statement_started(self, event: StatementStarted) -> None:
        """Note an INSERT."""
        from bgcheck.instrument.task_frames import task_stack  # loaded when it is on

        statement = event.statement
        if event.task is None or not statement.inserts or not statement.pairs:
            return
        if any(words in statement.sql.upper() for words in _REPEATABLE):
            return
        self._note(
            event.task,
            f"INSERT INTO {statement.written}",
            (statement.sql, statement.pairs),
            task_stack(),
            event.connection.number,
        )

    def on_transaction_ended(self, event: TransactionEnded) -> None:
        """Take what was committed as done, and what was rolled back as never done."""
        for story in list(self._stories.values()):
            for effect in story.effects:
                if effect.connection == event.connection.number:
                    effect.dropped |= event.how == "rollback"
                    effect.connection = None

    def on_post_succeeded(self, event: PostSucceeded) -> None:
        """Note a POST."""
        self._note(event.task, event.what, event.digest, event.stack)

    def _note(
        self,
        task: ScheduledTask,
        what: str,
        data: object,
        stack: tuple[Site, ...],
        connection: int | None = None,
    ) -> None:
        from bgcheck.recorder.loops import current_asyncio_task

        running = current_asyncio_task()
        runner = id(running()) if running is not None else None
        story = self._story(task)
        story.effects.append(_Effect(what, data, stack, story.next(), runner, connection))

    def on_exception_handled(self, event: ExceptionHandled) -> None:
        """Note an error; one that the last INSERT itself has raised takes it back."""
        story = self._stories.get(event.task)
        if story is None or not CANCELLED.isdisjoint(event.kinds):
            return
        last = story.effects[-1] if story.effects else None
        if last is not None and "DBAPIError" in event.kinds and last.connection is not None:
            last.dropped |= bool(last.stack) and last.stack[0] == event.failure.site
        story.errors.append((story.next(), event))

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Look for the same effect before and after an error, in one loop or one retried call."""
        if not self._stories:
            return
        story = self._stories.pop(event.task, None)
        groups: defaultdict[tuple[object, ...], list[_Effect]] = defaultdict(list)
        for effect in story.effects if story is not None else ():
            if not effect.dropped and effect.connection is None and effect.stack:
                groups[effect.key].append(effect)
        for effects in groups.values():
            if story is not None and len(effects) > 1:
                yield from self._judge(event.task, story, effects)

    def _judge(
        self, task: ScheduledTask, story: _Story, effects: list[_Effect]
    ) -> Iterator[Finding]:
        between = [_error_between(story, *pair) for pair in pairwise(effects)]
        first = effects[0]
        if None in between or any(map(goes_through_data, first.stack)):
            return
        error = between[0]
        if error is not None:
            yield self.found(
                f"{task.name} did {first.what} {len(effects)} times with the same data, because "
                f"it tried again after {error.failure.type}.",
                [
                    ("sent", first.stack[0]),
                    ("error", str(error.failure)),
                    ("raised", error.failure.site or error.site),
                ],
                task=task,
            )


def _error_between(story: _Story, first: _Effect, second: _Effect) -> ExceptionHandled | None:
    """Return the error that led from one effect to the next: its handler is around both."""
    return next(
        (
            event
            for number, event in story.errors
            if first.number < number < second.number and _is_around(event, first)
        ),
        None,
    )


def _is_around(event: ExceptionHandled, effect: _Effect) -> bool:
    """Whether a handler is around a line; a library's, such as a decorator that retries, is."""
    if not event.by_user:
        return True
    handler = handler_of(event.site, event.handler_line, event.kinds)
    return handler is not None and any(
        site.file == event.site.file
        and site.function == event.site.function
        and holds(handler.tried, site.line)
        for site in effect.stack
    )
