"""Find the line of user code that scheduled a task."""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

from bgcheck.recorder.record import Site

_MACHINERY = frozenset(
    [
        "anyio",
        "asyncio",
        "bgcheck",
        "celery",
        "contextlib",
        "dramatiq",
        "fastapi",
        "functools",
        "pytest_mock",
        "starlette",
        "taskiq",
        "unittest",
    ]
)
"""Top-level packages between user code and the task object that are never the schedule site."""

_LAYERS: Final = 10
_OWN_METHODS: Final = ("__init__", "add_task")

_is_machinery: dict[str, bool] = {}
_schedulers: dict[int, CodeType] = {}
"""Code that has scheduled a task before, by id: looking closely is what costs most of a record."""
_sites: dict[tuple[int, int], Site] = {}
"""The place of each instruction that has scheduled a task before, by id of its code and offset."""
_groups: set[type] = set()
"""The class of a group of tasks, to which `add_task` belongs."""
_known_codes: weakref.WeakKeyDictionary[type, tuple[list[Any], frozenset[int]]] = (
    weakref.WeakKeyDictionary()
)


def schedule_site(task: object) -> tuple[Site | None, Any]:
    """Return the innermost frame of user code, and the group to which the task is being added.

    The site is None where only machinery is on the stack, the group where nothing adds the task.
    A subclass that calls up from its own `__init__` or `add_task` is not the site: its caller is.
    So is the caller of a spy or decorator that somebody put in the place of these methods.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - no public function is as cheap
    group: Any = None
    while frame is not None:
        code = frame.f_code
        if _schedulers.get(id(code)) is code:
            break
        if group is None and code.co_name == "add_task":
            group = group_of(frame)
        name = frame.f_globals.get("__name__")
        machinery = _is_machinery[name] if name in _is_machinery else _look_at_module(name)
        if not machinery and not _is_behind_method(frame, task, group):
            if code.co_name not in _OWN_METHODS:
                _schedulers[id(code)] = code
            break
        frame = frame.f_back
    return (None if frame is None else site_of_frame(frame)), group


def note_groups(*kinds: type) -> None:
    """Tell the class of groups: what is called `add_task` of one adds to it."""
    _groups.clear()
    _groups.update(kinds)


def group_of(frame: FrameType) -> Any:
    """Return the group whose `add_task` a frame is, or None."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    return owner if isinstance(owner, tuple(_groups)) else None


def site_of_frame(frame: FrameType) -> Site:
    """Return the place in user code where a frame stands."""
    code = frame.f_code
    key = id(code), frame.f_lasti
    kept = _schedulers.get(id(code)) is code
    site = _sites.get(key) if kept else None
    if site is None:
        function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
        site = Site(code.co_filename, frame.f_lineno, function)
        if kept:
            _sites[key] = site
    return site


def _look_at_module(name: object) -> bool:
    """Whether a module is machinery; code without a module is made by `unittest.mock`."""
    machinery = not isinstance(name, str) or name.partition(".")[0] in _MACHINERY
    if isinstance(name, str):
        _is_machinery[name] = machinery
    return machinery


def _is_behind_method(frame: FrameType, task: object, group: object) -> bool:
    """Whether this user code stands in the place of `__init__` or `add_task`."""
    code = id(frame.f_code)
    return (
        (group is not None and code in _method_codes(type(group)))
        or (not isinstance(group, type(task)) and code in _method_codes(type(task)))
        or _adds_without_calling_up(frame)
    )


def _method_codes(kind: type) -> frozenset[int]:
    """The ids of the code of `__init__` and `add_task`, as class and bases have them now."""
    methods = [base.__dict__.get(name) for base in kind.__mro__ for name in _OWN_METHODS]
    known = _known_codes.get(kind)
    if known is None or any(map(operator.is_not, known[0], methods)):
        codes = frozenset(id(code) for method in methods for code in _codes(method))
        known = _known_codes[kind] = (methods, codes)
    return known[1]


def _codes(method: Any) -> Iterator[CodeType]:
    """The code of a function, and of what it wraps."""
    for _ in range(_LAYERS):
        code = getattr(method, "__code__", None)
        if isinstance(code, CodeType):
            yield code
        method = getattr(method, "__wrapped__", None)


def _adds_without_calling_up(frame: FrameType) -> bool:
    """Whether this is the `add_task` of a group that appends a task object by itself."""
    code = frame.f_code
    if code.co_name != "add_task" or not code.co_argcount:
        return False
    return hasattr(frame.f_locals.get(code.co_varnames[0]), "tasks")
