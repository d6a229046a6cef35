"""`verify`: the verdict of one requirement of the contract on one endpoint."""

from collections.abc import Callable, Mapping

from bgcheck.report.stack import resolved_stack
from bgcheck_suites.events import Contradiction
from bgcheck_suites.judge import Verdict, judge
from bgcheck_suites.marks import NotApplicable, NotTestable
from bgcheck_suites.registry import Expectation, Row, registry

from .arguments import (
    arguments_fit,
    arguments_not_mutated,
    arguments_not_shared,
    arguments_unchanged,
)
from .database import connections_not_held, session_not_shared, sessions_closed
from .errors import failure_visible, later_tasks_run, next_request_served
from .queued import in_use
from .response import response_before_task, response_independent
from .running import loop_not_blocked, nothing_left, overlap_harmless
from .subject import Subject, SubjectError
from .trial import trial
from .validation import invalid_refused

VERIFICATIONS: Mapping[str, Callable[[Subject], None]] = {
    "BGC-RESP-01": response_before_task,
    "BGC-RESP-02": response_independent,
    "BGC-ERR-01": failure_visible,
    "BGC-ERR-02": later_tasks_run,
    "BGC-ERR-03": next_request_served,
    "BGC-ARG-01": arguments_fit,
    "BGC-ARG-02": arguments_unchanged,
    "BGC-ARG-03": arguments_not_mutated,
    "BGC-ARG-04": arguments_not_shared,
    "BGC-VAL-01": invalid_refused,
    "BGC-DB-01": sessions_closed,
    "BGC-DB-02": connections_not_held,
    "BGC-DB-03": session_not_shared,
    "BGC-LOOP-01": loop_not_blocked,
    "BGC-RUN-01": overlap_harmless,
    "BGC-END-01": nothing_left,
}
"""The functions that verify: each raises Contradiction, NotApplicable or NotTestable."""


def contract_rows() -> dict[str, Row]:
    """Return the requirements of the contract, by id."""
    return {id_: registry()[id_] for id_ in VERIFICATIONS}


def verify(subject: Subject, id_: str) -> Verdict:
    """Verify one requirement of one endpoint.

    Args:
        subject: the app and its request.
        id_: such as `BGC-RESP-01`.

    Returns:
        pass, fail, warn (a SHOULD), not-applicable or not-testable, with its words and evidence.
    """
    error: BaseException | None = None
    try:
        _require_here(subject, registry()[id_])
        VERIFICATIONS[id_](subject)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # pytest's own outcomes are no Exceptions
        error = raised
    return judge(registry()[id_], resolved_stack(), error, None)


def _require_here(subject: Subject, row: Row) -> None:
    """Leave a requirement out that is about this process, where all tasks go to a queue."""
    if not row.in_process_only or not in_use():
        return
    with trial(subject) as made:
        _, sent = made.discover_twice()  # as what verifies will send it again
        if len(made.messages) == len(sent.tasks):
            raise NotApplicable(f"its tasks go to a queue: {row.on_queue}")


def check(subject: Subject) -> None:
    """Start the app and send the request once.

    Raises SubjectError where that is nothing to verify a contract by. A request that hangs is: each
    requirement tells of that.
    """
    try:
        with trial(subject) as made:
            made.discover()
    except NotTestable as error:
        raise SubjectError(str(error)) from error
    except Contradiction:
        return


def expect(verdict: Verdict, known: Expectation) -> Verdict:
    """Return the verdict of a requirement that is known not to hold here.

    Args:
        verdict: what was found.
        known: why it does not hold; its versions are those of this stack.
    """
    why = " ".join(filter(None, [known.reason, known.when and f"({known.when})", known.link]))
    if verdict.status in ("fail", "warn"):
        return Verdict("expected-fail", f"{verdict.message} Known: {why}", verdict.evidence)
    if verdict.status == "pass":
        return Verdict("unexpected-pass", f"It holds, but is listed as failing: {why}")
    return verdict
