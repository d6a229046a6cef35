"""The sync client: response first, the rest later, in one thread."""

import asyncio
import gc
import threading
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse

from bgcheck.runner.clients import client
from bgcheck.runner.clients.exchange import response_first_exchange
from bgcheck.runner.clients.http_library import httpx

user: ContextVar[str] = ContextVar("user", default="nobody")


class Shop:
    """An app whose tasks note what they see."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.gate = threading.Event()
        self.app = FastAPI()
        self.app.post("/orders/{number}")(self.order)
        self.app.post("/late")(self.late)
        self.app.get("/early")(self.early)
        self.app.get("/missing")(self.missing)
        self.app.get("/old")(self.old)
        self.app.get("/state")(self.state)
        self.app.get("/half")(self.half)
        self.app.get("/none")(self.none)

    async def dependency(self) -> Any:
        yield
        self.notes.append("closed")

    async def task(self, number: int) -> None:
        self.notes.append((number, user.get()))

    async def order(self, number: int, tasks: BackgroundTasks, request: Request) -> Any:
        tasks.add_task(self.task, number)
        return {"number": number, "cookie": request.cookies.get("name"), "user": user.get()}

    async def late(self, tasks: BackgroundTasks) -> None:
        tasks.add_task(self.fail)

    async def fail(self) -> None:
        raise ValueError("late")

    async def early(self) -> None:
        raise ValueError("early")

    async def missing(self) -> None:
        raise HTTPException(404)

    async def old(self) -> RedirectResponse:
        response = RedirectResponse("/state")
        response.set_cookie("name", "value")
        return response

    async def state(self, request: Request) -> Any:
        return {"cookie": request.cookies.get("name"), "agent": request.headers["user-agent"]}

    async def half(self) -> Any:
        return _Half()

    async def none(self) -> Any:
        return _Nothing()


class _Half(JSONResponse):
    def __init__(self) -> None:
        super().__init__({})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("half")


class _Nothing(JSONResponse):
    def __init__(self) -> None:
        super().__init__({})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def http(shop: Shop, make_client: Any) -> Any:
    http = make_client(shop.app)
    yield http
    http.close()


def test_the_task_is_pending_when_the_response_is_there(shop: Shop, http: Any) -> None:
    assert http.post("/orders/1").json()["number"] == 1
    assert shop.notes == []
    assert [exchange.path for exchange in http.calls.pending] == ["/orders/1"]
    http.drain()
    assert shop.notes == [(1, "nobody")]
    assert http.calls.pending == []


def test_a_later_request_lets_the_earlier_go_on_first(shop: Shop, http: Any) -> None:
    for number in (1, 2, 3):
        http.post(f"/orders/{number}")
        assert [note[0] for note in shop.notes] == list(range(1, number))


def test_context_of_the_test_reaches_request_and_task(shop: Shop, http: Any) -> None:
    for name in ("ann", "bob"):
        token = user.set(name)
        try:
            assert http.post("/orders/1").json()["user"] == name
        finally:
            user.reset(token)
    http.drain()
    assert shop.notes == [(1, "ann"), (1, "bob")]


def test_it_runs_in_the_calling_thread_and_leaves_none(make_client: Any) -> None:
    threads: list[int] = []
    before = set(threading.enumerate())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        threads.append(threading.get_ident())
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        threads.append(threading.get_ident())

    with make_client(app, lifespan="off") as http:
        http.get("/")
        assert len(threads) == 1
        assert set(threading.enumerate()) == before
    assert threads == [threading.get_ident()] * 2
    assert set(threading.enumerate()) == before


def test_worker_threads_are_kept_between_requests_and_end_with_the_client() -> None:
    names: list[Any] = []

    def task() -> None:
        names.append(threading.current_thread())

    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(task)

    app = FastAPI()
    app.get("/")(endpoint)
    with client(app) as http:
        for _ in range(3):
            http.get("/")
            http.drain()
    assert len(set(names)) == 1
    assert not names[0].is_alive()


def test_a_def_dependency_and_task_need_no_running_loop_afterwards(make_client: Any) -> None:
    events: list[str] = []

    def dependency() -> Any:
        events.append("open")
        yield
        events.append("close")

    async def endpoint(tasks: BackgroundTasks, _: None = Depends(dependency)) -> None:
        tasks.add_task(events.append, "task")

    app = FastAPI()
    app.get("/")(endpoint)
    with make_client(app) as http:
        http.get("/")
    assert sorted(events) == ["close", "open", "task"]


def test_an_error_before_the_response_is_raised(http: Any) -> None:
    with pytest.raises(ValueError, match="^early$"):
        http.get("/early")
    http.drain()
    assert http.late_errors == []


def test_an_error_before_the_response_is_a_500_when_asked(shop: Shop, make_client: Any) -> None:
    with make_client(shop.app, raise_server_exceptions=False) as http:
        assert http.get("/early").status_code == 500
        http.drain()
        assert http.late_errors == []


def test_an_error_is_raised_inside_an_except_block_as_well(shop: Shop, http: Any) -> None:
    try:
        raise KeyError("of the test")
    except KeyError:
        http.post("/orders/1")
        assert shop.notes == []  # what the test handles is no error of the application
        with pytest.raises(ValueError, match="^early$"):
            http.get("/early")


def test_an_error_after_the_response_is_kept_and_logged(
    http: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert http.post("/late").status_code == 200
    assert http.late_errors == []
    http.drain()
    [(error, exchange)] = http.late_errors
    assert (str(error), exchange.path, exchange.response_complete) == ("late", "/late", True)
    assert exchange.error is error
    [record] = [record for record in caplog.records if record.name == "bgcheck.clients"]
    assert record.getMessage() == "POST /late failed after its response"


def test_an_error_after_the_response_goes_to_the_callback(shop: Shop, make_client: Any) -> None:
    taken: list[Any] = []
    with make_client(
        shop.app, on_late_error=lambda error, exchange: taken.append((str(error), exchange.number))
    ) as http:
        http.get("/missing")
        http.post("/late")
    assert taken == [("late", 2)]
    assert http.late_errors == []


def test_an_error_within_the_response_is_raised_or_breaks_it_off(
    shop: Shop, http: Any, make_client: Any
) -> None:
    with pytest.raises(ValueError, match="^half$"):
        http.get("/half")
    with make_client(shop.app, raise_server_exceptions=False) as lenient:
        broken = "peer closed connection without sending complete message body"
        with pytest.raises(httpx.RemoteProtocolError, match=broken):
            lenient.get("/half")
        with lenient.stream("GET", "/half") as response:
            assert next(response.iter_raw()) == b"half"
        assert not lenient.calls.pending


def test_an_error_in_a_stream_nobody_reads_is_late(shop: Shop, http: Any) -> None:
    with http.stream("GET", "/half") as response:
        assert response.status_code == 200
    http.drain()
    assert [str(error) for error, _ in http.late_errors] == ["half"]


def test_no_response_at_all(shop: Shop, http: Any, make_client: Any) -> None:
    with pytest.raises(
        AssertionError, match="^The application returned from GET /none without a response.$"
    ):
        http.get("/none")
    with make_client(shop.app, raise_server_exceptions=False) as lenient:
        assert lenient.get("/none").status_code == 500


def test_http_errors_redirects_and_cookies(http: Any) -> None:
    assert http.get("/missing").status_code == 404
    assert http.get("/old").json() == {"cookie": "value", "agent": "testclient"}
    assert http.get("/old", follow_redirects=False).status_code == 307
    assert http.cookies["name"] == "value"
    assert http.head("/state").status_code == 405


def test_head_has_no_body(make_client: Any) -> None:
    app = FastAPI()
    app.head("/")(lambda: {"a": 1})
    with make_client(app) as http:
        response = http.head("/")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == "7"


def test_the_exchange_is_known_to_the_application_and_the_response(make_client: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchange = response_first_exchange.get()
        assert exchange is not None
        exchange.on_complete(lambda: seen.append("complete"))
        seen.append(exchange)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        seen.append("task")

    with make_client(app, lifespan="off") as http:
        response = http.get("/")
        exchange = response.extensions["bgcheck.exchange"]
        assert seen == [exchange, "complete"]
        assert (exchange.response_complete, exchange.finished) == (True, False)
    assert seen == [exchange, "complete", "task"]
    assert exchange.finished
    assert response_first_exchange.get() is None


def test_a_client_is_refused_inside_a_running_loop(shop: Shop) -> None:
    async def use() -> None:
        client(shop.app).get("/state")

    with pytest.raises(RuntimeError) as error:
        asyncio.run(use())
    assert str(error.value) == (
        "bgtasks.client(app) runs the app in this thread, but asyncio already runs here. "
        "Use the async client:\n"
        "    async with bgtasks.async_client(app) as client:\n"
        '        response = await client.get("/")'
    )


def test_a_client_is_refused_in_a_second_thread(shop: Shop) -> None:
    errors: list[BaseException] = []

    def use(http: Any) -> None:
        try:
            http.get("/state")
        except RuntimeError as error:
            errors.append(error)

    with client(shop.app) as http:
        thread = threading.Thread(target=use, args=(http,), name="second")
        thread.start()
        thread.join()
    assert str(errors[0]) == (
        "bgtasks.client(app) belongs to thread 'MainThread', and was used in 'second': make one "
        "client a thread, or use bgtasks.async_client(app) for concurrent requests."
    )


def test_several_clients_at_once(make_client: Any, shop: Shop) -> None:
    with make_client(shop.app) as first, make_client(shop.app) as second:
        first.post("/orders/1")
        second.post("/orders/2")
        assert shop.notes == []
        first.drain()
        assert shop.notes == [(1, "nobody")]
    assert shop.notes == [(1, "nobody"), (2, "nobody")]


def test_another_loop_can_run_while_the_client_stands_still(shop: Shop, http: Any) -> None:
    http.post("/orders/1")
    backend = http.loop.backend.name
    anyio.run(anyio.sleep, 0, backend=backend)
    http.drain()
    assert shop.notes == [(1, "nobody")]


def test_requests_in_flight_are_independent(make_client: Any) -> None:
    gates: dict[str, anyio.Event] = {}
    done: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        gates[scope["path"]] = anyio.Event()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        await gates[scope["path"]].wait()
        done.append(scope["path"])

    async def release(path: str) -> None:
        gates[path].set()

    with make_client(app, lifespan="off") as http:
        for path in ("/1", "/2", "/3"):
            http.get(path)
        for path in ("/2", "/3", "/1"):
            http.run(lambda path=path: release(path))
            http.run_until(lambda path=path: path in done)
    assert done == ["/2", "/3", "/1"]


def test_run_until_looks_at_conditions_that_nothing_announces(make_client: Any) -> None:
    event = threading.Event()
    timer = threading.Timer(0.01, event.set)
    with make_client(lambda *_: None, lifespan="off") as http:
        timer.start()
        http.run_until(event.is_set)
    timer.join()
    assert event.is_set()


def test_it_is_used_again_after_with_and_closed_for_good(shop: Shop, make_client: Any) -> None:
    http = make_client(shop.app)
    with http:
        http.get("/state")
    with http:
        assert http.get("/state").status_code == 200
    assert http.get("/state").status_code == 200
    http.close()
    with pytest.raises(RuntimeError, match="closed"):
        http.get("/state")
    http.close()


def test_nothing_is_left_to_the_garbage_collector(shop: Shop, make_client: Any) -> None:
    http = make_client(shop.app)
    http.post("/orders/1")
    http.close()
    del http
    gc.collect()  # an unclosed loop or a pending task would warn, and warnings are errors


def test_options_of_the_loop(shop: Shop) -> None:
    made: list[Any] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    with client(shop.app, backend_options={"loop_factory": factory, "debug": True}) as http:
        http.get("/state")
        assert made[0].get_debug()
    assert made[0].is_closed()


def test_a_keyboard_interrupt_ends_the_request() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyboardInterrupt

    http = client(app)
    with pytest.raises(KeyboardInterrupt):
        http.get("/")
    http.close()
