"""What a check and a finding are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FunctionType

    from bgcheck.recorder.record import ScheduledTask, Site
    from bgcheck.recorder.request import RequestInfo

Default = Literal["E", "W", "O"]
"""Error, warning (fails in strict mode only if it is selected), opt-in."""

LEVELS: dict[Default, str] = {"E": "error", "W": "warning", "O": "opt-in"}


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a finding, as text."""

    method: str
    path: str
    route: str | None


@dataclass(slots=True)
class Finding:
    """One fault that a check found, as plain data: it keeps no object of the test alive.

    Attributes:
        code: such as `BG301`.
        name: such as `changed-after-schedule`.
        default: `E`, `W` or `O`.
        message: one sentence: what is wrong.
        evidence: lines of label and text, such as `("payload['to']", "'a' when scheduled, ...")`;
            a place instead of the text is written relative to the rootdir.
        way_out: what to do about it.
        task: the call that was scheduled, as text, or None.
        func: the name of the task's function, or None.
        site: where it was scheduled, or None.
        request: the request that scheduled it, or None.
        test: the node id of the test, filled in by the engine.
        level: `error`, `warning` or `opt-in`.
    """

    code: str
    name: str
    default: Default
    message: str
    evidence: tuple[tuple[str, str | Site], ...]
    way_out: str
    task: str | None = None
    func: str | None = None
    site: Site | None = None
    request: Request | None = None
    test: str | None = None
    covers: frozenset[int] = field(default=frozenset(), compare=False)

    @property
    def level(self) -> str:
        """The default as a word."""
        return LEVELS[self.default]


HandlerT = TypeVar("HandlerT", bound="Callable[..., Any]")

_UNLESS_PLAIN: Final = "__bgcheck_unless_plain__"


def unless_plain(handler: HandlerT) -> HandlerT:
    """Mark a handler of a task's event that has nothing to see in a plain task.

    That is a call of a plain function (no closure, no decorator, no defaults but None and booleans,
    none that a check watches) with constants that fit, scheduled in a request and by no other task,
    the first of its function there, which ran at most once and has not failed, been skipped or
    lost, nor returned what nobody has started; and nothing has happened in its request that an
    instrument tells of. Most tasks are, and the marked handlers cost them nothing.
    """
    setattr(handler, _UNLESS_PLAIN, True)
    return handler


def sees_plain(handler: object) -> bool:
    """Whether a handler wants to hear of plain tasks."""
    return not getattr(handler, _UNLESS_PLAIN, False)


class Check:
    """Base of all checks. A check defines `on_...` for each event it wants to see.

    The name of the method is the event's name in snake case: `TaskScheduled` comes to
    `on_task_scheduled(self, event)`. It returns or yields findings, or returns None. An event and
    what hangs on it may be kept only as text and numbers: no task, argument, error or frame longer
    than its test, and no error or argument at all beyond the call.

    Attributes:
        code: such as `BG301`; never reused.
        name: such as `changed-after-schedule`.
        default: `E`, `W` or `O`.
        summary: what it finds, in one sentence.
        way_out: what to do about it, in one sentence.
        instruments: modules of `bgcheck.instrument` that it needs, besides the tasks and requests:
            each has `install()` and `uninstall()`.
        opt_in_instruments: those that only its opt-in part needs.
        selected: select names it, and does not only leave it on: its opt-in part is on too.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    default: ClassVar[Default]
    summary: ClassVar[str]
    way_out: ClassVar[str]
    instruments: ClassVar[tuple[str, ...]] = ()
    opt_in_instruments: ClassVar[tuple[str, ...]] = ()
    selected: bool = False

    def watches(self, func: FunctionType) -> bool:
        """Whether no call of a function is plain for this check, whatever the arguments."""
        return False

    @classmethod
    def unsupported(cls) -> str | None:
        """Return why the check cannot work on this interpreter, or None. Asked once, first."""
        return None

    def absent(self) -> str | None:
        """Return what was missing in this session, or None. Asked once, in the end."""
        return None

    def found(
        self,
        message: str,
        evidence: Sequence[tuple[str, str | Site]] = (),
        *,
        task: ScheduledTask | None = None,
        request: RequestInfo | None = None,
        site: Site | None = None,
        way_out: str | None = None,
        covers: Sequence[ScheduledTask] = (),
        default: Default | None = None,
    ) -> Finding:
        """Make a finding.

        Args:
            message: one sentence, without the code.
            evidence: label and text, or place, of each line of evidence.
            task: the task it is about: gives the call, the site and the request.
            request: the request, where no task is.
            site: the place, where no task is or another place counts.
            way_out: what to do, if another than the check's own.
            covers: tasks whose failure this finding explains, so that BG201 need not.
            default: `O` for what only the check's opt-in part finds.
        """
        request = request or (task.request if task is not None else None)
        return Finding(
            code=self.code,
            name=self.name,
            default=default or self.default,
            message=message,
            evidence=tuple(evidence),
            way_out=way_out or self.way_out,
            task=call_text(task),
            func=task.name if task is not None else None,
            site=site or (task.site if task is not None else None),
            request=request_of(request),
            covers=frozenset(map(id, covers)),
        )


def call_text(task: ScheduledTask | None) -> str | None:
    """Write the call of a task as it was scheduled."""
    if task is None:
        return None
    return str(task.call) if task.call is not None else f"{task.name}({task.params.describe()})"


def request_of(request: RequestInfo | None) -> Request | None:
    """Keep of a request what a finding tells."""
    return None if request is None else Request(request.method, request.path, request.route)
