"""Faults in how responses run their background."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

from starlette import responses
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from .planting import Patches, fault, original_task, run_tasks

SENDING = (responses.Response, responses.StreamingResponse, responses.FileResponse)


@fault("task-before-response", "the background runs before the response is sent")
def _task_before_response(patches: Patches) -> None:
    for cls in (responses.Response, responses.StreamingResponse, responses.FileResponse):
        patches.set(cls, "__call__", _background_first(vars(cls)["__call__"]))


def _background_first(original: Any) -> Any:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None
        if task is not None:
            await task()
        await original(self, scope, receive, send)

    return call


@fault("own-background-dropped", "a background that a response brings along is dropped")
def _own_background_dropped(patches: Patches) -> None:
    for cls in (responses.JSONResponse, responses.FileResponse, responses.RedirectResponse):
        patches.set(cls, "__init__", _without_background(vars(cls)["__init__"]))


def _without_background(original: Any) -> Any:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.background = None

    return init


def _lost_if(patches: Patches, lost: Callable[[Any, Any], bool]) -> None:
    """Drop the background of the responses that are picked by themselves and their scope."""
    for cls in SENDING:
        patches.set(cls, "__call__", _losing(vars(cls)["__call__"], lost))


def _losing(original: Any, lost: Callable[[Any, Any], bool]) -> Any:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if lost(self, scope):
            self.background = None
        await original(self, scope, receive, send)

    return call


@fault("lost-on-redirect", "the background of a redirect is dropped")
def _lost_on_redirect(patches: Patches) -> None:
    _lost_if(patches, lambda response, _: 300 <= response.status_code < 400)


@fault("lost-without-body", "the background of a response without body is dropped")
def _lost_without_body(patches: Patches) -> None:
    _lost_if(patches, lambda response, _: response.status_code == 204)


@fault("lost-on-head", "the background of the answer to HEAD is dropped")
def _lost_on_head(patches: Patches) -> None:
    _lost_if(patches, lambda _, scope: scope.get("method") == "HEAD")


@fault("lost-on-stream", "the background of a stream is dropped")
def _lost_on_stream(patches: Patches) -> None:
    _lost_if(patches, lambda response, _: isinstance(response, responses.StreamingResponse))


@fault("lost-on-file", "the background of a file is dropped")
def _lost_on_file(patches: Patches) -> None:
    _lost_if(patches, lambda response, _: isinstance(response, responses.FileResponse))


@fault("lost-on-error-response", "the background of a response with an error status is dropped")
def _lost_on_error_response(patches: Patches) -> None:
    _lost_if(patches, lambda response, _: response.status_code >= 400)


@fault("lost-in-subclass", "the background of a response class of one's own is dropped")
def _lost_in_subclass(patches: Patches) -> None:
    _lost_if(patches, lambda r, _: not type(r).__module__.startswith(("starlette", "fastapi")))


@fault("background-once", "a response object runs its background once, and drops it then")
def _background_once(patches: Patches) -> None:
    used: set[int] = set()
    kept: list[Any] = []

    def again(response: Any, _: Any) -> bool:
        found = id(response) in used
        used.add(id(response))
        kept.append(response)
        return found

    _lost_if(patches, again)


@fault("late-background-lost", "a background that is attached after the response was made is lost")
def _late_background_lost(patches: Patches) -> None:
    for cls in (responses.Response, responses.StreamingResponse, responses.FileResponse):
        patches.set(cls, "__init__", _noting(vars(cls)["__init__"]))
    _lost_if(patches, lambda r, _: r.background is not getattr(r, "_given", r.background))


def _noting(original: Any) -> Any:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._given = self.background

    return init


@fault("held-back", "the end of the response is held back until the tasks have ended")
def _held_back(patches: Patches) -> None:
    for cls in SENDING:
        patches.set(cls, "__call__", _holding(vars(cls)["__call__"]))


def _holding(original: Any) -> Any:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        held: list[Any] = []

        async def hold(message: Any) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body")
            await (send(message) if not last else _keep(held, message))

        try:
            await original(self, scope, receive, hold)
        finally:
            for message in held:
                await send(message)

    return call


async def _keep(held: list[Any], message: Any) -> None:
    held.append(message)


@fault("before-the-last-chunk", "the background runs before the last chunk of a stream")
def _before_the_last_chunk(patches: Patches) -> None:
    cls = responses.StreamingResponse
    original = vars(cls)["__call__"]

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None

        async def early(message: Any) -> None:
            nonlocal task
            if message["type"] == "http.response.body" and task is not None:
                running, task = task, None
                await running()
            await send(message)

        await original(self, scope, receive, early)

    patches.set(cls, "__call__", call)


@fault("broken-stream-runs-tasks", "the tasks of a stream run although the stream broke")
def _broken_stream_runs_tasks(patches: Patches) -> None:
    cls = responses.StreamingResponse
    original = vars(cls)["__call__"]

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None
        try:
            await original(self, scope, receive, send)
        finally:
            if task is not None:
                await task()

    patches.set(cls, "__call__", call)


@fault("cancelled-on-disconnect", "tasks are cancelled when the client has gone")
def _cancelled_on_disconnect(patches: Patches) -> None:
    for cls in SENDING:
        patches.set(cls, "__call__", _cancelling(vars(cls)["__call__"]))


def _cancelling(original: Any) -> Any:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None
        await original(self, scope, receive, send)
        if task is None:
            return
        running = asyncio.ensure_future(task())
        gone = asyncio.ensure_future(_gone(receive))
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        for future in (gone, running):
            future.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    return call


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


@fault("request-closed", "body and scope of a request are gone when its tasks run")
def _request_closed(patches: Patches) -> None:
    def make(value: Any) -> Any:
        return Request({"type": "http", "headers": []}) if isinstance(value, Request) else value

    _with_other_requests(patches, make)


@fault("form-forgotten", "a request does not keep the form that was read")
def _form_forgotten(patches: Patches) -> None:
    original = Request._get_form  # noqa: SLF001

    async def get(self: Request, **options: Any) -> Any:
        form = await original(self, **options)
        self._form = None
        return form

    patches.set(Request, "_get_form", get)


@fault("request-copied", "a task gets a copy of its request")
def _request_copied(patches: Patches) -> None:
    def make(value: Any) -> Any:
        return Request(dict(value.scope)) if isinstance(value, Request) else value

    _with_other_requests(patches, make)


@fault("request-of-the-first", "every task gets the first request ever")
def _request_of_the_first(patches: Patches) -> None:
    seen: list[Request] = []

    def make(value: Any) -> Any:
        if isinstance(value, Request):
            seen.append(value)
            return seen[0]
        return value

    _with_other_requests(patches, make)


def _with_other_requests(patches: Patches, make: Callable[[Any], Any]) -> None:
    async def run(task: BackgroundTask) -> None:
        vars(task)["args"] = tuple(map(make, task.args))
        await original_task(task)

    run_tasks(patches, run)


@fault("injected-win", "the injected tasks replace the background of a returned response")
def _injected_win(patches: Patches) -> None:
    def get(self: Any) -> Any:
        # FastAPI attaches the injected tasks where it finds no background.
        asked_by = sys._getframe(1).f_globals["__name__"]  # noqa: SLF001
        return None if asked_by == "fastapi.routing" else self.__dict__.get("background")

    def put(self: Any, value: Any) -> None:
        if value is not None or "background" not in self.__dict__:
            self.__dict__["background"] = value

    patches.add(Response, "background", property(get, put))
