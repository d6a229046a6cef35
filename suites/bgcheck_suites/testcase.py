"""`TaskContract`: a test class that an adopter subclasses, with one test for each requirement."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from .endpoint.loading import load_app
from .endpoint.subject import RequestSpec, Subject, SubjectError, subject_of
from .endpoint.verify import contract_rows
from .gating import Known, fail, gate, gate_capabilities
from .marks import requirement
from .registry import Row

GIVEN: frozenset[str] = frozenset(
    {"tasks", "invalid", "slow_tasks", "ignore_engines", "timeout", "seeds", "backend"}
)


class TaskContract:
    """The contract of a task endpoint, as tests. Subclass it, and give an app and a request.

    Example:
        class TestCreateItem(TaskContract):
            app = "myproject.main:app"
            request = "POST /items/1"

    Attributes:
        app: `module:app`, an app, a function that makes one, or a fixture of the class; without
            any of them the fixture `app` of the project.
        request: method and path of a request that schedules tasks.
        json, data, files, headers: the rest of that request.
        tasks: the names of the tasks that it must schedule; None for whatever it does.
        invalid: requests that must be refused, besides those derived from the schema: a line, or
            keyword arguments of the request such as `{"json": {}}`.
        slow_tasks: async tasks that may compute for long.
        ignore_engines: database engines not to look at.
        timeout: seconds of real time that a request and its tasks may take.
        seeds: how many orders of two overlapping requests are tried.
        backend: the event loop that the app runs on, `asyncio` or `trio`.
        expected_failures: by id, the reason why a requirement is known not to hold, as a text or
            as an `Expectation` with its versions; one that holds all the same fails.
        capabilities: what the endpoint is declared to do or not; see `Capabilities`.
    """

    app: ClassVar[Any] = None
    request: ClassVar[str] = ""
    json: ClassVar[Any] = None
    data: ClassVar[Any] = None
    files: ClassVar[Any] = None
    headers: ClassVar[Mapping[str, str]] = {}
    tasks: ClassVar[Sequence[str] | None] = None
    invalid: ClassVar[Sequence[str | Mapping[str, Any]]] = ()
    slow_tasks: ClassVar[Sequence[str]] = ()
    ignore_engines: ClassVar[Sequence[Any]] = ()
    timeout: ClassVar[float] = 10.0
    seeds: ClassVar[int] = 6
    backend: ClassVar[str] = "asyncio"
    expected_failures: ClassVar[Known] = {}
    capabilities: ClassVar[Mapping[str, bool]] = {}

    # The trials inject faults on purpose: the checks of the session need not tell of them.
    pytestmark: ClassVar[Any] = pytest.mark.bgcheck(ignore=["BG"])

    def prepare(self) -> str | Mapping[str, Any] | None:
        """Do what must be done before each request, such as storing a row that it needs.

        May return a line such as `POST /items/2`, or other parts of the request, to be sent
        instead of the request of the class: one for each row.
        """
        return None

    def probe(self) -> Any:
        """Return more of the app's state, to compare runs by: numbers, lists, dicts."""

    def is_recorded(self) -> bool:
        """Tell whether the app has recorded a failure, where bgcheck cannot see it."""
        return False

    def subject(self, request: pytest.FixtureRequest) -> Subject:
        """Return what is verified: the app and the request of this class."""
        cls = type(self)
        spec = RequestSpec(cls.request, cls.json, cls.data, cls.files, dict(cls.headers))
        return subject_of(
            load_app(_app_of(cls, request)),
            spec,
            prepare=self.prepare,
            probe=self.probe,
            is_recorded=self.is_recorded,
            **{name: getattr(cls, name) for name in sorted(GIVEN)},
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the test of the capabilities where some are declared."""
        super().__init_subclass__(**kwargs)
        if cls.capabilities:
            cls.test_capabilities = _test_capabilities  # type: ignore[attr-defined]

    def _verify(self, request: pytest.FixtureRequest, row: Row) -> None:
        try:
            subject = self.subject(request)
        except SubjectError as error:
            fail(f"{type(self).__name__}: {error}")
        gate(request, subject, row.id, self.expected_failures)


def _test_capabilities(self: TaskContract, request: pytest.FixtureRequest) -> None:
    """What the endpoint is declared to do is what it does."""
    try:
        subject = self.subject(request)
    except SubjectError as error:
        fail(f"{type(self).__name__}: {error}")
    gate_capabilities(subject, self.capabilities)


def _app_of(cls: type[TaskContract], request: pytest.FixtureRequest) -> Any:
    """Return the app: the attribute of the class, or the fixture of that name."""
    given = inspect.getattr_static(cls, "app", None)
    if isinstance(given, staticmethod):
        given = given.__func__
    if given is None or type(given).__name__ == "FixtureFunctionDefinition":
        return request.getfixturevalue("app")
    return given


def _test_of(row: Row) -> Callable[[TaskContract, pytest.FixtureRequest], None]:
    @requirement(row.id)
    def test(self: TaskContract, request: pytest.FixtureRequest) -> None:
        self._verify(request, row)

    test.__name__ = f"test_{row.id.replace('-', '_')}"
    test.__qualname__ = f"TaskContract.{test.__name__}"
    test.__doc__ = f"{row.id} ({row.level}): {row.text}"
    return test


for _row in contract_rows().values():
    setattr(TaskContract, f"test_{_row.id.replace('-', '_')}", _test_of(_row))
