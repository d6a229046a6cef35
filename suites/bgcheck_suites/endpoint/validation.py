"""BGC-VAL: invalid input is refused, and schedules nothing."""

from typing import Any

from bgcheck_suites.events import Contradiction
from bgcheck_suites.marks import NotApplicable

from .fields import wire_names
from .invalid import Invalid, derive
from .openapi import documents, operation_of
from .subject import Subject
from .trial import Sent, Trial, place, trial


def invalid_refused(subject: Subject) -> None:
    """BGC-VAL-01: send each invalid request, and look at its status and its tasks."""
    with trial(subject) as made:
        made.discover()
        for invalid in _cases(subject, made.wire.endpoints[0] if made.wire.endpoints else None):
            _require_refused(made, invalid)


def _cases(subject: Subject, endpoint: Any) -> list[Invalid]:
    given = [Invalid(f"it is {one.line} (given)", one) for one in subject.invalid]
    operation = operation_of(subject.app, subject.request)
    derived = []
    if operation is not None:
        derived = derive(operation, subject.request, wire_names(endpoint))
    if given or derived:
        return [*given, *derived]
    if operation is not None:
        raise NotApplicable("the schema of the operation forbids nothing; give `invalid` requests")
    known = "does not list this request" if any(documents(subject.app)) else "is not there"
    raise NotApplicable(f"the OpenAPI schema of the app {known}; give `invalid` requests")


def _require_refused(made: Trial, invalid: Invalid) -> None:
    sent = made.send(invalid.request)
    evidence = [_written(invalid, sent), *map(place, sent.tasks)]
    if sent.status is None or not 400 <= sent.status < 500:
        answer = f"answered {sent.status}" if sent.status else "not answered"
        raise Contradiction(f"Invalid input is {answer}: {invalid.fault}.", *evidence)
    if sent.tasks:
        raise Contradiction(
            f"Invalid input is refused, and schedules {sent.tasks[0].name} all the same: "
            f"{invalid.fault}.",
            *evidence,
        )


def _written(invalid: Invalid, sent: Sent) -> str:
    spec = invalid.request
    parts = {"json": spec.json, "data": spec.data, "files": spec.files, "headers": spec.headers}
    given = ", ".join(f"{name} {value!r}" for name, value in parts.items() if value)
    body = f" with {given}" if given else ""
    return f"{spec.line[:200]}{body[:200]} -> {sent.status}"
