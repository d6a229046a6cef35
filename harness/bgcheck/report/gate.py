"""From the results of a conformance run to an exit code, with the reasons in words."""

from dataclasses import dataclass
from enum import IntEnum

from .results import Run


class ExitCode(IntEnum):
    """The exit codes of `bgcheck conform`."""

    HOLDS = 0
    FAILED = 1
    INCONCLUSIVE = 2
    USAGE = 3
    SUITE_BUG = 4


@dataclass(frozen=True)
class Gate:
    """An exit code, and the sentences that justify it."""

    code: ExitCode
    reasons: tuple[str, ...]


def decide(run: Run, *, broken: tuple[str, ...] = ()) -> Gate:
    """Return the gate of a run.

    `broken` holds what kept a suite from being collected or run at all. A bug in the suite
    outweighs an inconclusive run, and that one outweighs a failed requirement: a verdict about
    the stack needs a suite that works, and all of it.
    """
    bugs = broken + tuple(
        f"{result.id}: its test broke: {result.message.splitlines()[0]}"
        for result in run.results
        if result.suite_error
    )
    if bugs:
        return Gate(ExitCode.SUITE_BUG, bugs)
    inconclusive = _inconclusive(run)
    if inconclusive:
        return Gate(ExitCode.INCONCLUSIVE, inconclusive)
    failed = tuple(f"{result.id}: {result.status}" for result in run.results if result.failing)
    if failed:
        return Gate(ExitCode.FAILED, failed)
    return Gate(ExitCode.HOLDS, (_holds(run),))


def _inconclusive(run: Run) -> tuple[str, ...]:
    if run.precondition:
        return (run.precondition,)
    reasons = []
    if run.footer is None:
        reasons.append("the run has no footer: it stopped before its end (pytest.log says where)")
    if len(run.results) < run.expected:
        reasons.append(f"{len(run.results)} of {run.expected} requirements were measured")
    elif run.footer is not None and not run.complete:
        reasons.append("the run says of itself that it is incomplete")
    if all(result.status == "not-applicable" for result in run.results):
        reasons.append("nothing was measured")
    return tuple(reasons)


def _holds(run: Run) -> str:
    parts = []
    for level in ("MUST", "SHOULD"):
        holding, measured = run.tally(level)
        if measured:
            parts.append(f"{level} {holding}/{measured}")
    behaviours, _ = run.tally(None)
    if behaviours:
        parts.append(f"{behaviours} behaviours as recorded")
    return ", ".join(parts)
