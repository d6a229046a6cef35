"""Modes for a block of code: which tasks run, wait at a gate, or are dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from bgcheck.recorder.expectation import is_task_of
from bgcheck.recorder.record import ScheduledTask, describe_function
from bgcheck.runner.errors import GateError

if TYPE_CHECKING:
    from bgcheck.runner.gate import GateCore

Mode = Literal["inline", "hold", "drop"]
MODES: tuple[Mode, ...] = get_args(Mode)

Function = Callable[..., Any]
Only = Function | Iterable[Function] | None


def functions(only: Only) -> tuple[Function, ...]:
    """Return the functions of a filter; none means all.

    Raises:
        TypeError: the filter is neither a callable nor an iterable of callables.
    """
    if only is None:
        return ()
    listed: Sequence[Any] = (only,) if callable(only) else tuple(only)
    for function in listed:
        if not callable(function):
            raise TypeError(f"only= takes functions, not {function!r}")
    return tuple(listed)


@dataclass(eq=False)
class Block:
    """One mode in force: for the tasks of some functions, or for all."""

    mode: Mode
    only: tuple[Function, ...] = ()
    gate: GateCore | None = field(default=None, repr=False)

    def applies_to(self, task: ScheduledTask) -> bool:
        """Whether this block decides about a task."""
        return not self.only or any(is_task_of(task, function) for function in self.only)


class Blocks:
    """The blocks in force, innermost last."""

    def __init__(self, mode: Mode = "inline") -> None:
        self._blocks: list[Block] = [Block(mode)]

    def of(self, task: ScheduledTask) -> Block:
        """Return the innermost block that applies to a task."""
        return next(block for block in reversed(self._blocks) if block.applies_to(task))

    def innermost(self, mode: Mode) -> Block | None:
        """Return the innermost block of this mode."""
        return next((block for block in reversed(self._blocks) if block.mode == mode), None)

    def gates(self) -> list[GateCore]:
        """Return the gates in force, outermost first."""
        return [block.gate for block in self._blocks if block.gate is not None]

    def enter(self, block: Block) -> None:
        """Put a block in force.

        Raises:
            GateError: it would hold what the block around it holds.
        """
        if block.mode == "hold":
            self._refuse_nested(block)
        self._blocks.append(block)

    def leave(self, block: Block) -> None:
        """Take a block out of force."""
        self._blocks.remove(block)

    def _refuse_nested(self, block: Block) -> None:
        outer = self._blocks[-1]
        if outer.mode != "hold" or outer.gate is None:
            return
        shared = [function for function in block.only if function in outer.only]
        if shared or (not block.only and not outer.only):
            what = describe_function(shared[0]) if shared else "every task"
            raise GateError(
                f"bgtasks.hold() inside bgtasks.hold(): {what} is held by the outer block already. "
                "Use the outer gate, or hold other functions inside: bgtasks.hold(only=...)."
            )
