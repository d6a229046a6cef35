"""BG312: the value of a secret-looking argument appears in logs or output."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from checks_lab import Lab, endpoint

from bgcheck.checks.arguments_secrets import is_secret_name

TASKS = """
import io, logging, sys
from pydantic import BaseModel, SecretStr
log = logging.getLogger("shop")
class User(BaseModel):
    name: str
    password: str
class Account(BaseModel):
    password: SecretStr

def login(user, password): log.info("%s logs in with %s", user, password)
async def login_later(password):
    await asyncio.sleep(0)
    log.warning(f"login with {password}")
def show(password): print("login with", password)
def complain(password): sys.stderr.write(f"no login with {password}\\n")
def link(token): log.info("https://shop.example/reset?token=%s&x=1", token)
def store(user): log.info("storing %r", user)
def from_dict(options): log.info("options %s", options)
def reveal(account): log.info(account.password.get_secret_value())
def fail(password):
    try:
        raise ValueError(f"cannot use {password}")
    except ValueError:
        log.exception("no login")
def prefixed(password): log.info("h%s", password)
def masked(password): log.info("login with %s", "*" * len(password))
def first_letters(password): log.info("login with %s...", password[:2])
def quiet(password): len(password)
def other(password): log.info("login")
def user_name(name): log.info("%s", name)
"""

FAULTY = {
    "a log": ("login, 'ada', 'hunter2-3'", "password"),
    "an async task": ("login_later, password='hunter2-3'", "password"),
    "a value that says what it is": ("login, 'ada', 'hunter2secret'", "password"),
    "in a link": ("link, 'hunter2-3'", "token"),
    "a model": ("store, User(name='ada', password='hunter2-3')", "user.password"),
    "a dict": ("from_dict, {'api_key': 'hunter2-3'}", "options['api_key']"),
    "a list": ("from_dict, {'tokens': ['hunter2-3']}", "options['tokens'][0]"),
    "a revealed SecretStr": ("reveal, Account(password='hunter2-3')", "account.password"),
    "an error in a log": ("fail, 'hunter2-3'", "password"),
}


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Leaves the loggers that the apps configure as they were: they outlive an inner session."""
    kept = [
        (logger, logger.level, logger.handlers[:])
        for logger in (logging.getLogger(), logging.getLogger("shop"))
    ]
    yield
    for logger, level, handlers in kept:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.parametrize(("call", "path"), FAULTY.values(), ids=FAULTY)
def test_logged(lab: Lab, call: str, path: str) -> None:
    logs = "logging.basicConfig(level=logging.INFO, stream=io.StringIO(), force=True)\n"
    app = TASKS + logs + endpoint(f"tasks.add_task({call})")
    finding = lab.assert_found("BG312", app, "POST /orders", line="add_task")
    name = call.partition(",")[0]
    assert finding["message"] == f"the value of {path} of {name} was logged."
    assert finding["evidence"][0][0] == "logged at"
    assert "hunter2-3" not in str(finding)


@pytest.mark.parametrize("task", ["show", "complain"])
def test_printed(lab: Lab, task: str) -> None:
    app = TASKS + endpoint(f"tasks.add_task({task}, 'hunter2-3')")
    finding = lab.assert_found("BG312", app, "POST /orders", line="add_task")
    assert finding["message"] == f"the value of password of {task} appears in the output."
    assert "hunter2-3" not in str(finding)


def test_by_the_endpoint(lab: Lab) -> None:
    app = TASKS + endpoint("tasks.add_task(quiet, 'hunter2-3')\nlog.error('hunter2-3')")
    lab.assert_found("BG312", app, "POST /orders", line="add_task")


def test_once_where_a_log_is_printed(lab: Lab) -> None:
    app = (
        TASKS
        + "handler = logging.StreamHandler()\nlog.addHandler(handler)\n"
        + "log.setLevel(logging.INFO)\n"
        + endpoint("handler.setStream(sys.stderr)\ntasks.add_task(login, 'ada', 'hunter2-3')")
    )
    outcome = lab.run(app, "POST /orders", select="BG312")
    assert len(outcome.findings) == 1


SILENT = {
    "masked": "masked, 'hunter2-3'",
    "a part": "first_letters, 'hunter2-3'",
    "not logged": "quiet, 'hunter2-3'",
    "another text": "other, 'hunter2-3'",
    "no secret": "user_name, 'hunter2-3'",
    "a SecretStr": "store, Account(password='hunter2-3')",
    "too short to tell": "login, 'ada', 'logs'",
    "a word that says no more than the name": "login, 'ada', 'password'",
    "masked before": "login, 'ada', '********'",
    "a part of a longer word": "prefixed, 'unter22'",
    "no text": "login, 'ada', 12345678",
}


@pytest.mark.parametrize("call", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, call: str) -> None:
    app = TASKS + "log.setLevel(logging.INFO)\n" + endpoint(f"tasks.add_task({call})")
    outcome = lab.run(app, "POST /orders", select="BG312")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_a_level_that_is_off(lab: Lab) -> None:
    app = (
        TASKS
        + "log.setLevel(logging.ERROR)\n"
        + endpoint("tasks.add_task(login, 'ada', 'hunter2-3')")
    )
    assert lab.run(app, "POST /orders", select="BG312").findings == []


def test_secrets_of_one_test_are_not_those_of_the_next(lab: Lab) -> None:
    app = TASKS + endpoint("tasks.add_task(quiet, 'hunter2-3')")
    test = """
        def test_one():
            TestClient(app).post("/orders")
        def test_two():
            print("hunter2-3")
    """
    assert lab.run(app, test=test, select="BG312").findings == []


def test_logs_are_the_same(lab: Lab) -> None:
    app = (
        TASKS
        + "log.setLevel(logging.INFO)\n"
        + endpoint("tasks.add_task(login, 'ada', 'hunter2-3')")
    )
    test = """
        def test_logs(caplog):
            TestClient(app).post("/orders")
            (record,) = [each for each in caplog.records if each.name == "shop"]
            assert record.getMessage() == "ada logs in with hunter2-3"
            assert (record.funcName, record.filename) == ("login", "test_case_1.py")
            assert log.handlers == []
    """
    outcome = lab.run(app, test=test, select="BG312")
    assert outcome.codes == ["BG312"]
    assert outcome.result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True), ("db_password", True), ("apiKey", True), ("API_KEY", True),
        ("accessToken", True), ("tokens", True), ("client_secret", True), ("Authorization", True),
        ("X-Api-Key", True), ("pwd", True), ("token_type", False), ("next_page_token", False),
        ("key", False), ("primary_key", False), ("secretary", False), ("token_count", False),
        ("passwords_checked", False), ("name", False), ("", False),
    ],
)  # fmt: skip
def test_names(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret
