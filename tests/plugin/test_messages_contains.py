"""What pytest prints for `scheduled(...) in bgtasks`, `not in`, and `task == scheduled(...)`."""

# ruff: noqa: E501 - messages are here as pytest prints them

import pytest
from messages_lab import RUNS, failures, too_wide

TESTS = """
    def test_other_params(client, bgtasks):
        client.post("/items/42?action=update")
        assert scheduled(process_item, 42) in bgtasks

    def test_no_request(bgtasks):
        assert scheduled(process_item, 42) in bgtasks

    def test_refused(client, bgtasks):
        client.get("/health")
        client.post("/items/x")
        assert scheduled(process_item, 42) in bgtasks

    def test_not_reached(client, bgtasks):
        client.get("/health")
        assert scheduled(process_item, 42) in bgtasks

    def test_other_functions(client, bgtasks):
        client.post("/items/42")
        client.post("/items/43")
        client.post("/users")
        assert scheduled(charge, 5) in bgtasks

    def test_nearest_first(client, bgtasks):
        client.post("/users")
        client.post("/items/41?action=update")
        client.post("/items/42?action=update")
        assert scheduled(process_item, 42) in bgtasks

    def test_other_object(client, bgtasks):
        client.post("/users")
        assert scheduled(Mailer("localhost").welcome, "ada@example.org") in bgtasks

    def test_does_not_bind(client, bgtasks):
        client.post("/wrong")
        assert scheduled(process_item, 42) in bgtasks

    def test_not_in(client, bgtasks):
        client.post("/payments")
        assert scheduled(process_item, 1) not in bgtasks

    def test_in_a_view(client, bgtasks):
        client.post("/items/42")
        assert scheduled(process_item, 42) in bgtasks.of(path="/users")

    def test_task(client, bgtasks):
        client.post("/items/42")
        task = bgtasks[0]
        assert task == scheduled(process_item, 42, "update")
"""

EXPECTED = {
    "test_other_params": """\
>       assert scheduled(process_item, 42) in bgtasks
E       AssertionError: assert scheduled(process_item, ...) in bgtasks: only with other params
E           expected   process_item(item_id=42, action='create')
E           scheduled  process_item(item_id=42, action='update')
E             action  expected 'create', got 'update'
E           at         shop.py:47 in create_item, POST /items/42, 1st request
E           to compare only some params: bgtasks.expect(process_item, item_id=...)""",
    "test_no_request": """\
>       assert scheduled(process_item, 42) in bgtasks
E       AssertionError: assert scheduled(process_item, ...) in bgtasks: no task was scheduled
E           expected   process_item(item_id=42, action='create')
E           no request reached an application in this test
E           bgtasks sees Starlette and FastAPI applications that run in this process""",
    "test_refused": """\
>       assert scheduled(process_item, 42) in bgtasks
E       AssertionError: assert scheduled(process_item, ...) in bgtasks: no task was scheduled
E           expected   process_item(item_id=42, action='create')
E           requests   GET /health -> 200
E                      POST /items/x -> 422
E           a request that is refused or fails schedules nothing: see its response""",
    "test_not_reached": """\
>       assert scheduled(process_item, 42) in bgtasks
E       AssertionError: assert scheduled(process_item, ...) in bgtasks: no task was scheduled
E           expected   process_item(item_id=42, action='create')
E           requests   GET /health -> 200
E           add_task was not reached, or the test replaced it""",
    "test_other_functions": """\
>       assert scheduled(charge, 5) in bgtasks
E       AssertionError: assert scheduled(charge, ...) in bgtasks: not scheduled
E           expected   charge(amount=5)
E           scheduled  process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request
E           also scheduled: process_item (twice), send_email, Mailer.welcome (-vv shows where)""",
    "test_nearest_first": """\
>       assert scheduled(process_item, 42) in bgtasks
E       AssertionError: assert scheduled(process_item, ...) in bgtasks: only with other params
E           expected   process_item(item_id=42, action='create')
E           scheduled  process_item(item_id=42, action='update')
E             action  expected 'create', got 'update'
E           at         shop.py:47 in create_item, POST /items/42, 3rd request
E           to compare only some params: bgtasks.expect(process_item, item_id=...)
E           also scheduled: process_item (twice), send_email, Mailer.welcome (-vv shows where)""",
    "test_other_object": """\
>       assert scheduled(Mailer("localhost").welcome, "ada@example.org") in bgtasks
E       AssertionError: assert scheduled(Mailer.welcome, ...) in bgtasks: not scheduled
E           expected   Mailer.welcome(to='ada@example.org')
E           scheduled  Mailer.welcome(to='ada@example.org')
E             of the same name, but another object:
E               expected <bound method Mailer.welcome of <Mailer localhost>>
E               got      <bound method Mailer.welcome of <Mailer smtp.example.org>>
E           at         shop.py:54 in create_user, POST /users, 1st request
E           also scheduled: send_email, process_item (-vv shows where)""",
    "test_does_not_bind": """\
>       assert scheduled(process_item, 42) in bgtasks
E       assert scheduled(process_item, ...) in bgtasks: only with other params
E           expected   process_item(item_id=42, action='create')
E           scheduled  process_item(args=(), kwargs={})
E             this call does not bind: missing a required argument: 'item_id'
E           at         shop.py:72 in wrong, POST /wrong, 1st request
E           outcome    failed: TypeError("process_item() missing... positional argument: 'item_id'")""",
    "test_not_in": """\
>       assert scheduled(process_item, 1) not in bgtasks
E       AssertionError: assert scheduled(process_item, ...) not in bgtasks: scheduled once
E           scheduled  process_item(item_id=1, action='create')
E           at         shop.py:67 in pay, POST /payments, 1st request
E           outcome    skipped: an earlier task of the same response did not succeed""",
    "test_in_a_view": """\
>       assert scheduled(process_item, 42) in bgtasks.of(path="/users")
E       AssertionError: assert scheduled(process_item, ...) in bgtasks.o...'/users'): not scheduled
E           expected   process_item(item_id=42, action='create')
E           bgtasks.of(path='/users') is empty; elsewhere in this test:
E           scheduled  process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_task": """\
>       assert task == scheduled(process_item, 42, "update")
E       AssertionError: assert task == scheduled(process_item, ...): scheduled with other params
E           expected   process_item(item_id=42, action='update')
E           scheduled  process_item(item_id=42, action='create')
E             action  expected 'update', got 'create'
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
}


@pytest.mark.parametrize("environment", RUNS.values(), ids=RUNS)
def test_messages(pytester, monkeypatch, environment):
    found = failures(pytester, monkeypatch, TESTS, **environment)
    assert found == EXPECTED
    assert too_wide(found) == []
