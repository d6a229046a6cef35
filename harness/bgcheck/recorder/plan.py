"""What is known of the tasks that one instruction schedules, once one of them was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bgcheck.recorder.contents import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType, FunctionType

    from bgcheck.recorder.record import ScheduledTask


class Plan:
    """A plain call that an instruction schedules again and again, with other constants.

    Args:
        task: a plain task that it has scheduled.
        live: the task object.
        code: the code of the instruction; it is kept, so that its id belongs to it alone.
    """

    __slots__ = (
        "count", "defaults", "func", "group_kind", "kind", "kinds", "name", "names",
        "scheduler", "shape", "site",
    )  # fmt: skip

    def __init__(self, task: ScheduledTask, live: Any, code: CodeType) -> None:
        func: FunctionType = live.func
        self.name = task.name
        self.shape = task.shape
        self.site = task.site
        self.kinds = task.kinds
        self.kind = type(live)
        self.group_kind = task.kinds[-1]()
        self.scheduler = code
        self.func = func
        self.defaults = func.__defaults__
        self.count: int = len(live.args)
        self.names: tuple[str, ...] = tuple(live.kwargs)

    def fits(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether other arguments are as many constants by the same names."""
        if len(args) != self.count or self.func.__defaults__ is not self.defaults:
            return False
        for value in args:
            if type(value) not in CONSTANT:
                return False
        return not (kwargs or self.names) or self._fits_by_name(kwargs)

    def _fits_by_name(self, kwargs: Mapping[str, Any]) -> bool:
        return tuple(kwargs) == self.names and CONSTANT.issuperset(map(type, kwargs.values()))
