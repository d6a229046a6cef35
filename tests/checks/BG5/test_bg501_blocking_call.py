"""BG501: a call that blocks the event loop, in an async task."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import EVERYWHERE

IMPORTS = """
import concurrent.futures, contextlib, fcntl, http.client, logging, os, queue, socket, subprocess
import sys, threading, time, urllib.request
from time import sleep

ADDRESS = ("127.0.0.1", 1)
gone = (OSError, TimeoutError)

@contextlib.contextmanager
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()
"""

BLOCKING = {
    "sleep": ("time.sleep", "time.sleep(0.001)"),
    "sleep by name": ("time.sleep", "sleep(0.001)"),
    "connect": (
        "socket.create_connection",
        "with contextlib.suppress(*gone): socket.create_connection(ADDRESS)",
    ),
    "connect of a socket": (
        "socket.connect",
        "with socket.socket() as one, contextlib.suppress(*gone): one.connect(ADDRESS)",
    ),
    "urlopen": (
        "urllib.request.urlopen",
        "with contextlib.suppress(*gone): urllib.request.urlopen('http://127.0.0.1:1/')",
    ),
    "httpx": (
        "httpx.get",
        "import httpx\nwith contextlib.suppress(httpx.HTTPError): httpx.get('http://127.0.0.1:1/')",
    ),
    "client of httpx": (
        "httpx.Client.get",
        "import httpx\nwith httpx.Client() as client, contextlib.suppress(httpx.HTTPError):\n"
        "    client.get('http://127.0.0.1:1/')",
    ),
    "http.client": (
        "http.client.HTTPConnection.request",
        "with contextlib.suppress(*gone): http.client.HTTPConnection(*ADDRESS).request('GET', '/')",
    ),
    "run a program": ("subprocess.run", "subprocess.run([sys.executable, '-S', '-c', ''])"),
    "output of a program": (
        "subprocess.check_output", "subprocess.check_output([sys.executable, '-S', '-c', ''])"
    ),
    "wait for a program": (
        "subprocess.Popen.wait", "subprocess.Popen([sys.executable, '-S', '-c', '']).wait()"
    ),
    "shell": ("os.system", "os.system('true')"),
    "file lock": (
        "fcntl.flock",
        "with open(__file__) as file:\n"
        "    fcntl.flock(file, fcntl.LOCK_EX); fcntl.flock(file, fcntl.LOCK_UN)",
    ),
    "record lock": (
        "fcntl.lockf", "with open(__file__, 'r+') as file: fcntl.lockf(file, fcntl.LOCK_EX)"
    ),
    "event of threads": ("threading.Event.wait", "threading.Event().wait(0.001)"),
    "thread": (
        "threading.Thread.join",
        "go = threading.Event(); one = threading.Thread(target=go.wait); one.start()\n"
        "threading.Timer(0.01, go.set).start(); one.join()",
    ),
    "result of a thread": (
        "Future.result",
        "with concurrent.futures.ThreadPoolExecutor() as pool:\n"
        "    pool.submit(time.sleep, 0.02).result()",
    ),
    "queue of threads": (
        "queue.Queue.get",
        "with contextlib.suppress(queue.Empty): queue.Queue().get(timeout=0.001)",
    ),
    "name of a host": (
        "socket.gethostbyname", "with contextlib.suppress(*gone): socket.gethostbyname('localhost')"
    ),
}  # fmt: skip


def task(body: str, kind: str = "async def", helper: str = "") -> str:
    return f"{IMPORTS}\n{helper}\n{kind} work():\n{indent(body, '    ')}\n"


@pytest.mark.parametrize(("call", "body"), BLOCKING.values(), ids=BLOCKING)
def test_found(lab: Lab, call: str, body: str) -> None:
    app = task(body) + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG501", app, "POST /orders", line="add_task(work)")
    evidence = dict(finding["evidence"])
    assert evidence["calls"] == call
    assert evidence["at"].endswith(" in work")
    assert finding["message"] == f"work blocks the event loop: it calls {call}."


@pytest.mark.parametrize(("call", "body"), BLOCKING.values(), ids=BLOCKING)
def test_def_task_is_silent(lab: Lab, call: str, body: str) -> None:
    lab.assert_silent(task(body, "def") + endpoint("tasks.add_task(work)"), "POST /orders")


def test_found_in_a_helper_and_once_a_line(lab: Lab) -> None:
    helper = "def helper():\n    for _ in range(3):\n        time.sleep(0.001)\n"
    app = task("helper()", helper=helper) + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG501", app, "POST /orders")
    assert dict(finding["evidence"])["at"].endswith(" in helper")
    assert finding["count"] == 1


def test_every_line_is_found(lab: Lab) -> None:
    app = task("time.sleep(0.001)\nawait asyncio.sleep(0)\nsleep(0.001)")
    found = lab.run(app + endpoint("tasks.add_task(work)"), "POST /orders").findings
    assert [finding["code"] for finding in found] == ["BG501", "BG501"]


def test_found_in_an_asyncio_task_of_a_task(lab: Lab) -> None:
    helper = "async def helper():\n    time.sleep(0.001)\n"
    app = task("await asyncio.gather(helper())", helper=helper)
    lab.assert_found("BG501", app + endpoint("tasks.add_task(work)"), "POST /orders")


def test_found_where_a_def_task_calls_back_into_the_loop(lab: Lab) -> None:
    helper = "import anyio\nasync def helper():\n    time.sleep(0.001)\n"
    app = task("anyio.from_thread.run(helper)", "def", helper)
    lab.assert_found("BG501", app + endpoint("tasks.add_task(work)"), "POST /orders")


def test_found_where_the_error_is_swallowed(lab: Lab) -> None:
    body = "try:\n    socket.create_connection(ADDRESS)\nexcept OSError as error:\n    print(error)"
    app = task(body) + endpoint("tasks.add_task(work)")
    lab.assert_found("BG501", app, "POST /orders")


def test_function_that_was_imported_by_name_before_the_session(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    import textwrap as module  # any module that is loaded already
    import time

    monkeypatch.setattr(module, "sleep", time.sleep, raising=False)
    app = task("import textwrap\ntextwrap.sleep(0.001)") + endpoint("tasks.add_task(work)")
    original = time.sleep
    lab.assert_found("BG501", app, "POST /orders")
    assert module.sleep is time.sleep is original  # type: ignore[attr-defined]


SILENT = {
    "asyncio.sleep": "await asyncio.sleep(0.001)",
    "nothing to sleep": "time.sleep(0)",
    "to_thread": "await asyncio.to_thread(time.sleep, 0.001)",
    "run_in_executor": "await asyncio.get_running_loop().run_in_executor(None, sleep, 0.001)",
    "worker thread of anyio": "import anyio\nawait anyio.to_thread.run_sync(time.sleep, 0.001)",
    "pool of its own": (
        "with concurrent.futures.ThreadPoolExecutor() as pool:\n"
        "    await asyncio.get_running_loop().run_in_executor(pool, sleep, 0.001)"
    ),
    "thread that is over": (
        "one = threading.Thread(target=print); one.start()\n"
        "await asyncio.to_thread(one.join); one.join()"
    ),
    "result that is there": (
        "future = concurrent.futures.Future(); future.set_result(1); future.result(5)"
    ),
    "event that is set": "event = threading.Event(); event.set(); event.wait()",
    "look at an event": "threading.Event().wait(0)",
    "item that is there": "items = queue.Queue(); items.put(1); items.get()",
    "no wait for an item": "with contextlib.suppress(queue.Empty): queue.Queue().get(block=False)",
    "lookup by the loop": "await asyncio.get_running_loop().getaddrinfo('localhost', 80)",
    "address of an address": "socket.getaddrinfo('127.0.0.1', 80)",
    "stream of asyncio": (
        "async def answer(reader, writer):\n"
        "    writer.write(await reader.read(1)); await writer.drain(); writer.close()\n"
        "async with await asyncio.start_server(answer, '127.0.0.1', 0) as served:\n"
        "    address = served.sockets[0].getsockname()\n"
        "    reader, writer = await asyncio.open_connection(*address)\n"
        "    writer.write(b'x'); assert await reader.read() == b'x'\n"
        "    writer.close(); await writer.wait_closed()"
    ),
    "socket of the loop": (
        "with server() as address, socket.socket() as one:\n"
        "    one.setblocking(False); await asyncio.get_running_loop().sock_connect(one, address)"
    ),
    "datagram": (
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:\n"
        "    one.connect(ADDRESS); one.send(b'metric')"
    ),
    "program of asyncio": (
        "process = await asyncio.create_subprocess_exec(\n"
        "    sys.executable, '-S', '-c', 'print(1)', stdout=subprocess.PIPE)\n"
        "assert (await process.communicate())[0] == b'1\\n'"
    ),
    "lock without waiting": (
        "with open(__file__) as file:\n"
        "    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.flock(file, fcntl.LOCK_UN)"
    ),
    "async client": (
        "import httpx\n"
        "async with httpx.AsyncClient() as client:\n"
        "    with contextlib.suppress(httpx.HTTPError): await client.get('http://127.0.0.1:1/')"
    ),
    "log and output": "logging.getLogger('x').error('x'); print('x', file=sys.stderr)",
    "file": "with open(__file__) as file: file.read()",
    "replaced by the test": (
        "from unittest import mock\nwith mock.patch('time.sleep') as fake: time.sleep(5)"
    ),
    "loop of another thread": (
        "async def helper():\n    time.sleep(0.001)\n"
        "await asyncio.to_thread(lambda: asyncio.run(helper()))"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body) + endpoint("tasks.add_task(work)"), "POST /orders")


def test_loop_of_a_def_task_itself(lab: Lab) -> None:
    helper = "async def helper():\n    time.sleep(0.001)\n"
    app = task("asyncio.run(helper())", "def", helper) + endpoint("tasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


def test_endpoint_and_test_are_not_tasks(lab: Lab) -> None:
    test = """
    def test_it():
        TestClient(app).post("/orders")
        time.sleep(0.001)
    """
    app = task("pass") + endpoint("time.sleep(0.001)\ntasks.add_task(work)")
    lab.assert_silent(app, test=test)


@pytest.mark.parametrize("test", EVERYWHERE)
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    lab.assert_found(
        "BG501", task("time.sleep(0.001)") + endpoint("tasks.add_task(work)"), test=test
    )
    twin = task("time.sleep(0.001)", "def") + endpoint("tasks.add_task(work)")
    lab.assert_silent(twin, test=test)


VIRTUAL = {
    "block": """
        def test_it(bgtasks):
            with bgtasks.virtual_time() as clock:
                TestClient(app).post("/orders")
            assert clock.now == 3600
        """,
    "mark": """
        @pytest.mark.bgcheck(clock="virtual")
        def test_it(bgtasks):
            TestClient(app).post("/orders")
        """,
}


@pytest.mark.parametrize("test", VIRTUAL.values(), ids=VIRTUAL)
@pytest.mark.parametrize("call", ["time.sleep", "sleep"])
def test_virtual_time(lab: Lab, test: str, call: str) -> None:
    app = task(f"{call}(3600)") + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG501", app, test=test, line="add_task(work)")
    evidence = dict(finding["evidence"])
    assert evidence["calls"] == "time.sleep"
    assert evidence["at"].endswith(" in work")
    lab.assert_silent(task(f"{call}(3600)", "def") + endpoint("tasks.add_task(work)"), test=test)


def test_virtual_sleep_of_asyncio_is_silent(lab: Lab) -> None:
    app = task("await asyncio.sleep(3600)") + endpoint("tasks.add_task(work)")
    lab.assert_silent(app, test=VIRTUAL["block"])


def test_task_of_a_library(lab: Lab) -> None:
    """An installed package's own coroutine is the task: its line is the one to show."""
    package = lab.pytester.mkpydir("site-packages")
    package.joinpath("slow_library.py").write_text(
        "import time\nasync def send():\n    time.sleep(0.001)\n"
    )
    lab.pytester.syspathinsert(package)
    app = "import slow_library\n" + endpoint("tasks.add_task(slow_library.send)")
    finding = lab.assert_found("BG501", app, "POST /orders")
    assert dict(finding["evidence"])["at"].endswith("slow_library.py:3 in send")
