"""BG513: a file or socket opened by a task and left open."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import EVERYWHERE

HELPER = """
import contextlib, gc, http.client, io, logging, pathlib, socket, tempfile, warnings
kept = []
PATH = pathlib.Path(__file__)

@contextlib.contextmanager
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()
def helper():
    file = open(PATH)
    return file.readline()
class Holder: ...
"""

FAULTY = {
    "open": "file = open(PATH); file.read()",
    "in one line": "open(PATH).read()",
    "Path.open": "file = PATH.open(); file.read()",
    "bytes": "file = open(PATH, 'rb'); file.read()",
    "unbuffered": "file = open(PATH, 'rb', buffering=0); file.read()",
    "in a helper": "helper()",
    "temporary file": "file = tempfile.TemporaryFile(); file.write(b'x')",
    "socket": "one = socket.socket()",
    "replaced": "file = open(PATH)\nfile = None",
}
SILENT = {
    "with": "with open(PATH) as file: file.read()",
    "closed": "file = open(PATH); file.close()",
    "read_text": "PATH.read_text()",
    "kept by the app": "kept.append(open(PATH)); kept[-1].fileno()",
    "memory": "io.StringIO('x').read()",
    "log handler": (
        "handler = logging.FileHandler(PATH.with_suffix('.log')); kept.append(handler)\n"
        "handler.emit(logging.makeLogRecord({'msg': 'x'}))"
    ),
    "another warning": "warnings.warn('unclosed door', UserWarning)",
    "socket in with": "with socket.socket() as one: one.fileno()",
    "temporary file in with": "with tempfile.TemporaryFile() as file: file.write(b'x')",
}
RELEASE = """
@pytest.fixture(autouse=True)
def release():
    yield
    for one in kept:
        one.close()
"""


def task(body: str, kind: str = "def") -> str:
    return f"{HELPER}{RELEASE}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint(
        "tasks.add_task(work)"
    )


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str, kind: str) -> None:
    finding = lab.assert_found("BG513", task(body, kind), "POST /orders", line="add_task(work)")
    assert dict(finding["evidence"])["handle"].startswith("<")


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str, kind: str) -> None:
    lab.assert_silent(task(body, kind), "POST /orders")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_file_of_the_endpoint_that_a_collection_finds(lab: Lab, kind: str) -> None:
    body = "one = Holder(); one.me = one; one.file = open(PATH); del one\ntasks.add_task(work)"
    app = f"{HELPER}\n{kind} work():\n    gc.collect()\n"
    lab.assert_silent(app + endpoint(f"gc.disable()\n{body}"), "POST /orders")


@pytest.mark.parametrize("test", EVERYWHERE)
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    lab.assert_found("BG513", task(FAULTY["open"]), test=test)
    lab.assert_silent(task(SILENT["with"]), test=test)


def test_filters_are_as_before(lab: Lab) -> None:
    test = """
    def test_it():
        before = list(warnings.filters)
        TestClient(app).post("/orders")
        assert warnings.filters == before
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            TestClient(app).post("/orders")
        texts = [str(one.message) for one in seen if one.category is ResourceWarning]
        assert texts == ["careful"]
    """
    lab.assert_silent(task("warnings.warn('careful', ResourceWarning)"), test=test)


def test_warnings_that_are_errors(lab: Lab) -> None:
    """A filter of the test comes first for Python, and the entry that only reads before it."""
    test = """
    @pytest.mark.filterwarnings("error::ResourceWarning", "ignore::pytest.PytestWarning")
    def test_it():
        TestClient(app).post("/orders")
    """
    lab.assert_found("BG513", task(FAULTY["open"]), test=test)
