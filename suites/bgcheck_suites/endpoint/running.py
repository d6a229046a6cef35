"""BGC-LOOP, BGC-RUN and BGC-END: the event loop, overlapping requests, and what is left behind."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bgcheck.recorder.record import ScheduledTask
from bgcheck.runner.errors import HoldRefusedError
from bgcheck_suites.events import Contradiction
from bgcheck_suites.marks import NotApplicable

from .faulting import cancelled, inside, outside
from .findings import require_none
from .state import Numbers, change, state_of
from .subject import Subject
from .trial import Sent, Trial, trial

BLOCKING = ("BG501", "BG502", "BG505", "BG506")
COMPUTING = ("BG503",)
CANCELLABLE = ("BG209", "BG511", "BG513")
"""What a cancelled task must not leave: a job in a thread goes on whatever it does."""
LEFT = ("BG206", "BG209", "BG511", "BG512", "BG513")


def loop_not_blocked(subject: Subject) -> None:
    """BGC-LOOP-01: watch what an async task does on the loop, also where a line of it fails.

    It sleeps in virtual time; what counts is what it calls, and its time on the processor.
    """
    with trial(subject, *BLOCKING, *COMPUTING) as made:
        tasks = made.discover_twice()[0].tasks
        if not any("async-task" in task.shape for task in tasks):
            raise NotApplicable("no task of the request is `async def`")
        found = made.findings()
        slow = [f for f in found if f.code in COMPUTING and f.func in subject.slow_tasks]
        require_none([f for f in found if f not in slow], (*BLOCKING, *COMPUTING))
        for faulty in inside(made, made.functions):  # under a tracer all takes longer
            require_none(made.findings(), BLOCKING, after=faulty.fault)


def nothing_left(subject: Subject) -> None:
    """BGC-END-01: look for what tasks have started and not ended, however they end."""
    with trial(subject, *LEFT) as made:
        made.discover_twice()
        require_none(made.findings(), LEFT, after="its tasks succeed")
        functions = made.functions
        for faulty in outside(made, functions):
            require_none(made.findings(), LEFT, after=faulty.fault)
        for faulty in cancelled(made, functions):
            require_none(made.findings(), CANCELLABLE, after=faulty.fault)


def overlap_harmless(subject: Subject) -> None:
    """BGC-RUN-01: compare two requests in sequence with two that overlap, in seeded orders.

    Only what two sequences have in common is compared: identifiers and times differ by themselves.
    A queue delivers a message at least once: the second time must change nothing more.
    """
    with trial(subject) as made:
        made.discover_twice()
        _require_repeatable(made)
        known = set(state_of(made))
        steady = _steady(_sequence(made), _sequence(made), known)
        for seed in range(subject.seeds):
            found = _overlapped(made, seed)
            different = [
                f"{name}: by {value:g} in sequence, by {found.get(name, 0):g} overlapped"
                for name, value in sorted(steady.items())
                if found and found.get(name, 0) != value
            ]
            if different:
                raise Contradiction(
                    "Two requests that overlap come to another result than two in sequence.",
                    *different[:4],
                    f"order: {_order(seed)}, seed {seed}",
                )


def _require_repeatable(made: Trial) -> None:
    if not made.messages:
        return
    before = state_of(made)
    again = made.deliver_again()
    grown = change(before, state_of(made))
    failed = [f"{task.name}: {task.error!r}" for task in again.tasks if task.error is not None]
    if grown or failed:
        raise Contradiction(
            f"A message for {made.messages[0].name} that is delivered twice has its effect twice."
            if grown
            else f"A message for {made.messages[0].name} fails where it is delivered twice.",
            *(f"{name}: by {value:g} more" for name, value in sorted(grown.items())[:4]),
            *failed[:2],
            "way out: look at what has been done before doing it",
        )


def _steady(first: Numbers, second: Numbers, known: set[str]) -> Numbers:
    """Return what two sequences change by the same, and which known numbers they leave alone."""
    names = known | first.keys() | second.keys()
    return {n: first.get(n, 0.0) for n in names if first.get(n, 0.0) == second.get(n, 0.0)}


def _sequence(made: Trial) -> Numbers:
    before, number = state_of(made), len(made.bgtasks)
    sent = [made.send(), made.send()]
    return _result(made, before, sent, list(made.bgtasks)[number:])


def _result(made: Trial, before: Numbers, sent: list[Sent], tasks: list[ScheduledTask]) -> Numbers:
    """Return what two requests and all their tasks came to; tasks may schedule others late."""
    found = change(before, state_of(made))
    names = [f"{task.name} {task.outcome}" for task in tasks]
    names += [f"responses with status {one.status}" for one in sent]
    return {**found, **{name: float(count) for name, count in Counter(names).items()}}


def _order(seed: int) -> str:
    orders = (
        "the second request while the first one's tasks run",
        "both requests, then task by task",
        "both requests, then all tasks at once",
    )
    return orders[seed % len(orders)]


def _overlapped(made: Trial, seed: int) -> Numbers:
    before, number = state_of(made), len(made.bgtasks)
    overlap = (_straight, _one_by_one, _at_once)[seed % 3]
    sent = overlap(made, random.Random(seed))
    made.drain()
    tasks = list(made.bgtasks)[number:]
    refused = any(isinstance(task.error, HoldRefusedError) for task in tasks)
    return {} if refused else _result(made, before, sent, tasks)  # BGC-RESP-01 tells of that


def _straight(made: Trial, _: random.Random) -> list[Sent]:
    return [made.begin(), made.begin()]


def _one_by_one(made: Trial, order: random.Random) -> list[Sent]:
    with made.bgtasks.hold() as gate:
        sent = [made.begin(), made.begin()]
        for task in _turns(gate, order):
            gate.run(task)
    return sent


def _turns(gate: Any, order: random.Random) -> Iterator[Any]:
    """Yield the next task of one request or the other, as the order has it."""
    while gate.pending:
        groups: dict[int, Any] = {}
        for task in gate.pending:
            groups.setdefault(id(task.request), task)
        yield order.choice(list(groups.values()))


def _at_once(made: Trial, order: random.Random) -> list[Sent]:
    with made.bgtasks.hold() as gate:
        sent = [made.begin(), made.begin()]
        made.client.run_until(lambda: len(_held(made)) == 2 or not gate.pending)
        held = _held(made)
        order.shuffle(held)
        for _, one in held:
            one.release()
        made.client.run_until(lambda: not any(t.outcome in ("held", "running") for t, _ in held))
    return sent


def _held(made: Trial) -> list[Any]:
    return [entry for gate in made.bgtasks.runner.blocks.gates() for entry in gate.held()]
