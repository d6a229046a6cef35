"""BG309: headers or status of a response changed in the task."""

from __future__ import annotations

import pytest
from checks_lab import Lab

HEAD = """
import functools
def header(response): response.headers["x-state"] = "done"
async def header_later(response):
    await asyncio.sleep(0)
    response.headers["x-state"] = "done"
def cookie(response): response.set_cookie("seen", "1")
def drop(response): del response.headers["x-state"]
def status(response): response.status_code = 202
def raw(headers): headers["x-state"] = "done"
def read(response): (response.status_code, dict(response.headers))
def same(response): response.headers["x-state"] = "new"
def own(): Response().headers["x-state"] = "done"
def body(response): response.body
def fail(response):
    response.headers["x-state"] = "done"
    raise ValueError

@app.post("/orders")
async def create(response: Response, tasks: BackgroundTasks):
    response.headers["x-state"] = "new"
    BODY
"""

FAULTY = {
    "a header": ("tasks.add_task(header, response)", "x-state"),
    "an async task": ("tasks.add_task(header_later, response)", "x-state"),
    "a cookie": ("tasks.add_task(cookie, response)", "set-cookie"),
    "a header taken away": ("tasks.add_task(drop, response)", "x-state"),
    "the status": ("tasks.add_task(status, response)", "status"),
    "the headers alone": ("tasks.add_task(raw, response.headers)", "x-state"),
    "captured": ("tasks.add_task(lambda: header(response))", "x-state"),
    "in a partial": ("tasks.add_task(functools.partial(header, response))", "x-state"),
    "in a dict": ("tasks.add_task(lambda d: header(d['r']), {'r': response})", "x-state"),
    "the response that is returned": (
        "answer = JSONResponse({})\n"
        "    answer.background = BackgroundTask(header, answer)\n    return answer",
        "x-state",
    ),
}

SILENT = {
    "before": "tasks.add_task(read, response)\n    response.headers['x-more'] = '1'",
    "read": "tasks.add_task(read, response)",
    "the same value": "tasks.add_task(same, response)",
    "a response of its own": "tasks.add_task(own)",
    "the body": "answer = JSONResponse({})\n"
    "    answer.background = BackgroundTask(body, answer)\n    return answer",
}


@pytest.mark.parametrize(("body", "label"), FAULTY.values(), ids=FAULTY)
def test_changed(lab: Lab, body: str, label: str) -> None:
    outcome = lab.run(HEAD.replace("BODY", body), "POST /orders", select="DEFAULT")
    (finding,) = outcome.findings
    assert finding["code"] == "BG309"
    assert finding["evidence"][0][0] == label


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    outcome = lab.run(HEAD.replace("BODY", body), "POST /orders", select="DEFAULT")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_message(lab: Lab) -> None:
    app = HEAD.replace("BODY", "tasks.add_task(header, response)")
    (finding,) = lab.run(app, "POST /orders", select="BG309").findings
    assert finding["message"] == "header changed response, a response that was sent before."
    assert finding["evidence"][0][1] == "'new' when sent, 'done'"


def test_a_task_that_fails_after_it(lab: Lab) -> None:
    app = HEAD.replace("BODY", "tasks.add_task(fail, response)")
    assert lab.run(app, "POST /orders", select="BG309").codes == ["BG309"]
