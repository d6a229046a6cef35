"""Explain why the tasks of a log are not the expected list."""

from __future__ import annotations

from collections.abc import Sequence

from bgcheck.recorder.describe import labelled, tasks_were
from bgcheck.recorder.expectation import Expectation
from bgcheck.recorder.messages import (
    Context,
    candidate,
    candidates,
    exactly,
    fit,
    head,
    no_expectation,
    nothing_scheduled,
    rank,
)
from bgcheck.recorder.params import equal
from bgcheck.recorder.record import ScheduledTask

Place = tuple[int, object]
"""An index in the expected list, and what is expected there."""


class Alignment:
    """Which of the expected tasks were scheduled at all, in whatever order."""

    def __init__(self, tasks: Sequence[ScheduledTask], expected: Sequence[object]) -> None:
        self.tasks: Sequence[ScheduledTask] = tasks
        self.expected: Sequence[object] = expected
        self.extra: list[tuple[int, ScheduledTask]] = list(enumerate(tasks))
        self.missing: list[Place] = []
        for place in enumerate(expected):
            if not self._take(place[1]):
                self.missing.append(place)

    def _take(self, wanted: object) -> bool:
        for position, (_, task) in enumerate(self.extra):
            if equal(task, wanted):
                del self.extra[position]
                return True
        return False

    def is_near(self) -> bool:
        """Whether any unexpected task is of an expected function."""
        wanted = [item for _, item in self.missing if isinstance(item, Expectation)]
        return any(self.nearest(item) is not None for item in wanted)

    def nearest(self, wanted: Expectation) -> tuple[int, ScheduledTask] | None:
        """Find the unexpected task of the same function with the fewest params that differ."""
        call = exactly(wanted)
        same = [task for _, task in self.extra if call.is_of(task)]
        if not same:
            return None
        best = rank(same, call)[0]
        return next(each for each in self.extra if each[1] is best)


def unequal(context: Context, expected: Sequence[object]) -> list[str]:
    """Explain a failed `bgtasks == [...]`."""
    found = Alignment(context.tasks, expected)
    foreign = [item for item in expected if not isinstance(item, (Expectation, ScheduledTask))]
    fact = _fact(found)
    lines: list[str] = []
    if not found.missing and not found.extra:
        lines += _out_of_order(context, found)
    elif foreign and any(item is foreign[0] for _, item in found.missing):
        fact = "an item of the list is no expectation"
        lines += [f"  {line}" for line in no_expectation(foreign[0]).splitlines()]
    else:
        lines += _unmatched(context, found)
    if not context.tasks:
        lines += nothing_scheduled(context)
        lines += candidates(context, context.everything)
    first = head(context, "", f"== {'[...]' if expected else '[]'}", fact)
    return fit(context, [first, *lines])


def _fact(found: Alignment) -> str:
    scheduled, expected = len(found.tasks), len(found.expected)
    if not found.missing and not found.extra:
        return "scheduled in another order"
    if scheduled != expected:
        return f"{tasks_were(scheduled)} scheduled, expected {expected or 'none'}"
    differ = len(found.missing)
    if expected == 1:
        return "scheduled with other params" if found.is_near() else "another task was scheduled"
    return f"{differ} of {expected} tasks {'differs' if differ == 1 else 'differ'}"


def _out_of_order(context: Context, found: Alignment) -> list[str]:
    pairs = enumerate(zip(found.tasks, found.expected, strict=True))
    index, task, wanted = next((n, t, w) for n, (t, w) in pairs if not equal(t, w))
    at = next(n for n, other in enumerate(found.tasks) if n > index and equal(other, wanted))
    return [
        labelled("expected", f"[{index}] {_call(context, wanted)}, which came as [{at}]"),
        *candidate(context, task, index=f"[{index}] "),
        "  to ignore the order, assert each of them: scheduled(...) in bgtasks",
    ]


def _unmatched(context: Context, found: Alignment) -> list[str]:
    """What is missing, the first with the task that comes near; then what was not expected."""
    lines: list[str] = []
    rest = list(found.missing)
    extra = list(found.extra)
    several = max(len(found.tasks), len(found.expected)) > 1
    for place in found.missing:
        near = found.nearest(place[1]) if isinstance(place[1], Expectation) else None
        if near is not None and isinstance(place[1], Expectation):
            lines += _near(context, place, near, several)
            rest.remove(place)
            extra.remove(near)
            break
    for index, wanted in rest:
        lines.append(labelled("missing", _index(index, several) + _call(context, wanted)))
    for index, task in extra:
        lines += candidate(context, task, label="unexpected", index=_index(index, several))
    return [*lines, *_only_one_function(found, extra)]


def _near(
    context: Context, place: Place, near: tuple[int, ScheduledTask], several: bool
) -> list[str]:
    index, wanted = place
    assert isinstance(wanted, Expectation)
    return [
        labelled("expected", _index(index, several) + _call(context, wanted)),
        *candidate(context, near[1], exactly(wanted), index=_index(near[0], several)),
    ]


def _only_one_function(found: Alignment, extra: Sequence[tuple[int, ScheduledTask]]) -> list[str]:
    """Only tasks of other functions are too many: show how to look at one function."""
    wanted = [item for item in found.expected if isinstance(item, Expectation)]
    if found.missing or not wanted or any(item.name != wanted[0].name for item in wanted):
        return []
    if any(task.name == wanted[0].name for _, task in extra):
        return []
    return [f"  to look at one function only: bgtasks.of({wanted[0].name}) == [...]"]


def _index(index: int, several: bool) -> str:
    return f"[{index}] " if several else ""


def _call(context: Context, wanted: object) -> str:
    if isinstance(wanted, Expectation):
        return context.write.call(wanted.name, wanted.params)
    return context.write.value(wanted)
