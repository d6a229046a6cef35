"""BG209: an asyncio task that a task started has failed, and nobody looked."""

from __future__ import annotations

import sys

import pytest
from checks_lab import Lab, endpoint

HELPERS = """
import anyio

class MailError(Exception): ...

kept = []

async def mail(wait=0):
    for _ in range(wait):
        await asyncio.sleep(0)
    raise MailError("no server")

async def let_go(turns=5):
    for _ in range(turns):
        await asyncio.sleep(0)
"""


def app_with(body: str) -> str:
    """Write an app whose task `work` has a body."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{HELPERS}\nasync def work():\n{lines}" + endpoint("tasks.add_task(work)")


FAULTY = {
    "dropped at once": "asyncio.create_task(mail())\nawait let_go()",
    "a variable": "child = asyncio.create_task(mail())\nawait let_go()",
    "kept by the app": "kept.append(asyncio.create_task(mail()))\nawait let_go()",
    "kept until it is done": (
        "child = asyncio.create_task(mail())\nkept.append(child)\n"
        "child.add_done_callback(kept.remove)\ndel child\nawait let_go()"
    ),
    "ensure_future": "asyncio.ensure_future(mail())\nawait let_go()",
    "of the loop": "asyncio.get_running_loop().create_task(mail())\nawait let_go()",
    "waited for, and not looked at": "await asyncio.wait([asyncio.create_task(mail())])",
    "in a cycle": (
        "child = asyncio.create_task(mail())\nring = [child]\nring.append(ring)\nawait let_go()"
    ),
}


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_failed_unseen(lab: Lab, body: str) -> None:
    test = """
    def test_it():
        with TestClient(app) as client:
            client.post("/orders")
            for _ in range(5):
                client.portal.call(let_go)
    """
    finding = lab.assert_found("BG209", app_with(body), test=test, line="add_task(work)")
    assert finding["message"] == (
        f"mail, an asyncio task that work started, failed with {finding_type(finding)}, and "
        "nobody looked."
    )
    assert dict(finding["evidence"])["started"].endswith("in work")


def finding_type(finding: dict[str, object]) -> str:
    """Read the class of the error off the evidence."""
    evidence = finding["evidence"]
    assert isinstance(evidence, list)
    text = str(dict(evidence)["error"])
    assert text.endswith("MailError: no server")
    return text.partition(":")[0]


def test_after_the_task(lab: Lab) -> None:
    body = "kept.append(asyncio.create_task(mail(20)))"
    test = """
    def test_it():
        with TestClient(app) as client:
            client.post("/orders")
            client.portal.call(let_go, 30)
    """
    assert "BG209" in lab.run(app_with(body), test=test, select="BG2").codes


def test_a_child_of_a_child(lab: Lab) -> None:
    body = "async def inner():\n    asyncio.create_task(mail())\n    await let_go()\nawait inner()"
    lab.assert_found("BG209", app_with(body), "POST /orders")


def test_without_a_lifespan(lab: Lab) -> None:
    body = "kept.append(asyncio.create_task(mail()))\nawait let_go()"
    test = "def test_it():\n    TestClient(app).post('/orders')\n"
    lab.assert_found("BG209", app_with(body), test=test)


def test_a_client_that_outlives_the_test(lab: Lab) -> None:
    body = "kept.append(asyncio.create_task(mail()))\nawait let_go()"
    test = """
    @pytest.fixture(scope="session")
    def client():
        with TestClient(app) as client:
            yield client

    def test_it(client):
        client.post("/orders")
    """
    lab.assert_found("BG209", app_with(body), test=test)


ASGI = """
import httpx

async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.post("/orders")
"""


def test_httpx(lab: Lab) -> None:
    body = "asyncio.create_task(mail())\nawait let_go()"
    lab.assert_found("BG209", app_with(body) + ASGI, test="def test_it():\n    asyncio.run(main())")


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run there")
def test_uvloop(lab: Lab) -> None:
    pytest.importorskip("uvloop")
    body = "asyncio.create_task(mail())\nawait let_go()"
    test = """
    def test_it():
        import uvloop
        loop = uvloop.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
    """
    lab.assert_found("BG209", app_with(body) + ASGI, test=test)


SILENT = {
    "awaited": "try:\n    await asyncio.create_task(mail())\nexcept MailError:\n    print('no')",
    "gathered": (
        "try:\n    await asyncio.gather(mail(), mail())\nexcept MailError:\n    print('no')"
    ),
    "gathered with results": "print(await asyncio.gather(mail(), return_exceptions=True))",
    "looked at": (
        "child = asyncio.create_task(mail())\nawait asyncio.wait([child])\nprint(child.exception())"
    ),
    "a done callback that looks": (
        "child = asyncio.create_task(mail())\n"
        "child.add_done_callback(lambda child: print(child.exception()))\nawait let_go()"
    ),
    "as completed": (
        "for child in asyncio.as_completed([mail(), mail()]):\n"
        "    try:\n        await child\n    except MailError:\n        print('no')"
    ),
    "an anyio group": (
        "try:\n    async with anyio.create_task_group() as group:\n        group.start_soon(mail)\n"
        "except BaseException as error:\n    print(error)"
    ),
    "cancelled": "child = asyncio.create_task(asyncio.sleep(60))\nchild.cancel()\nawait let_go()",
    "succeeds": "asyncio.create_task(let_go())\nawait let_go(9)",
    "fails after a time-out that waits": (
        "try:\n    await asyncio.wait_for(mail(), 10)\nexcept MailError:\n    print('no')"
    ),
    "shielded and awaited": (
        "try:\n    await asyncio.shield(mail())\nexcept MailError:\n    print('no')"
    ),
    "a handler of the user on the loop": (
        "loop = asyncio.get_running_loop()\n"
        "loop.set_exception_handler(lambda loop, context: print(context['message']))\n"
        "asyncio.create_task(mail())\nawait let_go()\nloop.set_exception_handler(None)"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(app_with(body), "POST /orders")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has no task group")
def test_an_asyncio_group(lab: Lab) -> None:
    body = (
        "try:\n    async with asyncio.TaskGroup() as group:\n        group.create_task(mail())\n"
        "except ExceptionGroup as error:\n    print(error)"
    )
    lab.assert_silent(app_with(body), "POST /orders")


def test_kept_and_awaited_at_shutdown(lab: Lab) -> None:
    shutdown = """
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan(app):
    yield
    print(await asyncio.gather(*kept, return_exceptions=True))

app.router.lifespan_context = lifespan
"""
    body = "kept.append(asyncio.create_task(mail()))\nawait let_go()"
    lab.assert_silent(app_with(body) + shutdown, "POST /orders")


def test_a_child_of_the_endpoint_is_no_matter_of_a_task(lab: Lab) -> None:
    app = f"{HELPERS}\ndef work(): ...\n" + endpoint(
        "asyncio.create_task(mail())\nawait let_go()\ntasks.add_task(work)"
    )
    lab.assert_silent(app, "POST /orders")


LOGGED = """
import asyncio

async def fail():
    raise ValueError("no stock")

async def main():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    child = asyncio.create_task(fail())
    print("made in", [line.name for line in child._source_traceback[-2:]])
    del child
    await asyncio.sleep(0)
    await asyncio.sleep(0)

def test_it(caplog):
    asyncio.run(main())
    print([record.funcName for record in caplog.records if "never" in record.message])
"""


@pytest.mark.parametrize("mode", ["off", "report"])
def test_log_and_debug_mode_are_the_same(lab: Lab, mode: str) -> None:
    lab.pytester.makepyfile(LOGGED)
    options = (f"--bgcheck={mode}", "-p", "bgcheck.plugin", "-p", "no:cacheprovider", "-q", "-s")
    result = lab.pytester.runpytest_subprocess(*options)
    assert "made in ['main', 'create_task']" in result.outlines
    assert "['default_exception_handler']" in result.outlines
