"""Other people's suites must not notice the plugin."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from support.projects import INI


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini(INI)
    return pytester


def passes(project: pytest.Pytester, test: str, *options: str, count: int = 1) -> None:
    """The test passes without a word of bgcheck about errors of its own."""
    project.makepyfile(test_it=test)
    result = project.runpytest_subprocess(*options)
    result.assert_outcomes(passed=count)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*internal error*")


def test_strict_options_and_warnings_as_errors(project: pytest.Pytester) -> None:
    passes(
        project,
        """
        import asyncio
        from fastapi import BackgroundTasks

        def test_it():
            tasks = BackgroundTasks()
            tasks.add_task(print)
            asyncio.run(tasks())
        """,
    )


def test_objects_are_what_they_were(project: pytest.Pytester) -> None:
    passes(
        project,
        """
        import inspect
        from fastapi import BackgroundTasks
        from starlette.background import BackgroundTask

        def f(a): ...

        def endpoint(tasks: BackgroundTasks): ...

        def test_it():
            tasks = BackgroundTasks()
            tasks.add_task(f, 1)
            (task,) = tasks.tasks
            assert type(tasks) is BackgroundTasks and type(task) is BackgroundTask
            assert task.func is f and task.func.__name__ == "f"
            assert (task.args, task.kwargs) == ((1,), {})
            assert sorted(vars(task)) == ["args", "func", "is_async", "kwargs"]
            assert list(vars(tasks)) == ["tasks"]
            parameter = inspect.signature(endpoint).parameters["tasks"]
            assert parameter.annotation == BackgroundTasks
            assert list(inspect.signature(BackgroundTask).parameters) == ["func", "args", "kwargs"]
            assert inspect.iscoroutinefunction(BackgroundTask.__call__)
            assert inspect.iscoroutinefunction(BackgroundTasks.__call__)
            assert inspect.signature(BackgroundTasks.add_task).parameters["func"]
        """,
    )


def test_no_thread_and_no_open_file(project: pytest.Pytester) -> None:
    passes(
        project,
        """
        import os, threading
        from starlette.background import BackgroundTask

        before = threading.active_count(), len(os.listdir("/proc/self/fd"))

        def test_it(bgtasks):
            BackgroundTask(print)
            assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
        """,
        "-p",
        "no:randomly",
        "-s",
    )


def test_no_file_is_read_while_an_app_runs(project: pytest.Pytester) -> None:
    """As blockbuster would find; importing counts as reading."""
    passes(
        project,
        """
        import asyncio, sys
        import pytest
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()

        async def task(value, more={}): ...

        @app.get("/")
        async def endpoint(tasks: BackgroundTasks):
            tasks.add_task(task, [1])
            tasks.add_task(task, {"a": {1}})

        async def call():
            async def receive():
                return {"type": "http.request", "body": b"", "more_body": False}
            async def send(message): ...
            scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/",
                     "query_string": b"", "headers": [], "root_path": "", "server": ("t", 1)}
            await app(dict(scope), receive, send)

        seen = []
        inside = False

        def hook(event, args):
            if inside and event in ("open", "import", "os.listdir", "os.scandir", "time.sleep",
                                    "socket.connect", "subprocess.Popen", "os.stat"):
                seen.append((event, str(args[:1])))

        sys.addaudithook(hook)

        @pytest.mark.parametrize("recorded", [True, False])
        def test_it(request, recorded):
            global inside
            if not recorded:  # what the framework itself reads the first time
                asyncio.run(call())
            bgtasks = request.getfixturevalue("bgtasks")
            asyncio.run(call()) if not recorded else None
            seen.clear()
            inside = True
            try:
                asyncio.run(call())
            finally:
                inside = False
            ours = [one for one in seen if "bgcheck" in one[1]]
            assert ours == []
            assert len(bgtasks) in (2, 4)
            if not recorded:
                assert seen == []
        """,
        "-p",
        "no:randomly",
        count=2,
    )


def test_tracer_around_the_single_task(project: pytest.Pytester) -> None:
    """OpenTelemetry and its like wrap `BackgroundTask.__call__` and unwrap it after the test."""
    passes(
        project,
        """
        import asyncio, functools
        import pytest
        from starlette.background import BackgroundTask, BackgroundTasks

        spans = []

        def instrument(original):
            @functools.wraps(original)
            async def traced(self, *args, **kwargs):
                spans.append(self.func)
                return await original(self, *args, **kwargs)
            return traced

        @pytest.fixture
        def tracer():
            original = BackgroundTask.__call__
            BackgroundTask.__call__ = instrument(original)
            yield
            BackgroundTask.__call__ = original

        def run(bgtasks):
            tasks = BackgroundTasks()
            tasks.add_task(print)
            asyncio.run(tasks())
            assert [(task.outcome, task.runs) for task in bgtasks] == [("succeeded", 1)]

        def test_before(tracer, bgtasks):
            run(bgtasks)
            assert spans == [print]

        def test_after(bgtasks, tracer):
            run(bgtasks)
            assert spans == [print, print]

        def test_without(bgtasks):
            run(bgtasks)
            assert spans == [print, print]
        """,
        "-p",
        "no:randomly",
        count=3,
    )


def test_tracer_around_app_send_and_receive(project: pytest.Pytester) -> None:
    passes(
        project,
        """
        import asyncio
        from starlette.applications import Starlette
        from starlette.background import BackgroundTask
        from starlette.responses import Response
        from starlette.routing import Route

        class Traced(Starlette):
            async def __call__(self, scope, receive, send):
                async def traced_send(message):
                    await send(message)
                async def traced_receive():
                    return await receive()
                await super().__call__(scope, traced_receive, traced_send)

        async def endpoint(request):
            return Response(background=BackgroundTask(print))

        def test_it(bgtasks):
            async def receive():
                return {"type": "http.request"}
            async def send(message):
                pass
            scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
            asyncio.run(Traced(routes=[Route("/", endpoint)])(scope, receive, send))
            assert [task.outcome for task in bgtasks] == ["succeeded"]
            assert len(bgtasks.requests) == 1
        """,
    )


def test_foreign_classes_of_the_same_name(project: pytest.Pytester) -> None:
    passes(
        project,
        """
        import starlette.background

        class BackgroundTask:
            def __init__(self, func): self.func = func
            async def __call__(self): ...

        class BackgroundTasks:
            def __init__(self): self.tasks = []
            def add_task(self, func): self.tasks.append(BackgroundTask(func))

        before = dict(vars(BackgroundTasks)), dict(vars(BackgroundTask))

        def test_it(bgtasks):
            BackgroundTasks().add_task(print)
            assert bgtasks == []
            assert (dict(vars(BackgroundTasks)), dict(vars(BackgroundTask))) == before
        """,
    )


@pytest.mark.parametrize("name", ["fastapi", "starlette", "starlette.background"])
@pytest.mark.parametrize("stub", ["types.ModuleType(name)", "mock.MagicMock()", "None"])
def test_stubbed_modules(project: pytest.Pytester, name: str, stub: str) -> None:
    conftest = f"""
        import sys, types
        from unittest import mock
        name = "{name}"
        sys.modules[name] = {stub}
    """
    project.makeconftest(conftest)
    passes(
        project,
        """
        import sys

        def test_it(bgtasks):
            assert bgtasks == []

        def test_stubbed_during_the_test(bgtasks, monkeypatch):
            monkeypatch.setitem(sys.modules, "starlette.responses", object())
            assert bgtasks == []
        """,
        "-p",
        "no:randomly",
        count=2,
    )


def test_no_starlette_at_all(tmp_path: Path) -> None:
    """Another interpreter path without any framework; pytest and bgcheck are all there is."""
    (tmp_path / "test_it.py").write_text(
        dedent("""
        import importlib.util, sys

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("starlette", "fastapi"):
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Refuse())

        def test_it(bgtasks):
            assert bgtasks == []
            assert "starlette" not in sys.modules
        """)
    )
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_nothing_is_kept_alive_without_the_fixture(project: pytest.Pytester) -> None:
    passes(
        project,
        """
        import asyncio, gc, weakref
        from starlette.background import BackgroundTasks

        class Big: ...

        def use(value): ...

        def test_it():
            value = Big()
            reference = weakref.ref(value)
            tasks = BackgroundTasks()
            tasks.add_task(use, value)
            asyncio.run(tasks())
            del value, tasks
            gc.collect()
            assert reference() is None
        """,
    )
