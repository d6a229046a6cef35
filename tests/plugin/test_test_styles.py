"""The fixture in every style of test: plain, pytest-asyncio, anyio's plugin, unittest, xdist."""

import importlib.util

import pytest

from support.projects import INI

APP = """
    import asyncio
    from fastapi import BackgroundTasks, FastAPI

    def note(number): ...

    async def async_note(number): ...

    app = FastAPI()

    @app.post("/{number}")
    async def endpoint(number: int, tasks: BackgroundTasks):
        tasks.add_task(note, number)
        tasks.add_task(async_note, number)

    async def post(number):
        import httpx
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert (await client.post(f"/{number}")).status_code == 200

    def check(bgtasks, number):
        from bgcheck import scheduled
        assert bgtasks == [scheduled(note, number), scheduled(async_note, number)]
        assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]
        assert [task.thread for task in bgtasks] == ["worker", "loop"]
        assert bgtasks[0].request.number == 1
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini(INI)
    pytester.makepyfile(shop=APP)
    return pytester


def passes(project: pytest.Pytester, test: str, count: int, *options: str) -> None:
    project.makepyfile(test_it=test)
    result = project.runpytest_subprocess(*options)
    result.assert_outcomes(passed=count)
    assert result.ret == 0


def test_plain_functions(project: pytest.Pytester) -> None:
    test = """
        import pytest
        from starlette.testclient import TestClient
        from shop import *

        @pytest.mark.parametrize("number", [1, 2])
        def test_without_with(number, bgtasks):
            TestClient(app).post(f"/{number}")
            check(bgtasks, number)

        def test_with(bgtasks):
            with TestClient(app) as client:
                client.post("/3")
            check(bgtasks, 3)

        @pytest.fixture(scope="module")
        def client():
            with TestClient(app) as client:
                yield client

        @pytest.mark.parametrize("number", [4, 5])
        def test_a_client_that_is_older_than_the_recording(client, bgtasks, number):
            client.post(f"/{number}")
            check(bgtasks, number)
    """
    passes(project, test, 5)


@pytest.mark.parametrize("scope", ["function", "class", "module", "session"])
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(project: pytest.Pytester, scope: str, mode: str) -> None:
    test = f"""
        import asyncio
        import pytest, pytest_asyncio
        from shop import *

        loops = []

        @pytest_asyncio.fixture(loop_scope="{scope}", scope="{scope}")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="{scope}")
        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number, bgtasks, loop):
            assert asyncio.get_running_loop() is loop
            await asyncio.gather(post(number))
            check(bgtasks, number)
    """
    passes(project, test, 2, "-p", "no:anyio", "--asyncio-mode", mode)


TRIO = pytest.param(
    "trio",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("trio") is None, reason="this cell has no trio"
    ),
)


@pytest.mark.parametrize("backend", ["asyncio", TRIO])
def test_anyio_plugin(project: pytest.Pytester, backend: str) -> None:
    test = f"""
        import anyio, pytest
        from shop import *

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "{backend}"

        @pytest.fixture
        async def number():
            await anyio.sleep(0)
            return 7

        async def test_it(bgtasks, number):
            await post(number)
            check(bgtasks, number)
    """
    if backend == "trio" and not _anyio_runs_trio():
        pytest.skip("this cell's anyio cannot run trio")
    passes(project, test, 1, "-p", "no:asyncio", "-o", "addopts=", "-o", "filterwarnings=")


def _anyio_runs_trio() -> bool:
    import anyio

    async def nothing() -> None: ...

    try:
        anyio.run(nothing, backend="trio")
    except (AttributeError, LookupError):
        return False
    return True


def test_unittest(project: pytest.Pytester) -> None:
    test = """
        import unittest
        import bgcheck, pytest
        from shop import *

        class ByRecord(unittest.TestCase):
            def test_it(self):
                with bgcheck.record() as bgtasks:
                    asyncio.run(post(1))
                check(bgtasks, 1)

        class BySetUp(unittest.TestCase):
            def setUp(self):
                recording = bgcheck.record()
                self.bgtasks = recording.__enter__()
                self.addCleanup(recording.__exit__, None, None, None)

            def test_it(self):
                asyncio.run(post(2))
                check(self.bgtasks, 2)

        @pytest.mark.usefixtures("keep")
        class ByFixture(unittest.TestCase):
            @pytest.fixture
            def keep(self, bgtasks):
                self.bgtasks = bgtasks

            def test_it(self):
                asyncio.run(post(3))
                check(self.bgtasks, 3)

        class ByAutouse(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def keep(self, bgtasks):
                self.bgtasks = bgtasks

            def test_it(self):
                asyncio.run(post(4))
                check(self.bgtasks, 4)

        class Async(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
                with bgcheck.record() as bgtasks:
                    await post(5)
                check(bgtasks, 5)
    """
    passes(project, test, 5)


def test_unittest_without_pytest(project: pytest.Pytester) -> None:
    script = project.makepyfile(
        run="""
        import unittest
        import bgcheck
        from shop import *

        class Plain(unittest.TestCase):
            def test_it(self):
                with bgcheck.record() as bgtasks:
                    asyncio.run(post(1))
                check(bgtasks, 1)

        unittest.main()
        """
    )
    assert project.runpython(script).ret == 0


def test_xdist(project: pytest.Pytester) -> None:
    test = """
        import pytest
        from shop import *

        @pytest.mark.parametrize("number", range(6))
        def test_it(number, bgtasks):
            asyncio.run(post(number))
            check(bgtasks, number)
    """
    passes(project, test, 6, "-n", "2")


def test_every_test_has_a_log_of_its_own(project: pytest.Pytester) -> None:
    test = """
        import pytest
        from shop import *

        @pytest.fixture
        def posted(bgtasks):
            asyncio.run(post(1))
            return bgtasks

        def test_fixture_and_test_share_the_log(posted, bgtasks):
            assert posted is bgtasks
            check(bgtasks, 1)

        def test_the_next_starts_empty(bgtasks):
            assert bgtasks == []

        def test_without_the_fixture_nothing_changes():
            asyncio.run(post(1))
    """
    passes(project, test, 3)
