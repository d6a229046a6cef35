"""BGC-ERR: a failing task is visible, and harms neither later tasks nor later requests."""

import logging
from typing import Any

from bgcheck_suites.events import Contradiction
from bgcheck_suites.marks import NotApplicable

from .faulting import Faulty, all_faults, inside, outside
from .response import differences, steady_facts
from .state import Numbers, change, state_of
from .subject import Subject
from .trial import Trial, trial


def failure_visible(subject: Subject) -> None:
    """BGC-ERR-01: have each task fail, and look for the failure in the log, the state, the server.

    A task that tries again and succeeds has not failed.
    """
    with trial(subject) as made:
        made.discover_twice()
        functions = made.functions
        usual = _change_of_a_request(made)
        before = state_of(made)
        for source in (outside, inside):
            for faulty in source(made, functions):
                after = state_of(made)
                recorded = _is_recorded(usual, change(before, after)) or subject.is_recorded()
                before = after
                if not recorded and _is_silent(faulty):
                    raise Contradiction(
                        f"Nobody is told when {faulty.fault}: the error leaves no trace.",
                        f"raised {faulty.hits} times",
                        *(f"{task.name} {task.outcome}" for task in faulty.sent.tasks),
                        *(text for _, text in faulty.sent.logged[-2:]),
                    )


def _change_of_a_request(made: Trial) -> Numbers:
    before = state_of(made)
    made.send()
    return change(before, state_of(made))


def _is_silent(faulty: Faulty) -> bool:
    sent = faulty.sent
    return sent.error is None and not any(level >= logging.WARNING for level, _ in sent.logged)


def _is_recorded(usual: Numbers, now: Numbers) -> bool:
    """Whether the state has grown somewhere as no success lets it grow."""
    return any(grown > usual.get(name, 0.0) for name, grown in now.items())


def later_tasks_run(subject: Subject) -> None:
    """BGC-ERR-02: have each task but the last fail inside, and look at the later ones."""
    with trial(subject) as made:
        sent, _ = made.discover_twice()
        if len(sent.tasks) < 2:
            raise NotApplicable("the request schedules one task only")
        functions = [task.func for task in sent.tasks[:-1]]
        for faulty in inside(made, list({id(f): f for f in functions}.values())):
            skipped = [task for task in faulty.sent.tasks if task.outcome == "skipped"]
            if skipped:
                raise Contradiction(
                    f"{skipped[0].name} never starts where {faulty.fault}.",
                    *(f"{task.name} {task.outcome}" for task in faulty.sent.tasks),
                )


def next_request_served(subject: Subject) -> None:
    """BGC-ERR-03: send the request again after each fault, and compare."""
    with trial(subject) as made:
        first, second = made.discover_twice()
        steady = steady_facts(first, second)
        usual = _tasks(first)
        for faulty in all_faults(made, made.functions):
            after = made.send()
            found = list(differences(steady, after))
            if not found and _tasks(after) != usual:
                found = [f"tasks: {usual} before, {_tasks(after)} after it"]
            if found:
                raise Contradiction(
                    f"The next request is served otherwise after {faulty.fault}.",
                    *found[:4],
                    *(repr(task.error) for task in after.tasks if task.error is not None),
                )


def _tasks(sent: Any) -> list[tuple[str, str]]:
    return [(task.name, task.outcome) for task in sent.tasks]
