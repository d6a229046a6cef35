"""The places of measurement: in process, and behind a real server."""

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.routing import Route

from bgcheck_suites import lab as lab_module
from bgcheck_suites.events import Contradiction, Gate, Log
from bgcheck_suites.lab import Call, Exchange, InProcess, OnServer, own_server, roots
from bgcheck_suites.marks import NotTestable
from bgcheck_suites.server import running_server

# The TestClient of old Starlette leaves streams open under anyio 4, and uses old names.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*MemoryObject.*:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def server():
    """A real server."""
    with running_server() as running:
        yield running


@pytest.fixture(params=["in-process", "server"])
def lab(request, server):
    """Both places, one after the other."""
    if request.param == "in-process":
        yield InProcess(Log())
    else:
        place = OnServer(Log(), server)
        yield place
        place.close()


def app_with(endpoint):
    return Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])])


def raising(error):
    def fail():
        raise error

    return fail


def test_an_exchange_has_status_body_and_headers(lab):
    async def endpoint(request):
        body = await request.json()
        return JSONResponse({"got": body, "method": request.method}, 201, {"x-answer": "42"})

    exchange = lab.send(app_with(endpoint), method="POST", payload=[1]).settle(201)
    assert exchange.body == b'{"got":[1],"method":"POST"}'
    assert {key.lower(): value for key, value in exchange.headers.items()}["x-answer"] == "42"


def test_the_end_of_the_response_is_an_event_before_the_task(lab):
    async def endpoint(_):
        return JSONResponse({}, background=BackgroundTask(lab.log.mark, "task"))

    lab.send(app_with(endpoint)).settle()
    lab.log.in_order("response complete", "task")


@pytest.mark.bgcheck(ignore=["BG201"])
def test_what_the_app_raised_is_kept(lab):
    error = ValueError("no")

    async def endpoint(_):
        return JSONResponse({}, background=BackgroundTask(raising(error)))

    exchange = lab.send(app_with(endpoint)).end().answered()
    assert exchange.root_errors() == [error]
    with pytest.raises(Contradiction, match="The app raised an error"):
        exchange.settle()


def test_another_status_is_a_contradiction(lab):
    async def endpoint(_):
        return JSONResponse({"state": "gone"}, 410)

    with pytest.raises(Contradiction) as raised:
        lab.send(app_with(endpoint)).settle()
    assert str(raised.value) == 'The client got 410, not 200.\n  b\'{"state":"gone"}\''


def test_the_server_answers_before_the_task_ends(server):
    log = Log()
    gate = Gate(log)
    place = OnServer(log, server)

    async def endpoint(_):
        return JSONResponse({}, background=BackgroundTask(gate.wait))

    exchange = place.send(app_with(endpoint))
    assert not exchange.call.ended.is_set()
    gate.open()
    exchange.settle()
    place.close()


@pytest.mark.bgcheck(ignore=["BG201"])
def test_the_log_of_the_server_is_seen(server):
    place = OnServer(Log(), server)
    error = ValueError("no")

    async def endpoint(_):
        return JSONResponse({}, background=BackgroundTask(raising(error)))

    place.send(app_with(endpoint)).end()
    assert server.logged(error)
    place.close()


def test_a_client_without_a_response_has_no_status(server):
    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}
        )
        await send({"type": "http.response.body", "body": b"cut", "more_body": True})
        raise ValueError("broken off")

    place = OnServer(Log(), server)
    exchange = place.send(app).end()
    with pytest.raises(Contradiction, match="The client got no response, not 200"):
        exchange.answered()
    place.close()


def test_a_call_that_does_not_end_is_a_contradiction(monkeypatch):
    monkeypatch.setattr(lab_module, "LIMIT", 0)
    log = Log()
    log.mark("task starts")
    with pytest.raises(Contradiction) as raised:
        Exchange(Call(app_with(None), log)).end()
    assert str(raised.value) == (
        "The app did not end its call within 0 s.\n"
        "  the last event is #1 task starts (thread MainThread)"
    )


def test_headers_and_content_reach_the_app(lab):
    async def endpoint(request):
        return JSONResponse([request.headers["x-asked"], (await request.body()).decode()])

    app = app_with(endpoint)
    exchange = lab.send(app, method="POST", content=b"text", headers={"x-asked": "42"}).settle()
    assert exchange.body == b'["42","text"]'


@pytest.mark.bgcheck(ignore=["BG201"])
def test_an_exchange_tells_what_both_sides_saw(lab):
    async def endpoint(_):
        return JSONResponse({}, background=BackgroundTask(raising(ValueError("no"))))

    assert lab.send(app_with(endpoint)).end().told() == "client got 200, app raised ValueError"


def test_a_request_can_be_sent_without_reading_the_response(server):
    log = Log()
    place = OnServer(log, server)
    gate = Gate(log)

    def endpoint(_):
        log.mark("handler")
        gate.wait()
        return JSONResponse({})

    with place.connect() as connection:
        call = connection.start(app_with(endpoint))
        log.wait("handler")
        assert not call.ended.is_set()
        gate.open()
        assert connection.receive(call).settle().status == 200
    place.close()


def test_an_own_server_ends_when_it_is_asked_to():
    async def lifespan(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log.mark("lifespan ends")
        await send({"type": "lifespan.shutdown.complete"})

    log = Log()
    with own_server(log, lifespan) as place:
        place.send(app_with(lambda _: JSONResponse({}))).settle()
        place.server.stop()
        assert place.server.ended()
        assert place.server.error is None
    log.times("lifespan ends", 1)


def test_a_server_that_does_not_start_is_not_testable():
    async def lifespan(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(NotTestable), own_server(Log(), lifespan):
        pass


def test_groups_are_taken_apart():
    class GroupError(Exception):
        """An exception group, as anyio makes one on every Python."""

        def __init__(self, *exceptions):
            super().__init__("group")
            self.exceptions = exceptions

    first, second = ValueError("1"), KeyError("2")
    assert roots(GroupError(first, GroupError(second))) == [first, second]
    assert roots(first) == [first]
    assert roots(None) == []
