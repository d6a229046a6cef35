"""From the findings of the checks to the verdict of a requirement."""

from collections.abc import Iterable, Sequence

from bgcheck.checks.base import Finding
from bgcheck_suites.events import Contradiction


def require_none(findings: Iterable[Finding], codes: Sequence[str], *, after: str = "") -> None:
    """Require that some checks found nothing.

    Args:
        findings: what all checks found.
        codes: the checks that count.
        after: what was done to the task, for the message.

    Raises Contradiction with the words of the first finding.
    """
    __tracebackhide__ = True
    counted = [finding for finding in findings if finding.code in codes]
    if counted:
        raise Contradiction(
            f"{counted[0].message}{f' It happens where {after}.' if after else ''}",
            *_lines(counted[0]),
            f"way out: {counted[0].way_out}",
            f"more: bgcheck explain {counted[0].code}",
        )


def _lines(finding: Finding) -> Iterable[str]:
    if finding.task is not None:
        yield (
            finding.task if finding.site is None else f"{finding.task}, scheduled at {finding.site}"
        )
    for label, text in finding.evidence:
        yield f"{label}: {text}"
