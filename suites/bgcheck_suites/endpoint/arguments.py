"""BGC-ARG: arguments fit, and stay what they were when the task was scheduled."""

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from typing import Any

from bgcheck.recorder.record import ScheduledTask
from bgcheck_suites.events import Contradiction

from .findings import require_none
from .queued import is_message, require_serializable
from .subject import Subject
from .trial import place, trial

BINDING = ("BG101", "BG102", "BG106", "BG107")
CHANGED = ("BG108", "BG301", "BG305", "BG306", "BG307")
MUTATED = ("BG302", "BG304", "BG309")
SHARED = ("BG303",)


def arguments_fit(subject: Subject) -> None:
    """BGC-ARG-01: bind the arguments, and compare them with the annotations.

    Those of messages must serialize as well.
    """
    problems: list[tuple[str, str]] = []
    with trial(subject, *BINDING) as made:
        made.witness.on_scheduled.append(lambda task: problems.extend(_misfits(task)))
        try:
            made.discover()
        finally:  # a library refuses to send some of them, and the endpoint fails
            require_serializable([task for task in made.bgtasks if is_message(task)])
        found = made.findings()
    require_none(found, BINDING)
    if problems:
        fact, evidence = problems[0]
        raise Contradiction(fact, evidence)


def _misfits(task: ScheduledTask) -> Iterator[tuple[str, str]]:
    try:
        signature = inspect.signature(task.func)
        bound = signature.bind(*task.args, **task.kwargs)
        hints = typing.get_type_hints(inspect.unwrap(task.func))
    except (
        NameError,
        TypeError,
        ValueError,
    ):  # a fault of another kind, or hints for checkers only
        return
    for name, value in bound.arguments.items():
        parameter = signature.parameters[name]
        if name not in hints or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        problem = misfit(value, hints[name])
        if problem is not None:
            yield f"{name} of {task.name} is no {_written(hints[name])}: {problem}.", place(task)


def misfit(value: Any, hint: Any) -> str | None:
    """Return why a value does not fit an annotation, or None where it does or nobody can tell."""
    try:
        from pydantic import ConfigDict, TypeAdapter, ValidationError
    except ImportError:  # an app on Starlette alone
        return None
    try:
        if _is_class(hint) and isinstance(value, hint):
            return None
        if _is_class(hint) and hasattr(hint, "model_fields"):
            return f"it is {type(value).__name__}"
        has_config = dataclasses.is_dataclass(hint) or hasattr(hint, "model_fields")
        config = None if has_config else ConfigDict(arbitrary_types_allowed=True)
        annotation: Any = hint
        adapter: Any = TypeAdapter(annotation, config=config)
    except Exception:  # a protocol, or a type that pydantic cannot check
        return None
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return f"{error.errors()[0]['msg']}, it is {type(value).__name__}"
    except Exception:  # a protocol that is not for isinstance
        return None
    return None


def _is_class(hint: Any) -> bool:
    """Whether an annotation is a class; for Python 3.10, `list[int]` is one too."""
    return isinstance(hint, type) and typing.get_origin(hint) is None


def _written(hint: Any) -> str:
    return str(hint.__name__) if _is_class(hint) else str(hint).replace("typing.", "")


def arguments_unchanged(subject: Subject) -> None:
    """BGC-ARG-02: compare the arguments at scheduling and at the start, in two requests."""
    _judge(subject, CHANGED)


def arguments_not_mutated(subject: Subject) -> None:
    """BGC-ARG-03: compare what others still see before and after each task, in two requests."""
    _judge(subject, MUTATED)


def _judge(subject: Subject, codes: tuple[str, ...]) -> None:
    with trial(subject, *codes) as made:
        made.discover_twice()
        found = made.findings()
    require_none(found, codes)


def arguments_not_shared(subject: Subject) -> None:
    """BGC-ARG-04: look for mutable data that two tasks of a response both get."""
    with trial(subject, *SHARED) as made:
        tasks = made.discover().tasks
        found = made.findings()
        require_none(found, SHARED)
        _require_apart(tasks)


def _require_apart(tasks: list[ScheduledTask]) -> None:
    seen: dict[int, tuple[ScheduledTask, str]] = {}
    for task in tasks:
        for path, value in _data_of(task):
            first, where = seen.setdefault(id(value), (task, path))
            if first is not task:
                raise Contradiction(
                    f"{first.name} and {task.name} share one {type(value).__name__}.",
                    f"{where} of {place(first)}",
                    f"{path} of {place(task)}",
                )


def _data_of(task: ScheduledTask) -> Iterator[tuple[str, Any]]:
    named = [(str(number), one) for number, one in enumerate(task.args, 1)]
    for name, value in (*named, *task.kwargs.items()):
        yield from _mutable(f"argument {name}", value, 3)


def _mutable(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (list, dict, set, bytearray)) or _is_record(value):
        yield path, value
    if depth and isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _mutable(f"{path}[{number}]", inner, depth - 1)
    elif depth and isinstance(value, dict):
        for key, inner in value.items():
            yield from _mutable(f"{path}[{key!r}]", inner, depth - 1)


def _is_record(value: Any) -> bool:
    """Whether an object is data that can change: a dataclass or a pydantic model, not frozen."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return not value.__dataclass_params__.frozen  # type: ignore[attr-defined]
    config = getattr(type(value), "model_config", None)
    return isinstance(config, dict) and not config.get("frozen", False)
