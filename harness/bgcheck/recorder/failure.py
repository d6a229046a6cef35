"""What is kept of an error once it is gone: plain text and numbers, no frame, no object."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgcheck.recorder.record import Site
from bgcheck.recorder.usercode import frames_of, is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that left a task or a request.

    Attributes:
        type: the name of its class, with the module unless it is a builtin.
        message: `str` of the error.
        site: the innermost line of user code that it passed, else the innermost line of all.
        ids: the ids of the errors that are in it: itself, members of a group, causes.
        raised: its innermost line is a `raise` statement.
    """

    type: str
    message: str
    site: Site | None
    ids: frozenset[int]
    raised: bool

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


def failure_of(error: BaseException) -> Failure:
    """Describe an error."""
    return Failure(
        type=type_name(type(error)),
        message=_message(error),
        site=_site(error),
        ids=frozenset(map(id, related(error))),
        raised=is_raised(error.__traceback__),
    )


def type_name(kind: type) -> str:
    """Name a class, with its module unless it is a builtin.

    Example:
        >>> type_name(ValueError), type_name(Failure)
        ('ValueError', 'bgcheck.recorder.failure.Failure')
    """
    name = kind.__qualname__.rpartition("<locals>.")[2]
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


def related(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, the members of a group, and what each was raised from, once each."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # a foreign __str__ may do anything
        return f"<its __str__ raised {type(broken).__name__}>"


def _site(error: BaseException) -> Site | None:
    found: Site | None = None
    users: Site | None = None
    for frame, entry in frames_of(error):
        code = frame.f_code
        function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
        found = Site(code.co_filename, entry.tb_lineno, function)
        users = found if is_user_file(code.co_filename) else users
    return users or found


def is_raised(traceback: TracebackType | None) -> bool:
    """Whether the innermost entry stands at a `raise`, rather than at a call or an await."""
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code, position = traceback.tb_frame.f_code.co_code, traceback.tb_lasti
    # the code of a function that Cython has compiled is empty
    return 0 <= position < len(code) and dis.opname[code[position]] == "RAISE_VARARGS"
