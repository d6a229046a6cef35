"""BGC-RESP: the response comes before the tasks, and does not depend on them."""

from collections.abc import Iterator, Sequence

from bgcheck.runner.errors import HoldRefusedError
from bgcheck_suites.events import Contradiction

from .faulting import Faulty, cancelled, outside
from .subject import Subject
from .trial import Sent, place, trial


def response_before_task(subject: Subject) -> None:
    """BGC-RESP-01: hold each task at its start until the response is complete."""
    with trial(subject) as made:
        with made.bgtasks.hold():
            made.begin()
        made.drain()
        tasks = made.tasks()
        early = [task for task in tasks if isinstance(task.error, HoldRefusedError)]
    if early:
        raise Contradiction(
            f"{early[0].name} starts before the response is complete: its client waits for it.",
            *map(place, early),
        )
    _need_tasks(subject, tasks)


def _need_tasks(subject: Subject, tasks: Sequence[object]) -> None:
    if not tasks:
        with trial(subject) as made:
            made.discover()


def response_independent(subject: Subject) -> None:
    """BGC-RESP-02: compare the responses of requests whose tasks succeed, fail, are cancelled."""
    with trial(subject) as made:
        first, second = made.discover_twice()
        steady = steady_facts(first, second)
        functions = made.functions
        for faulty in (*outside(made, functions), *cancelled(made, functions)):
            _compare(steady, faulty)


def steady_facts(*sent: Sent) -> dict[str, object]:
    """Return what all responses have in common: identifiers and times differ by themselves."""
    first, *others = [one.facts() for one in sent]
    return {k: v for k, v in first.items() if all(k in one and one[k] == v for one in others)}


def differences(steady: dict[str, object], sent: Sent) -> Iterator[str]:
    """Yield what is different in a response, as evidence."""
    facts = sent.facts()
    for name, value in steady.items():
        if name not in facts or facts[name] != value:
            yield f"{name}: {value!r} without the fault, {facts.get(name)!r} with it"


def _compare(steady: dict[str, object], faulty: Faulty) -> None:
    found = list(differences(steady, faulty.sent))
    if found:
        raise Contradiction(f"The response is another where {faulty.fault}.", *found[:4])
