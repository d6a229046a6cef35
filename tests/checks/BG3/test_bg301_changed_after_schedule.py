"""BG301: an argument changed between scheduling and start."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import array
import functools
from collections import Counter, defaultdict, deque, OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from unittest.mock import Mock
from pydantic import BaseModel

def send(*args, **kwargs): ...
async def later(*args, **kwargs): ...

class Mail(BaseModel):
    to: str
    tags: list[str] = []

@dataclass
class Row:
    number: int
    tags: list[str] = field(default_factory=list)

@dataclass(frozen=True)
class Frozen:
    tags: list[str]

class Slots:
    __slots__ = ("number",)

class Order:
    def __init__(self):
        self.state = "new"
        self.items = []
        self._cache = None
    @cached_property
    def total(self):
        return 3
    def notify(self, *args): ...
    def __call__(self): ...

class Names(list): ...
"""

CHANGES = {
    "dict value": ("x = {'to': 'a'}", "tasks.add_task(send, x)", "x['to'] = 'b'", "args[0]['to']"),
    "new key": ("x = {}", "tasks.add_task(send, x)", "x['to'] = 'b'", "args[0]['to']"),
    "lost key": ("x = {'to': 'a'}", "tasks.add_task(send, x)", "x.clear()", "args[0]['to']"),
    "keyword": ("x = [1]", "tasks.add_task(send, mail=x)", "x[0] = 2", "mail[0]"),
    "list": ("x = [1]", "tasks.add_task(send, x)", "x.append(2)", "args[0][1]"),
    "nested": ("x = {'a': [{'b': 1}]}", "tasks.add_task(send, x)", "x['a'][0]['b'] = 2",
               "args[0]['a'][0]['b']"),
    "set": ("x = {1}", "tasks.add_task(send, x)", "x.add(2)", "args[0][2]"),
    "deque": ("x = deque([1])", "tasks.add_task(send, x)", "x.append(2)", "args[0][1]"),
    "bytearray": ("x = bytearray(b'a')", "tasks.add_task(send, x)", "x[0] = 98", "args[0].bytes"),
    "array": ("x = array.array('i', [1])", "tasks.add_task(send, x)", "x[0] = 2", "args[0].bytes"),
    "subclass of list": ("x = Names('a')", "tasks.add_task(send, x)", "x.append(2)", "args[0][1]"),
    "counter": ("x = Counter('a')", "tasks.add_task(send, x)", "x['a'] += 1", "args[0]['a']"),
    "model": ("x = Mail(to='a')", "tasks.add_task(send, x)", "x.to = 'b'", "args[0].to"),
    "list in a model": ("x = Mail(to='a')", "tasks.add_task(send, x)", "x.tags.append('b')",
                        "args[0].tags[0]"),
    "dataclass": ("x = Row(1)", "tasks.add_task(send, x)", "x.number = 2", "args[0].number"),
    "frozen dataclass": ("x = Frozen([])", "tasks.add_task(send, x)", "x.tags.append('b')",
                         "args[0].tags[0]"),
    "slots": ("x = Slots()\nx.number = 1", "tasks.add_task(send, x)", "x.number = 2",
              "args[0].number"),
    "object": ("x = Order()", "tasks.add_task(send, x)", "x.state = 'paid'", "args[0].state"),
    "bound method": ("x = Order()", "tasks.add_task(x.notify)", "x.state = 'paid'", "self.state"),
    "callable object": ("x = Order()", "tasks.add_task(x)", "x.state = 'paid'", "self.state"),
    "partial": ("x = [1]", "tasks.add_task(functools.partial(send, x))", "x.append(2)",
                "args[0][1]"),
    "keyword of a partial": ("x = functools.partial(send, a=1)", "tasks.add_task(x)",
                             "x.keywords['a'] = 2", "a"),
    "async task": ("x = [1]", "tasks.add_task(later, x)", "x.append(2)", "args[0][1]"),
    "replaced object": ("x = {'order': Order()}", "tasks.add_task(send, x)",
                        "x['order'] = Mock()", "args[0]['order']"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "add", "change", "path"), CHANGES.values(), ids=CHANGES)
def test_changed(lab: Lab, make: str, add: str, change: str, path: str) -> None:
    app = TASKS + endpoint(f"{make}\n{add}\n{change}")
    finding = lab.assert_found("BG301", app, "POST /orders", line="add_task")
    assert finding["evidence"][0][0] == path


def test_names_and_values(lab: Lab) -> None:
    app = "def mail(payload, retries=3): ...\n" + endpoint(
        "payload = {'to': 'a', 'cc': []}\n"
        "tasks.add_task(mail, payload)\n"
        "payload['to'] = 'b'\n"
        "payload['cc'].append('c')"
    )
    finding = lab.assert_found("BG301", app, "POST /orders")
    assert finding["message"] == "payload['to'] of mail changed between scheduling and start."
    assert finding["evidence"] == [
        ("payload['to']", "'a' when scheduled, 'b' now"),
        ("payload['cc'][0]", "nothing when scheduled, 'c' now"),
    ]
    assert finding["task"] == "mail({'to': 'a', 'cc': []})"


ELSEWHERE = {
    "by an earlier task": """
def change(x):
    x.append(2)
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    x = []
    tasks.add_task(change, x)
    tasks.add_task(send, x)
""",
    "by a dependency after the endpoint": """
from typing import Annotated
def payload():
    x = {"open": True}
    yield x
    x["open"] = False
@app.post("/orders")
async def create(tasks: BackgroundTasks, x: Annotated[dict, Depends(payload)]):
    tasks.add_task(send, x)
    x["open"] = None
""",
    "the body of the request": """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    mail = Mail(to="a")
    tasks.add_task(send, mail)
    mail.to = "b"
    return mail
""",
    "a loop over one dict": """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    x = {}
    for name in "ab":
        x["to"] = name
        tasks.add_task(send, x)
""",
    "a client at module level": """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    x = []
    tasks.add_task(send, x)
    x.append(1)
CLIENT = TestClient(app)
def test_it():
    CLIENT.post("/orders")
""",
}


@pytest.mark.parametrize("app", ELSEWHERE.values(), ids=ELSEWHERE)
def test_changed_elsewhere(lab: Lab, app: str) -> None:
    test = None if "def test_it" not in app else "\n"
    outcome = lab.run(TASKS + app, "POST /orders", test=test, select="BG301")
    assert outcome.codes == ["BG301"]


UNCHANGED = {
    "before scheduling": "x = {}\nx['a'] = 1\ntasks.add_task(send, x)",
    "a copy": "x = {}\ntasks.add_task(send, dict(x))\nx['a'] = 1",
    "changed back": "x = [1]\ntasks.add_task(send, x)\nx.append(2)\nx.pop()",
    "constants": "tasks.add_task(send, 1, 'a', (1, 2), None)",
    "a private attribute": "x = Order()\ntasks.add_task(x.notify)\nx._cache = 1",
    "a cached property": "x = Order()\ntasks.add_task(x.notify)\nx.total",
    "a mock": "x = Mock()\ntasks.add_task(send, x)\nx.state = 1\nx()",
    "a mock that is the task": "x = Mock()\ntasks.add_task(x, 1)\nx.state = 1",
    "replaced by an equal one": "x = {'a': [1]}\ntasks.add_task(send, x)\nx['a'] = [1]",
    "an object of a library": "import threading\nx = threading.Event()\n"
    "tasks.add_task(send, x)\nx.set()",
    "nan": "x = [float('nan')]\ntasks.add_task(send, x)",
    "a cycle": "x = []\nx.append(x)\ntasks.add_task(send, x)",
    "a default dict that is read": "x = defaultdict(list)\nx['a']\ntasks.add_task(send, x)",
    "keys that are objects": "x = {Order(): 1}\ntasks.add_task(send, x)",
    "an iterator": "x = iter([1, 2])\ntasks.add_task(send, x)",
}


@pytest.mark.parametrize("body", UNCHANGED.values(), ids=UNCHANGED)
def test_unchanged(lab: Lab, body: str) -> None:
    outcome = lab.run(TASKS + endpoint(body), "POST /orders", select="BG301")
    assert outcome.findings == []
    lab_passed = outcome.result.ret
    assert lab_passed == pytest.ExitCode.OK


SHARED = {
    "module-level store": """
JOBS = {}
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(send, JOBS)
    JOBS["a"] = "queued"
""",
    "entry of a module-level store": """
JOBS = {}
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    job = JOBS["a"] = {"state": "queued"}
    tasks.add_task(send, job)
    job["state"] = "accepted"
""",
    "module-level service": """
SERVICE = Order()
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(SERVICE.notify)
    SERVICE.items.append(1)
""",
    "class attribute": """
class Store:
    jobs = []
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(send, Store.jobs)
    Store.jobs.append(1)
""",
    "app.state": """
from starlette.requests import Request
app.state.jobs = {}
@app.post("/orders")
async def create(request: Request, tasks: BackgroundTasks):
    tasks.add_task(send, request.app.state.jobs)
    request.app.state.jobs["a"] = 1
""",
    "closure of the endpoint": """
def register(app):
    jobs = []
    @app.post("/orders")
    async def create(tasks: BackgroundTasks):
        tasks.add_task(send, jobs)
        jobs.append(1)
register(app)
""",
    "cached dependency": """
@functools.lru_cache
def service():
    return Order()
@app.post("/orders")
async def create(tasks: BackgroundTasks, x=Depends(service)):
    tasks.add_task(x.notify)
    x.state = "busy"
""",
}


@pytest.mark.parametrize("app", SHARED.values(), ids=SHARED)
def test_meant_to_be_shared(lab: Lab, app: str) -> None:
    lab.assert_silent(TASKS + app, "POST /orders", "POST /orders")


STREAM = """
from starlette.responses import StreamingResponse
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    sent = []
    async def parts():
        for part in ("a", "b"):
            sent.append(part)
            yield part
    tasks.add_task(send, sent)
    LINE
    return StreamingResponse(parts(), background=tasks)
"""


def test_what_a_stream_hands_to_its_task(lab: Lab) -> None:
    lab.assert_silent(TASKS + STREAM.replace("LINE", "pass"), "POST /orders")


def test_changed_before_the_stream_begins(lab: Lab) -> None:
    app = TASKS + STREAM.replace("LINE", "sent.append('early')")
    finding = lab.assert_found("BG301", app, "POST /orders")
    assert finding["evidence"] == [("args[0][0]", "nothing when scheduled, 'early' now")]


CLIENT = """
import threading
class Client:
    def __init__(self): self.lock = None
    def use(self): self.lock = VALUE
@app.post("/orders")
async def create(tasks: BackgroundTasks, x=Depends(Client)):
    tasks.add_task(send, x)
    x.use()
"""


def test_a_service_that_opens_something_on_its_first_use(lab: Lab) -> None:
    lab.assert_silent(TASKS + CLIENT.replace("VALUE", "threading.Lock()"), "POST /orders")


def test_a_service_that_is_told_something(lab: Lab) -> None:
    lab.assert_found("BG301", TASKS + CLIENT.replace("VALUE", "'told'"), "POST /orders")


USES_BGTASKS = """
@pytest.fixture
def client():
    return TestClient(app)
def test_it(client, bgtasks):
    client.post("/orders")
    assert bgtasks.one(send).outcome == "succeeded"
"""


def test_in_a_test_that_keeps_its_tasks(lab: Lab) -> None:
    app = TASKS + endpoint("x = {}\ntasks.add_task(send, x)\nx['to'] = 'a'")
    lab.assert_found("BG301", app, test=USES_BGTASKS)


def test_mapped_instance_that_is_committed(lab: Lab) -> None:
    pytest.importorskip("sqlalchemy", minversion="2.0")
    app = """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool
class Base(DeclarativeBase): ...
class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
engine = create_engine("sqlite://", poolclass=StaticPool,
                       connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
def rename(item): ...
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    with Session(engine) as session:
        item = Item(name="a")
        session.add(item)
        tasks.add_task(rename, item)
        CHANGE
        session.commit()
        session.refresh(item)
"""
    assert lab.run(app.replace("CHANGE", "pass"), "POST /orders", select="BG301").codes == []
    changed = app.replace("CHANGE", "item.name = 'b'")
    assert lab.run(changed, "POST /orders", select="BG301").codes == ["BG301"]
