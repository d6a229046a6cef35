"""The lifespan runs around the requests, as on uvicorn."""

from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request

from bgcheck.runner.clients.lifespan import LifespanError


def app_with(start: Any = None, stop: Any = None) -> FastAPI:
    """An app whose lifespan raises, where asked."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        if start is not None:
            raise start
        yield {"started": True}
        if stop is not None:
            raise stop

    async def endpoint(request: Request) -> bool:
        return bool(getattr(request.state, "started", False))

    app = FastAPI(lifespan=lifespan)
    app.get("/")(endpoint)
    return app


def test_with_runs_it_and_without_does_not(make_client: Any) -> None:
    http = make_client(app_with(stop=ValueError("stopped")))
    assert http.get("/").json() is False
    http.close()
    with (
        pytest.raises(ValueError, match="^stopped$"),
        make_client(app_with(stop=ValueError("stopped"))) as http,
    ):
        assert http.get("/").json() is True
        assert http.app_state == {"started": True}


def test_a_failing_startup_is_raised(make_client: Any) -> None:
    with pytest.raises(ValueError, match="^no$"), make_client(app_with(ValueError("no"))):
        raise AssertionError("started")


async def bare(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


def test_an_application_without_lifespan(make_client: Any) -> None:
    with make_client(bare) as http:
        assert http.get("/").status_code == 204
    with pytest.raises(AssertionError), make_client(bare, lifespan="on"):
        raise KeyError("started")
    with make_client(app_with(ValueError("no")), lifespan="off") as http:
        assert http.get("/").json() is False


def speaking(*answers: dict[str, Any]) -> Any:
    """An application that gives these answers to its lifespan's messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for answer in answers:
            await receive()
            await send(answer)
        await anyio.sleep_forever()

    return app


STARTED = {"type": "lifespan.startup.complete"}


def test_what_the_application_says_without_an_error(make_client: Any) -> None:
    ends = {"type": "lifespan.shutdown.failed", "message": "sorry"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for answer in (STARTED, ends):
            await receive()
            await send(answer)

    with pytest.raises(LifespanError, match="^sorry$"), make_client(app):
        pass


def test_a_shutdown_that_does_not_end_is_cancelled(make_client: Any) -> None:
    with (
        pytest.raises(
            LifespanError,
            match=r"^The application's lifespan.shutdown did not end within 0.05 s.$",
        ),
        make_client(speaking(STARTED), leave_timeout=0.05),
    ):
        pass


def test_an_application_call_that_goes_on_after_its_shutdown_is_ended(make_client: Any) -> None:
    with make_client(speaking(STARTED, {"type": "lifespan.shutdown.complete"})):
        pass
