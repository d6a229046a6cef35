"""BG302: a task changed a constant, a cached or a returned object that it was given."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import functools
from collections import Counter, defaultdict
from dataclasses import dataclass
from pydantic import BaseModel

class Mail(BaseModel):
    to: str = ""
    tags: list[str] = []
@dataclass
class Options:
    retries: int

def put(x): x["to"] = "a"
async def put_later(x):
    await asyncio.sleep(0)
    x["to"] = "a"
def append(x): x.append(9)
def nested(x): x["tags"].append(9)
def rename(x): x.to = "a"
def count_down(x): x.retries -= 1
def done(x, key="a"): x[key] = "done"
def state(job): job["state"] = "done"
def count(x): x["sent"] += 1
def read(x): len(x)
def own_copy(x):
    x = dict(x)
    x["to"] = "a"
"""

FAULTY = {
    "a dict": ("DEFAULTS = {'subject': 'Hi'}", "put, DEFAULTS", "x['to']"),
    "an async task": ("DEFAULTS = {'subject': 'Hi'}", "put_later, DEFAULTS", "x['to']"),
    "a list": ("ADMINS = ['ada', 'bob']", "append, ADMINS", "x[2]"),
    "nested": ("DEFAULTS = {'tags': ['a']}", "nested, DEFAULTS", "x['tags'][1]"),
    "a shallow copy": ("DEFAULTS = {'tags': ['a']}", "nested, dict(DEFAULTS)", "x['tags'][1]"),
    "a model": ("TEMPLATE = Mail(to='b')", "rename, TEMPLATE", "x.to"),
    "a dataclass": ("OPTIONS = Options(3)", "count_down, OPTIONS", "x.retries"),
    "a cached result": (
        "@functools.lru_cache\ndef defaults(): return {'subject': 'Hi'}", "put, defaults()",
        "x['to']"),
    "a cached model": (
        "@functools.cache\ndef template(name): return Mail(to=name)", "rename, template('b')",
        "x.to"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "call", "path"), FAULTY.values(), ids=FAULTY)
def test_changed(lab: Lab, make: str, call: str, path: str) -> None:
    app = f"{TASKS}{make}\n{endpoint(f'tasks.add_task({call})')}"
    finding = lab.assert_found("BG302", app, "POST /orders", line="add_task")
    assert finding["evidence"][0][0] == path


def test_message(lab: Lab) -> None:
    app = TASKS + "DEFAULTS = {'subject': 'Hi'}\n" + endpoint("tasks.add_task(put, DEFAULTS)")
    finding = lab.assert_found("BG302", app, "POST /orders")
    assert finding["level"] == "warning"
    assert finding["message"] == (
        "put changed x['to'], which is part of DEFAULTS: everybody who uses it gets the change."
    )
    assert finding["evidence"][0][1] == "nothing before, 'a' after"


def test_message_of_a_cache(lab: Lab) -> None:
    app = TASKS + FAULTY["a cached result"][0] + "\n" + endpoint("tasks.add_task(put, defaults())")
    finding = lab.assert_found("BG302", app, "POST /orders")
    assert "which is part of the cached result of defaults()" in finding["message"]


SILENT = {
    "its own copy": ("DEFAULTS = {'a': 1}", "own_copy, DEFAULTS"),
    "a copy": ("DEFAULTS = {'a': 1}", "put, dict(DEFAULTS)"),
    "only read": ("DEFAULTS = {'a': 1}", "read, DEFAULTS"),
    "of the request": ("", "put, {'a': 1}"),
    "a store that begins empty": ("JOBS = {}", "done, JOBS"),
    "a store of defaults": ("JOBS = defaultdict(str)", "done, JOBS"),
    "an annotated store": ("JOBS: dict[str, str] = {}", "done, JOBS"),
    "counters": ("STATS = {'sent': 0, 'failed': 0}", "count, STATS"),
    "a cached store": ("@functools.lru_cache\ndef jobs(): return {}", "done, jobs()"),
}


@pytest.mark.parametrize(("make", "call"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, make: str, call: str) -> None:
    app = f"{TASKS}{make}\n{endpoint(f'tasks.add_task({call})')}"
    lab.assert_silent(app, "POST /orders", "POST /orders")


STORES = {
    "written by the endpoint": """
JOBS = {"first": "done"}
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    JOBS["a"] = "queued"
    tasks.add_task(done, JOBS)
""",
    "an entry": """
JOBS = {}
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    job = JOBS["a"] = {"state": "queued"}
    tasks.add_task(state, job)
""",
    "emptied by a function": """
JOBS = {"first": "done"}
def reset(): JOBS.clear()
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(done, JOBS)
""",
    "app.state": """
app.state.jobs = {"first": "done"}
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(done, app.state.jobs)
""",
    "a service": """
class Mailer:
    def __init__(self): self.sent = ["first"]
    def send(self, to): self.sent.append(to)
MAILER = Mailer()
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(MAILER.send, "a")
""",
    "a service as an argument": """
class Mailer:
    def __init__(self): self.sent = ["first"]
    def send(self, to): self.sent.append(to)
MAILER = Mailer()
def work(mailer): mailer.send("a")
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(work, MAILER)
""",
}


@pytest.mark.parametrize("app", STORES.values(), ids=STORES)
def test_stores(lab: Lab, app: str) -> None:
    lab.assert_silent(TASKS + app, "POST /orders", "POST /orders")


WRITERS = {
    "of the same name": ("def drop(call): call.DEFAULTS.pop('a')", ["BG302"]),
    "by the module": ("import constants\ndef drop(): constants.DEFAULTS.pop('a')", []),
    "by name": ("from constants import DEFAULTS\ndef drop(): DEFAULTS.pop('a')", []),
    "imported late": ("def drop():\n    import constants\n    del constants.DEFAULTS['a']", []),
}


@pytest.mark.parametrize(("writer", "codes"), WRITERS.values(), ids=WRITERS)
def test_a_store_is_written_to_by_code_that_can_mean_it(
    lab: Lab, writer: str, codes: list[str]
) -> None:
    lab.pytester.makepyfile(constants="DEFAULTS = {'subject': 'Hi'}", writer=writer)
    body = "import constants, writer\n" + endpoint("tasks.add_task(put, constants.DEFAULTS)")
    assert lab.run(TASKS + body, "POST /orders").codes == codes


RETURNED = {
    "a dict": ("order = {'subject': 'Hi'}\ntasks.add_task(put, order)\nreturn order", "x['to']"),
    "a model": ("mail = Mail(to='b')\ntasks.add_task(rename, mail)\nreturn mail", "x.to"),
    "a dataclass": (
        "options = Options(3)\ntasks.add_task(count_down, options)\nreturn options", "x.retries"),
    "a part of it": (
        "tags = ['a']\ntasks.add_task(append, tags)\nreturn {'tags': tags}", "x[1]"),
    "what holds it": (
        "tags = ['a']\ntasks.add_task(nested, {'tags': tags})\nreturn tags", "x['tags'][1]"),
    "by a partial": (
        "order = {'a': 1}\ntasks.add_task(functools.partial(put, order))\nreturn order",
        "x['to']"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "path"), RETURNED.values(), ids=RETURNED)
def test_returned(lab: Lab, body: str, path: str) -> None:
    finding = lab.assert_found("BG302", TASKS + endpoint(body), "POST /orders")
    assert (finding["level"], finding["evidence"][0][0]) == ("opt-in", path)


def test_message_of_a_returned_object(lab: Lab) -> None:
    finding = lab.assert_found("BG302", TASKS + endpoint(RETURNED["a dict"][0]), "POST /orders")
    assert finding["message"] == (
        "put changed x['to'], which is part of what the endpoint returned: the client has it "
        "without the change."
    )


@pytest.mark.parametrize("select", ["BG302", "BG3", "ALL"])
def test_returned_fails_where_it_is_selected(lab: Lab, select: str) -> None:
    app = TASKS + endpoint(RETURNED["a dict"][0])
    outcome = lab.run(app, "POST /orders", select=select, mode="strict")
    outcome.result.assert_outcomes(failed=1)


def test_returned_is_opt_in(lab: Lab) -> None:
    outcome = lab.run(TASKS + endpoint(RETURNED["a dict"][0]), "POST /orders", select="DEFAULT")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


NOT_RETURNED = {
    "a copy returned": "order = {'a': 1}\ntasks.add_task(put, order)\nreturn dict(order)",
    "a copy given": "order = {'a': 1}\ntasks.add_task(put, dict(order))\nreturn order",
    "its own copy": "order = {'a': 1}\ntasks.add_task(own_copy, order)\nreturn order",
    "only read": "order = {'a': 1}\ntasks.add_task(read, order)\nreturn order",
    "something else": "order = {'a': 1}\ntasks.add_task(put, order)\nreturn {'a': 1}",
    "a job of a store": (
        "job = JOBS['a'] = {'state': 'queued'}\ntasks.add_task(state, job)\nreturn job"),
    "a job of the application": (
        "job = {'state': 'queued'}\napp.state.jobs = {'a': job}\n"
        "tasks.add_task(state, job)\nreturn job"),
}  # fmt: skip


@pytest.mark.parametrize("body", NOT_RETURNED.values(), ids=NOT_RETURNED)
def test_not_returned(lab: Lab, body: str) -> None:
    lab.assert_silent(TASKS + "JOBS = {}\n" + endpoint(body), "POST /orders", "POST /orders")
