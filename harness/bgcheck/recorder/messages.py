"""Failure messages: the fact, the evidence with the nearest candidate first, the way out.

What pytest cuts without `-vv` (8 lines, 640 characters) is kept short here, the essential first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from bgcheck.recorder.describe import (
    HEAD,
    WIDTH,
    Writer,
    answer,
    cut,
    labelled,
    safe_repr,
    tasks_were,
    times,
)
from bgcheck.recorder.diffs import deepen
from bgcheck.recorder.expectation import (
    Difference,
    Expectation,
    differences,
    is_task_of,
    params_for,
)
from bgcheck.recorder.record import ScheduledTask, describe_function

if TYPE_CHECKING:
    from bgcheck.recorder.request import RequestInfo

LISTED: Final = 3
"""Candidates and differences that are shown without `-v`."""


More = Literal["-v", "-vv"]
"""What makes pytest print more: it cuts explanations of `assert` up to `-vv`, errors never."""


@dataclass(frozen=True)
class Context:
    """What a message draws on: the tasks in view and in the test, requests, pytest's verbosity."""

    tasks: Sequence[ScheduledTask]
    everything: Sequence[ScheduledTask]
    requests: Sequence[RequestInfo]
    verbosity: int = 0
    log: str = "bgtasks"
    more: More = "-v"

    @property
    def write(self) -> Writer:
        """Writes values as this verbosity has them."""
        return Writer(self.verbosity)

    @property
    def lists_all(self) -> bool:
        """Whether every candidate is shown, however many."""
        return self.verbosity >= len(self.more) - 1


@dataclass(frozen=True)
class Wanted:
    """A call that was looked for; `partial` where only the named params count."""

    func: Callable[..., Any] | None
    params: Mapping[str, Any]
    partial: bool

    @property
    def name(self) -> str:
        return describe_function(self.func) if self.func is not None else "a task"

    def is_of(self, task: ScheduledTask) -> bool:
        """Whether a task runs the wanted function."""
        return self.func is None or is_task_of(task, self.func)

    def differences(self, task: ScheduledTask) -> list[Difference]:
        """The params in which a task differs."""
        return differences(self.params, task, self.func or task.func, partial=self.partial)

    def deep_differences(self, task: ScheduledTask) -> list[Difference]:
        """The innermost values in which a task differs."""
        params = params_for(task, self.func or task.func)
        return [inner for each in self.differences(task) for inner in deepen(each, params.same)]


def exactly(expected: Expectation) -> Wanted:
    """Look for the call of an expectation."""
    return Wanted(expected.func, expected.params, partial=False)


def no_such_task(index: int, log: str, count: int) -> str:
    """Explain an index out of range."""
    return f"{log}[{index}]: {tasks_were(count)} scheduled"


def describe_view(
    func: Callable[..., Any] | None,
    outcome: str | None,
    path: str | None,
    where: Callable[..., Any] | None,
) -> str:
    """Write the filter of a view as the call that made it."""
    parts = [describe_function(func)] if func is not None else []
    parts += [f"{key}={value!r}" for key, value in (("outcome", outcome), ("path", path)) if value]
    if where is not None:
        parts.append(f"where={describe_function(where)}")
    return f".of({', '.join(parts)})"


def describe_log(context: Context) -> str:
    """Write the tasks of a log on one line, and what else was scheduled where there are none."""
    write = context.write
    listed = ", ".join(f"{write.call(t.name, t.params)} {t.outcome}" for t in context.tasks)
    if not listed and context.everything:
        count = len(context.everything)
        listed = f"none of {count} scheduled: {write.names(context.everything)}"
    return f"<{context.log}: {listed or 'no task was scheduled'}>"


def describe_count(least: int, most: float) -> str:
    """Write how often something was expected."""
    if least == most:
        return {0: "never", 1: "exactly once"}.get(least, f"exactly {least} times")
    if most == float("inf"):
        return f"at least {times(least)}"
    return f"at most {times(int(most))}" if least == 0 else f"{least} to {most} times"


def wrong_count(
    context: Context, found: Sequence[ScheduledTask], wanted: Wanted, count: str
) -> str:
    """Explain a count that is not the expected one."""
    name = wanted.name if wanted.func is not None or wanted.params else ""
    call = context.write.call(wanted.name, wanted.params, partial=True) if name else "a task"
    lines = [_count_fact(context, found, wanted), labelled("expected", f"{call}, {count}")]
    if not found:
        return "\n".join([*lines, *_instead(context, wanted)])
    lines += candidates(context, found)
    rest = [task for task in context.tasks if wanted.is_of(task) and task not in found]
    if count in ("never", "exactly once") or not rest:
        return "\n".join([*lines, *_narrower(context, found, wanted, count)])
    return "\n".join([*lines, *candidate(context, rank(rest, wanted)[0], wanted)])


def _count_fact(context: Context, found: Sequence[ScheduledTask], wanted: Wanted) -> str:
    where = "" if context.log == "bgtasks" else f" in {context.log}"
    if not context.everything:
        return "no task was scheduled" + (f", expected {wanted.name}" if wanted.func else "")
    if found and wanted.func is None and not wanted.params:
        return f"{tasks_were(len(found))} scheduled{where}"
    if found:
        with_params = " with these params" if wanted.params else ""
        return f"{wanted.name} was scheduled {times(len(found))}{with_params}{where}"
    return f"{wanted.name} was {_not_found(context, wanted)}{where}"


def _not_found(context: Context, wanted: Wanted, *, brief: bool = False) -> str:
    if not context.everything:
        return "no task was scheduled"
    count = sum(map(wanted.is_of, context.tasks))
    if not count:
        return "not scheduled"
    return "only with other params" if brief else f"scheduled {times(count)}, with other params"


def _narrower(
    context: Context, found: Sequence[ScheduledTask], wanted: Wanted, count: str
) -> list[str]:
    """Several tasks match where one was asked for: name a param that tells them apart."""
    if len(found) < 2 or count != "exactly once":
        return []
    first = found[0]
    for name, value in first.params.items():
        if name not in wanted.params and _varies(name, value, found):
            call = f"bgtasks.one({first.name}, {name}={context.write.value(value, 30)})"
            return [f"  to pick one of them: {call}"]
    return [f"  to accept them all: bgtasks.expect({first.name}, times={len(found)})"]


def _varies(name: str, value: object, tasks: Sequence[ScheduledTask]) -> bool:
    return any(not task.params.same(value, task.params.get(name)) for task in tasks)


def not_contained(context: Context, expected: Expectation) -> list[str]:
    """Explain a failed `scheduled(...) in bgtasks`."""
    wanted = exactly(expected)
    lines = [
        head(context, f"{_short(expected)} in", "", _not_found(context, wanted, brief=True)),
        labelled("expected", context.write.call(expected.name, expected.params)),
        *_instead(context, wanted),
    ]
    return fit(context, lines)


def contained(context: Context, expected: Expectation) -> list[str]:
    """Explain a failed `scheduled(...) not in bgtasks`."""
    found = [task for task in context.tasks if task == expected]
    fact = f"scheduled {times(len(found))}"
    return fit(
        context,
        [head(context, f"{_short(expected)} not in", "", fact), *candidates(context, found)],
    )


def equal_logs(context: Context) -> list[str]:
    """Explain a failed `bgtasks != [...]`."""
    fact = "exactly these were scheduled"
    return fit(context, [head(context, "", "!= [...]", fact), *candidates(context, context.tasks)])


def task_differs(context: Context, task: ScheduledTask, expected: Expectation) -> list[str]:
    """Explain a failed `task == scheduled(...)`."""
    wanted = exactly(expected)
    fact = "scheduled with other params" if wanted.is_of(task) else "of another function"
    lines = [
        f"task == {_short(expected)}: {fact}",
        labelled("expected", context.write.call(expected.name, expected.params)),
        *candidate(context, task, wanted),
    ]
    return fit(context, lines)


def head(context: Context, before: str, after: str, fact: str) -> str:
    """Write the first line: the assertion in short, and the fact."""
    log = cut(context.log, max(20, HEAD - len(before) - len(after) - len(fact) - 4))
    return f"{' '.join(filter(None, (before, log, after)))}: {fact}"


def _short(expected: Expectation) -> str:
    name = cut(expected.name, 22)
    return f"scheduled({name}, ...)" if expected.params else f"scheduled({name})"


def _instead(context: Context, wanted: Wanted) -> list[str]:
    """What was scheduled instead: the same function, else other tasks, else the requests."""
    if not context.tasks:
        elsewhere = rank(context.everything, wanted)
        evidence = _evidence(context, elsewhere, wanted) if elsewhere else []
        return [*nothing_scheduled(context), *evidence]
    return _evidence(context, rank(context.tasks, wanted), wanted)


def _evidence(context: Context, ranked: Sequence[ScheduledTask], wanted: Wanted) -> list[str]:
    nearest = ranked[0]
    lines = candidate(context, nearest, wanted)
    if not wanted.partial and wanted.is_of(nearest) and nearest.params.error is None:
        lines += _way_out(nearest, wanted)
    return lines + _others(context, ranked[1:])


def rank(tasks: Iterable[ScheduledTask], wanted: Wanted) -> list[ScheduledTask]:
    """Sort tasks by how near they come: function, name, how many params differ, and how late."""

    names = list(wanted.params)

    def distance(task: ScheduledTask) -> tuple[bool, bool, int, int]:
        same = wanted.is_of(task)
        differing = {each.name for each in wanted.differences(task)} if same else set()
        alike = next((n for n, name in enumerate(names) if name in differing), len(names))
        return not same, task.name != wanted.name, len(differing), -alike

    return sorted(tasks, key=distance)


def candidate(
    context: Context,
    task: ScheduledTask,
    wanted: Wanted | None = None,
    label: str = "scheduled",
    index: str = "",
) -> list[str]:
    """One task: its call, in what it differs from the wanted one, where it was scheduled."""
    lines = [labelled(label, index + context.write.call(task.name, task.params))]
    if wanted is not None:
        lines += _difference_lines(context, task, wanted)
    return lines + context.write.place(task)


def _difference_lines(context: Context, task: ScheduledTask, wanted: Wanted) -> list[str]:
    if not wanted.is_of(task):
        return _namesake(context, task, wanted)
    if task.params.error is not None:
        return [f"    this call does not bind: {task.params.error}"]
    found = wanted.deep_differences(task)
    shown = found if context.write.full else found[:LISTED]
    width = max((len(each.name) for each in shown), default=0)
    lines = [line for each in shown for line in _difference(context, each, width)]
    if len(found) > len(shown):
        lines.append(f"    ... and {len(found) - len(shown)} more differences (-vv shows all)")
    return lines


def _difference(context: Context, each: Difference, width: int) -> list[str]:
    room = max(20, (WIDTH - width - 22) // 2)
    expected, found = context.write.pair(each.expected, each.found, room)
    line = f"    {each.name:{width}}  expected {expected}, got {found}"
    if len(line) <= WIDTH:
        return [line]
    return [f"    {each.name}", f"      expected {expected}", f"      got      {found}"]


def _namesake(context: Context, task: ScheduledTask, wanted: Wanted) -> list[str]:
    """Tell two callables of one name apart: methods of two objects, a function loaded twice."""
    if wanted.func is None or task.name != wanted.name:
        return []
    expected, found = context.write.pair(wanted.func, task.func, WIDTH - 16)
    return [
        "    of the same name, but another object:",
        f"      expected {expected}",
        f"      got      {found}",
    ]


def candidates(
    context: Context, tasks: Sequence[ScheduledTask], label: str = "scheduled"
) -> list[str]:
    """List tasks: each call, and where it was scheduled."""
    shown = tasks if context.lists_all else tasks[:LISTED]
    lines = [line for task in shown for line in candidate(context, task, label=label)]
    if len(tasks) > len(shown):
        lines.append(f"  ... and {len(tasks) - len(shown)} more ({context.more} shows all)")
    return lines


def _others(context: Context, tasks: Sequence[ScheduledTask]) -> list[str]:
    if not tasks:
        return []
    if context.lists_all:
        return ["  also scheduled:", *candidates(context, tasks, label="")]
    return [f"  also scheduled: {context.write.names(tasks)} ({context.more} shows where)"]


def _way_out(nearest: ScheduledTask, wanted: Wanted) -> list[str]:
    differing = {each.name for each in wanted.differences(nearest)}
    if not differing:
        return []
    same = [f"{name}=..." for name in wanted.params if name not in differing]
    call = f"bgtasks.expect({', '.join([wanted.name, *same])})"
    line = f"  to compare only some params: {call}"
    return [line if len(line) <= WIDTH else "  to compare only some params: bgtasks.expect(...)"]


def nothing_scheduled(context: Context) -> list[str]:
    """Nothing was scheduled: show what the requests came to, and the likely cause."""
    if context.everything:
        return [f"  {context.log} is empty{_came_to(context)}; elsewhere in this test:"]
    if not context.requests:
        return [
            "  no request reached an application in this test",
            "  bgtasks sees Starlette and FastAPI applications that run in this process",
        ]
    shown = context.requests if context.lists_all else context.requests[-LISTED:]
    labels = ["requests", *[""] * (len(shown) - 1)]
    lines = [
        labelled(label, f"{request.method} {request.path} -> {answer(request)}")
        for label, request in zip(labels, shown, strict=True)
    ]
    if len(context.requests) > len(shown):
        lines.append(
            f"  ... and {len(context.requests) - len(shown)} before ({context.more} shows all)"
        )
    if any((request.response_status or 500) >= 400 for request in shown):
        return [
            *lines,
            "  a request that is refused or fails schedules nothing: see its response",
        ]
    return [*lines, "  add_task was not reached, or the test replaced it"]


def _came_to(context: Context) -> str:
    """Write what the requests of a block came to; a filter has no requests of its own."""
    if not context.log.endswith(".since()") or not context.requests:
        return ""
    last = context.requests[-1]
    return f" ({last.method} {last.path} -> {answer(last)})"


def fit(context: Context, lines: list[str], most: int = 8, characters: int = 640) -> list[str]:
    """Leave out the last lines, which say least, where pytest would cut the message anyway."""
    if context.lists_all:
        return lines
    while len(lines) > 4 and (len(lines) > most or sum(map(len, lines)) > characters):
        lines = lines[:-1]
    return lines


def no_expectation(item: object) -> str:
    """Explain that something can never equal a scheduled task."""
    if callable(item):
        name = describe_function(item)
        return (
            f"{name} is a function, and bgtasks holds scheduled tasks\n"
            f"  for one exact call: scheduled({name}, ...) in bgtasks\n"
            f"  for all its tasks: bgtasks.of({name})"
        )
    return f"{cut(safe_repr(item), 50)} is no scheduled task: write scheduled(function, ...)"
