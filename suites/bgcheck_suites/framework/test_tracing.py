"""The tracing hook: what FastAPI tells OpenTelemetry of tasks, and whose code runs a group."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import BackgroundTasks, FastAPI
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteGroup
from starlette.responses import JSONResponse, Response

from bgcheck_suites.apps import Schedule, TaskError, raising, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement

TASK = "fastapi.background_task"


@dataclass
class Tracing:
    """What an app reported to a tracer of the probe."""

    log: Log
    names: list[str] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)

    def told(self) -> str:
        """Say how many spans of tasks there are."""
        return f"{self.names.count(TASK)} spans" if self.names else "no spans"


def traced_app(log: Log) -> tuple[FastAPI, Tracing]:
    """Return an app that reports to a tracer, where this FastAPI knows tracers."""
    tracing = Tracing(log)
    provider = _provider(tracing)
    settings: dict[str, Any] = {"telemetry": {"tracer_provider": provider}} if provider else {}
    return FastAPI(**settings), tracing


def _provider(tracing: Tracing) -> Any:
    """Return a tracer provider that writes into `tracing`; None without OpenTelemetry."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None

    class Span(trace.NonRecordingSpan):
        def __init__(self, name: str) -> None:
            super().__init__(trace.SpanContext(len(tracing.names), 1, is_remote=False))
            self.name = name

        def is_recording(self) -> bool:
            return True

        def set_status(self, status: Any, description: str | None = None) -> None:
            tracing.statuses[self.name] = getattr(status, "status_code", status).name

        def end(self, end_time: int | None = None) -> None:
            tracing.log.mark(f"end of {self.name}")

    class Tracer(trace.NoOpTracer):
        def start_span(self, name: str, context: Any = None, *_: Any, **__: Any) -> Any:
            parent = getattr(trace.get_current_span(context), "name", "none")
            tracing.names.append(name)
            tracing.parents.setdefault(name, "the request" if "GET" in parent else parent)
            return Span(name)

        @contextmanager
        def start_as_current_span(  # type: ignore[override]
            self, name: str, *_: Any, **__: Any
        ) -> Iterator[Any]:
            span = self.start_span(name)
            with trace.use_span(span, end_on_exit=True, record_exception=False):
                yield span

    class Provider(trace.TracerProvider):
        def get_tracer(self, *_: Any, **__: Any) -> Any:
            return Tracer()

    return Provider()


def traced(lab: Lab, schedule: Schedule) -> Tracing:
    """Send one request to an app with these tasks, and return what was reported."""
    app, tracing = traced_app(lab.log)
    lab.send(scheduling_app(schedule, app)).end().answered()
    return tracing


@requirement("BGF-TRACE-01")
def test_the_spans_of_tasks(lab: Lab, log: Log, observe: Observe) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task 1")
        tasks.add_task(log.mark_async, "task 2")

    observe(traced(lab, schedule).told())


@requirement("BGF-TRACE-02")
def test_whose_code_runs_a_group(lab: Lab, log: Log, observe: Observe, monkeypatch: Any) -> None:
    original = StarletteGroup.__call__

    async def patched(group: StarletteGroup) -> None:
        log.mark("patch")
        await original(group)

    monkeypatch.setattr(StarletteGroup, "__call__", patched)
    lab.send(scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))).settle()
    log.times("task", 1)
    observe("Starlette's, patches of it count" if log.count("patch") else "FastAPI's own")


@requirement("BGF-TRACE-03")
def test_the_span_of_a_failing_task(lab: Lab, observe: Observe) -> None:
    tracing = traced(lab, lambda tasks: tasks.add_task(raising(TaskError("no"))))
    observe(f"{tracing.told()}, status {tracing.statuses.get(TASK, 'unset')}")


@requirement("BGF-TRACE-04")
def test_the_parent_of_the_span_of_a_task(lab: Lab, observe: Observe) -> None:
    tracing = traced(lab, lambda tasks: tasks.add_task(lambda: None))
    observe(f"{tracing.told()}, within {tracing.parents.get(TASK, 'nothing')}")


@requirement("BGF-TRACE-05")
def test_the_span_of_the_request_ends_with_its_tasks(lab: Lab, log: Log, observe: Observe) -> None:
    tracing = traced(lab, lambda tasks: tasks.add_task(log.mark, "task"))
    ended = [e.number for e in log.events if e.label.startswith("end of GET")]
    if not tracing.names or not ended:
        return observe("no spans")
    after = ended[0] > log.first("task").number
    return observe("the request's span ends after the task" if after else "it ends before the task")


@requirement("BGF-TRACE-06")
def test_the_own_background_of_a_response_is_traced(lab: Lab, log: Log, observe: Observe) -> None:
    app, tracing = traced_app(log)

    @app.get("/")
    def endpoint() -> Response:
        return JSONResponse({}, background=BackgroundTask(log.mark, "task"))

    lab.send(app).settle()
    log.times("task", 1)
    observe(tracing.told())


@requirement("BGF-TRACE-07")
def test_the_current_span_within_a_def_task(lab: Lab, observe: Observe) -> None:
    seen: list[str] = []

    def task() -> None:
        try:
            from opentelemetry import trace
        except ImportError:
            return seen.append("none")
        return seen.append(getattr(trace.get_current_span(), "name", "none"))

    traced(lab, lambda tasks: tasks.add_task(task))
    observe(", ".join(seen))


@requirement("BGF-TRACE-08")
def test_tracing_changes_nothing_for_tasks(lab: Lab, log: Log) -> None:
    def fail() -> None:
        log.mark("task 2")
        raise TaskError("no")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task 1")
        tasks.add_task(fail)
        tasks.add_task(log.mark, "task 3")

    traced(lab, schedule)
    log.in_order("response complete", "task 1", "task 2")
    log.never("task 3", because_of="task 2")
