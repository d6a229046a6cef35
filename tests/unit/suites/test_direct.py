"""An app called without client or server."""

import anyio
import pytest
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

from bgcheck_suites.direct import call_directly
from bgcheck_suites.events import Log


def app_with_task(log):
    return JSONResponse({}, background=BackgroundTask(log.mark, "task"))


def called(app, log, **options):
    async def call():
        return await call_directly(app, log, **options)

    return anyio.run(call)


def test_the_response_and_the_task_are_in_the_log():
    log = Log()
    assert called(app_with_task(log), log) == []
    log.in_order("response complete", "task")


def test_what_the_app_raised_is_returned():
    log, error = Log(), ValueError("no")

    async def app(scope, receive, send):
        raise error

    assert called(app, log) == [error]


@pytest.mark.bgcheck(ignore=["BG201"])
def test_a_client_that_has_gone_is_an_error_in_send():
    log = Log()
    refuses = lambda message: message["type"] == "http.response.body"  # noqa: E731
    assert [type(e) for e in called(app_with_task(log), log, refuses=refuses)] == [OSError]
    log.never("response complete")
    log.never("task")


def test_the_client_stays_after_its_request():
    log, messages = Log(), []

    async def app(scope, receive, send):
        messages.append((await receive())["type"])
        with anyio.move_on_after(0):
            messages.append((await receive())["type"])

    assert called(app, log) == []
    assert messages == ["http.request"]
