"""BG207: an error that is meant for an exception handler is raised in a task."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

HANDLED = """
class Refused(Exception): ...
class Shut(Refused): ...

@app.exception_handler(Refused)
async def answer(request, error):
    return JSONResponse({}, 409)

def refuse():
    raise HTTPException(409, "shut")
def shut():
    raise Shut
async def later():
    raise HTTPException(409)
def starlette():
    from starlette.exceptions import HTTPException
    raise HTTPException(404)
"""


@pytest.mark.parametrize("task", ["refuse", "shut", "later", "starlette"])
def test_error_with_a_handler(lab: Lab, task: str) -> None:
    app = HANDLED + endpoint(f"tasks.add_task({task})")
    finding = lab.assert_found("BG207", app, "POST /orders", line="add_task")
    assert "handler of" in dict(finding["evidence"])


def test_found_where_the_test_expects_it(lab: Lab) -> None:
    test = """
    def test_it():
        with pytest.raises(Exception):
            TestClient(app).post("/orders")
    """
    lab.assert_found("BG207", HANDLED + endpoint("tasks.add_task(refuse)"), test=test)


def test_plain_starlette(lab: Lab) -> None:
    app = """
    from starlette.applications import Starlette
    from starlette.routing import Route
    def refuse():
        raise HTTPException(409)
    async def create(request):
        return JSONResponse({}, background=BackgroundTask(refuse))
    app = Starlette(routes=[Route("/orders", create, methods=["POST"])])
    """
    lab.assert_found("BG207", app, "POST /orders")


def test_handler_of_last_resort_is_no_handler(lab: Lab) -> None:
    app = """
    @app.exception_handler(Exception)
    async def answer(request, error):
        return JSONResponse({}, 500)
    def boom():
        raise ValueError
    """
    lab.assert_found("BG201", f"{app}\n" + _dedented("tasks.add_task(boom)"), "POST /orders")


def _dedented(body: str) -> str:
    return "\n".join("    " + line for line in endpoint(body).splitlines())


SILENT = {
    "raised by the endpoint": "raise HTTPException(409)",
    "caught by the task": "tasks.add_task(caught)",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    task = """
def caught():
    try:
        refuse()
    except HTTPException:
        print("refused")
"""
    lab.assert_silent(HANDLED + task + endpoint(body), "POST /orders")


def test_injected(lab: Lab) -> None:
    test = """
    def test_it(bgtasks):
        bgtasks.fail(print, HTTPException(409))
        TestClient(app, raise_server_exceptions=False).post("/orders")
    """
    lab.assert_silent(HANDLED + endpoint("tasks.add_task(print)"), test=test)
