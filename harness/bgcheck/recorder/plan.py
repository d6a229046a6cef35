"""What is known of the tasks that one instruction schedules, once one of them was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bgcheck.recorder.contents import CONSTANT

if TYPE_CHECKING:
    import weakref
    from collections.abc import Mapping
    from types import CodeType, FunctionType

    from bgcheck.recorder.record import ScheduledTask, Site


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
        self.name: str = task.name
        self.shape: tuple[str, ...] = task.shape
        self.site: Site | None = task.site
        self.kinds: tuple[weakref.ref[type[Any]], ...] = task.kinds
        self.kind: Any = type(live)
        self.group_kind: type | None = task.kinds[-1]()
        self.scheduler: CodeType = code
        self.func: FunctionType = func
        self.defaults: tuple[Any, ...] | None = func.__defaults__
        self.count: int = len(live.args)
        self.names: tuple[str, ...] = tuple(live.kwargs)

    def fits_by_name(self, kwargs: Mapping[str, Any]) -> bool:
        """Whether other arguments by name have the same names, and are constants."""
        return tuple(kwargs) == self.names and CONSTANT.issuperset(map(type, kwargs.values()))
