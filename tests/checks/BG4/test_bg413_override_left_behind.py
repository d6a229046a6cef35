"""BG413: `dependency_overrides` that a test leaves behind."""

from __future__ import annotations

import pytest
from checks_lab import Lab

APP = """
def get_name():
    return "shop"

@app.post("/orders")
def create(tasks: BackgroundTasks, name: str = Depends(get_name)):
    tasks.add_task(print, name)
"""
POST = '    with TestClient(app) as client:\n        client.post("/orders")\n'


def test_set_in_a_test(lab: Lab) -> None:
    test = f"def test_it():\n    app.dependency_overrides[get_name] = lambda: 'test'\n{POST}"
    finding = lab.assert_found("BG413", APP, test=test)
    assert "dependency_overrides[get_name]" in finding["message"]
    assert dict(finding["evidence"])["set in"].endswith("::test_it")


def test_set_in_a_fixture(lab: Lab) -> None:
    test = f"""
@pytest.fixture
def overridden():
    app.dependency_overrides[get_name] = lambda: "test"

def test_it(overridden):
{POST}
def test_other():
{POST}"""
    finding = lab.assert_found("BG413", APP, test=test)
    assert dict(finding["evidence"])["set in"].endswith("::test_it")


def test_value_that_was_replaced(lab: Lab) -> None:
    test = f"def test_it():\n    app.dependency_overrides[get_name] = lambda: 'test'\n{POST}"
    app = f"{APP}\napp.dependency_overrides[get_name] = lambda: 'module'\n"
    lab.assert_found("BG413", app, test=test)


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_taken_out_by_the_fixture(lab: Lab, scope: str) -> None:
    test = f"""
@pytest.fixture(scope="{scope}", autouse=True)
def overridden():
    app.dependency_overrides[get_name] = lambda: "test"
    yield
    app.dependency_overrides.clear()

def test_it():
{POST}
def test_other():
{POST}"""
    lab.assert_silent(APP, test=test)


def test_restored_by_monkeypatch(lab: Lab) -> None:
    test = f"""
def test_it(monkeypatch):
    monkeypatch.setitem(app.dependency_overrides, get_name, lambda: "test")
{POST}"""
    lab.assert_silent(APP, test=test)


def test_set_when_the_module_is_imported(lab: Lab) -> None:
    app = f"{APP}\napp.dependency_overrides[get_name] = lambda: 'module'\n"
    lab.assert_silent(app, "POST /orders")


def test_application_of_a_fixture(lab: Lab) -> None:
    test = f"""
def test_it():
    app = FastAPI()
    app.dependency_overrides[get_name] = lambda: "test"
    @app.post("/orders")
    def create(tasks: BackgroundTasks):
        tasks.add_task(print)
{POST}"""
    lab.assert_silent(APP, test=test)
