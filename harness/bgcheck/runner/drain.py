"""Draining a gate: count what comes of the tasks, and notice where it has no end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bgcheck.recorder.raising import raise_all
from bgcheck.runner.errors import DrainLimitError

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.runner.blocks import Block

CHAIN_SHOWN = 5
"""Generations of a growing chain that its error prints."""


@dataclass(frozen=True)
class DrainResult:
    """How many tasks came to which end while a gate was drained, and the tasks themselves."""

    succeeded: int
    failed: int
    skipped: int
    cancelled: int
    tasks: tuple[ScheduledTask, ...] = ()

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """What the failed tasks raised, in order."""
        return tuple(task.error for task in self.tasks if task.error is not None)


class Drain:
    """The state of one drain."""

    def __init__(self, block: Block, limit: int, on_error: Literal["raise", "collect"]) -> None:
        if on_error not in ("raise", "collect"):
            raise ValueError(f"on_error={on_error!r}: it is 'raise' or 'collect'")
        if limit < 1:
            raise ValueError(f"limit={limit}: it is at least 1")
        self._block = block
        self._limit = limit
        self._on_error = on_error
        self._released = 0
        self._ended: list[ScheduledTask] = []

    def note(self, task: ScheduledTask) -> None:
        """A task has got its last outcome meanwhile."""
        if self._block.applies_to(task):
            self._ended.append(task)

    def count(self, task: ScheduledTask) -> None:
        """Another task is about to be released.

        Raises:
            DrainLimitError: the limit is reached.
        """
        if self._released == self._limit:
            raise DrainLimitError(_endless(self._limit, task))
        self._released += 1

    def result(self) -> DrainResult:
        """Return the counts.

        Raises:
            BaseException: with `on_error="raise"`, what a task raised, or a group of errors.
        """
        counts = Counter(task.outcome for task in self._ended)
        result = DrainResult(
            counts["succeeded"],
            counts["failed"],
            counts["skipped"],
            counts["cancelled"],
            tuple(self._ended),
        )
        if self._on_error == "raise":
            raise_all(result.errors)
        return result


def _endless(limit: int, task: ScheduledTask) -> str:
    chain = [task]
    while chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    names = [link.name for link in reversed(chain)]
    shown = names[-CHAIN_SHOWN:]
    before = f"({len(names) - len(shown)} before) -> " if len(names) > len(shown) else ""
    growing = f"  the chain that grows: {before}{' -> '.join(shown)}\n" if len(names) > 1 else ""
    return (
        f"gate.drain() released {limit} tasks, and {task.name} is pending still.\n{growing}"
        "  If that is meant, give a higher limit=; else release tasks one by one with "
        "gate.run_next()."
    )
