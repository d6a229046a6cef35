"""BG3, continued: secrets among the arguments that show up in logs or output."""

from __future__ import annotations

import functools
import re
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.arguments_live import has_objects, objects_of
from bgcheck.checks.arguments_transport import leaves_of
from bgcheck.checks.base import Check, Finding, unless_plain
from bgcheck.instrument.logs import watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FunctionType

    from bgcheck.checks.base import Default
    from bgcheck.events import OutputCaptured, RecordLogged, TaskScheduled, TestStarted
    from bgcheck.recorder.record import ScheduledTask, Site
    from bgcheck.recorder.request import RequestInfo
    from bgcheck.recorder.state import CallState

SHORTEST: Final = 6
"""Characters that a secret has at least: what is shorter appears by chance."""

_WORDS: Final = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "passcode", "secret", "token", "apikey"),
        *("credential", "authorization"),
    }
)
_KEYS: Final = frozenset({"api", "access", "private", "secret", "encryption", "signing", "auth"})
_HARMLESS: Final = frozenset({"page", "next", "cursor", "sync", "continuation", "csrf", "cancel"})
"""What makes a token no secret."""


@functools.lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret.

    Example:
        >>> [is_secret_name(name) for name in ("db_password", "apiKey", "token_type", "page_token")]
        [True, True, False, False]
    """
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    words = [part.lower().rstrip("s") if len(part) > 4 else part.lower() for part in parts]
    if not words:
        return False
    if words[-1] in ("key", "keys"):
        return len(words) > 1 and words[-2] in _KEYS
    plain = {word.rstrip("s") for word in _WORDS} | _WORDS
    return words[-1] in plain and not (len(words) > 1 and words[-2] in _HARMLESS)


@dataclass(frozen=True)
class _Secret:
    """A secret argument of a task.

    Attributes:
        pattern: finds its value where it stands for itself.
        path: where it is among the arguments.
        name: the name of the task.
        finding: what to say if it is printed; plain data.
    """

    pattern: re.Pattern[str]
    path: str
    name: str
    finding: Finding


class SecretLogged(Check):
    """The value of a secret-looking argument appears in logs or output."""

    code = "BG312"
    name = "secret-logged"
    default: ClassVar[Default] = "W"
    summary = "The value of an argument whose name says secret appears in a log or in the output."
    way_out = "Mask it before it is logged, or pass pydantic's SecretStr and log that."
    instruments: ClassVar[tuple[str, ...]] = ("logs",)

    def __init__(self) -> None:
        self._by_request: weakref.WeakKeyDictionary[RequestInfo, list[_Secret]] = (
            weakref.WeakKeyDictionary()
        )
        self._of_test: dict[tuple[str, str, str], _Secret] = {}

    def on_test_started(self, event: TestStarted) -> None:
        """Forget the secrets of the last test."""
        self._of_test.clear()

    def watches(self, func: FunctionType) -> bool:
        """Whether the name of a parameter says that it is a secret."""
        code = func.__code__
        return any(map(is_secret_name, code.co_varnames[: code.co_argcount]))

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> None:
        """Note the secrets among the arguments."""
        task = event.task
        if task.request is None:
            return
        for path, value in _secrets(task):
            secret = self._make(task, path, value)
            self._by_request.setdefault(task.request, []).append(secret)
            self._of_test.setdefault((task.name, path, value), secret)
            watch(task.request)

    def _make(self, task: ScheduledTask, path: str, value: str) -> _Secret:
        finding = self.found(
            f"the value of {path} of {task.name} appears in the output.",
            [("found in", "the output of the test that pytest has captured")],
            task=task,
        )
        finding.task = None  # it would show the secret once more
        pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])")
        return _Secret(pattern, path, task.name, finding)

    def on_record_logged(self, event: RecordLogged) -> Iterator[Finding]:
        """Look for them in a log record."""
        known = self._by_request.get(event.request, [])
        for secret in [each for each in known if each.pattern.search(event.text)]:
            known.remove(secret)
            self._of_test = {
                key: each for key, each in self._of_test.items() if key[:2] != secret_key(secret)
            }
            yield self._tell(secret, event.site)

    def _tell(self, secret: _Secret, site: Site) -> Finding:
        finding = secret.finding
        finding.message = f"the value of {secret.path} of {secret.name} was logged."
        finding.evidence = (("logged at", site),)
        return finding

    def on_output_captured(self, event: OutputCaptured) -> Iterator[Finding]:
        """Look for them in what the test has printed."""
        for secret in self._of_test.values():
            if secret.pattern.search(event.text):
                yield secret.finding
        self._of_test.clear()


def secret_key(secret: _Secret) -> tuple[str, str]:
    """Return what tells secrets of one test apart."""
    return secret.name, secret.path


def _secrets(task: ScheduledTask) -> Iterator[tuple[str, str]]:
    if task.call is None or not _may_hold_text(task.call):
        return
    for path, value in leaves_of(task):
        if isinstance(value, str) and is_secret_name(_last_name(path)) and _is_distinct(value):
            yield path, value
    if has_objects(task):
        for path, value in objects_of(task):
            inner = _revealed(value)
            if inner is not None and _is_distinct(inner):
                yield path, inner


def _may_hold_text(call: CallState) -> bool:
    """Whether there is more among the arguments than numbers and short words."""
    return any(
        not isinstance(state, str) or len(state) >= SHORTEST
        for state in (*call.args, *call.kwargs.values())
        if type(state) not in _NUMBERS
    )


_NUMBERS: Final = frozenset({int, float, bool, type(None)})


@functools.lru_cache(maxsize=1024)
def _last_name(path: str) -> str:
    """Return the last name of a path: `password` of `user['password']` and `user.password[0]`."""
    names = re.findall(r"[A-Za-z_][\w-]*", path)
    return names[-1] if names else ""


def _is_distinct(value: str) -> bool:
    """Whether finding a value in a text is no chance: `token` for a token may be any word."""
    is_word = is_secret_name(value) and not any(map(str.isdigit, value))
    return len(value) >= SHORTEST and not is_word and bool(value.strip("*•x. "))


def _revealed(value: Any) -> str | None:
    """Return what pydantic's SecretStr hides."""
    kind = type(value)
    if kind.__name__ != "SecretStr" or kind.__module__ != "pydantic.types":
        return None
    return str(value.get_secret_value())
