"""What pytest prints for `bgtasks.one(...)`, `bgtasks.expect(...)`, views and their length."""

# ruff: noqa: E501 - messages are here as pytest prints them

import pytest
from messages_lab import RUNS, failures, too_wide

TESTS = """
    def test_one_of_none(bgtasks):
        bgtasks.one(process_item)

    def test_one_with_other_params(client, bgtasks):
        client.post("/items/42")
        bgtasks.one(process_item, item_id=43)

    def test_one_of_several(client, bgtasks):
        client.post("/items/42")
        client.post("/items/43")
        bgtasks.one(process_item)

    def test_one_of_the_same(client, bgtasks):
        client.post("/items/42")
        client.post("/items/42")
        bgtasks.one(process_item)

    def test_any_one(client, bgtasks):
        client.get("/health")
        bgtasks.one()

    def test_any_one_of_several(client, bgtasks):
        client.post("/payments")
        bgtasks.one()

    def test_many(client, bgtasks):
        for item_id in range(5):
            client.post(f"/items/{item_id}")
        bgtasks.expect(process_item, at_most=4)

    def test_too_few(client, bgtasks):
        client.post("/items/42")
        client.post("/items/43")
        bgtasks.expect(process_item, item_id=42, times=2)

    def test_never(client, bgtasks):
        client.post("/payments")
        bgtasks.expect(charge, times=0)

    def test_not_scheduled(client, bgtasks):
        client.post("/items/42")
        bgtasks.expect(send_email, to="ada@example.org")

    def test_view(client, bgtasks):
        client.post("/payments")
        bgtasks.of(path="/users").expect(charge, amount=100, at_least=2)

    def test_empty_view(client, bgtasks):
        client.post("/items/42")
        assert bgtasks.of(send_email)

    def test_no_empty_view(client, bgtasks):
        client.post("/items/42")
        assert not bgtasks.of(process_item)

    def test_length(client, bgtasks):
        client.post("/items/42")
        assert len(bgtasks) == 2

    def test_index(client, bgtasks):
        client.post("/items/42")
        bgtasks[1]
"""

EXPECTED = {
    "test_one_of_none": """\
>       bgtasks.one(process_item)
E       AssertionError: no task was scheduled, expected process_item
E         expected   process_item(...), exactly once
E         no request reached an application in this test
E         bgtasks sees Starlette and FastAPI applications that run in this process""",
    "test_one_with_other_params": """\
>       bgtasks.one(process_item, item_id=43)
E       AssertionError: process_item was scheduled once, with other params
E         expected   process_item(item_id=43, ...), exactly once
E         scheduled  process_item(item_id=42, action='create')
E           item_id  expected 43, got 42
E         at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_one_of_several": """\
>       bgtasks.one(process_item)
E       AssertionError: process_item was scheduled twice
E         expected   process_item(...), exactly once
E         scheduled  process_item(item_id=42, action='create')
E         at         shop.py:47 in create_item, POST /items/42, 1st request
E         scheduled  process_item(item_id=43, action='create')
E         at         shop.py:47 in create_item, POST /items/43, 2nd request
E         to pick one of them: bgtasks.one(process_item, item_id=42)""",
    "test_one_of_the_same": """\
>       bgtasks.one(process_item)
E       AssertionError: process_item was scheduled twice
E         expected   process_item(...), exactly once
E         scheduled  process_item(item_id=42, action='create')
E         at         shop.py:47 in create_item, POST /items/42, 1st request
E         scheduled  process_item(item_id=42, action='create')
E         at         shop.py:47 in create_item, POST /items/42, 2nd request
E         to accept them all: bgtasks.expect(process_item, times=2)""",
    "test_any_one": """\
>       bgtasks.one()
E       AssertionError: no task was scheduled
E         expected   a task, exactly once
E         requests   GET /health -> 200
E         add_task was not reached, or the test replaced it""",
    "test_any_one_of_several": """\
>       bgtasks.one()
E       AssertionError: 2 tasks were scheduled
E         expected   a task, exactly once
E         scheduled  charge(amount=100)
E         at         shop.py:66 in pay, POST /payments, 1st request
E         outcome    failed: ValueError('card declined')
E         scheduled  process_item(item_id=1, action='create')
E         at         shop.py:67 in pay, POST /payments, 1st request
E         outcome    skipped: an earlier task of the same response did not succeed
E         to pick one of them: bgtasks.one(charge, amount=100)""",
    "test_many": """\
>       bgtasks.expect(process_item, at_most=4)
E       AssertionError: process_item was scheduled 5 times
E         expected   process_item(...), at most 4 times
E         scheduled  process_item(item_id=0, action='create')
E         at         shop.py:47 in create_item, POST /items/0, 1st request
E         scheduled  process_item(item_id=1, action='create')
E         at         shop.py:47 in create_item, POST /items/1, 2nd request
E         scheduled  process_item(item_id=2, action='create')
E         at         shop.py:47 in create_item, POST /items/2, 3rd request
E         ... and 2 more (-v shows all)""",
    "test_too_few": """\
>       bgtasks.expect(process_item, item_id=42, times=2)
E       AssertionError: process_item was scheduled once with these params
E         expected   process_item(item_id=42, ...), exactly 2 times
E         scheduled  process_item(item_id=42, action='create')
E         at         shop.py:47 in create_item, POST /items/42, 1st request
E         scheduled  process_item(item_id=43, action='create')
E           item_id  expected 42, got 43
E         at         shop.py:47 in create_item, POST /items/43, 2nd request""",
    "test_never": """\
>       bgtasks.expect(charge, times=0)
E       AssertionError: charge was scheduled once
E         expected   charge(...), never
E         scheduled  charge(amount=100)
E         at         shop.py:66 in pay, POST /payments, 1st request
E         outcome    failed: ValueError('card declined')""",
    "test_not_scheduled": """\
>       bgtasks.expect(send_email, to="ada@example.org")
E       AssertionError: send_email was not scheduled
E         expected   send_email(to='ada@example.org', ...), at least once
E         scheduled  process_item(item_id=42, action='create')
E         at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_view": """\
>       bgtasks.of(path="/users").expect(charge, amount=100, at_least=2)
E       AssertionError: charge was not scheduled in bgtasks.of(path='/users')
E         expected   charge(amount=100, ...), at least twice
E         bgtasks.of(path='/users') is empty; elsewhere in this test:
E         scheduled  charge(amount=100)
E         at         shop.py:66 in pay, POST /payments, 1st request
E         outcome    failed: ValueError('card declined')
E         also scheduled: process_item (-v shows where)""",
    "test_empty_view": """\
>       assert bgtasks.of(send_email)
E       AssertionError: assert <bgtasks.of(send_email): none of 1 scheduled: process_item>
E        +  where <bgtasks.of(send_email): none of 1 scheduled: process_item> = of(send_email)
E        +    where of = <bgtasks: process_item(item_id=42, action='create') succeeded>.of""",
    "test_no_empty_view": """\
>       assert not bgtasks.of(process_item)
E       AssertionError: assert not <bgtasks.of(process_item): process_item(item_id=42, action='create') succeeded>
E        +  where <bgtasks.of(process_item): process_item(item_id=42, action='create') succeeded> = of(process_item)
E        +    where of = <bgtasks: process_item(item_id=42, action='create') succeeded>.of""",
    "test_length": """\
>       assert len(bgtasks) == 2
E       AssertionError: assert 1 == 2
E        +  where 1 = len(<bgtasks: process_item(item_id=42, action='create') succeeded>)""",
    "test_index": """\
>       bgtasks[1]
E       IndexError: bgtasks[1]: 1 task was scheduled""",
}


@pytest.mark.parametrize("environment", [RUNS["plain"], RUNS["under xdist"]], ids=["plain", "-n2"])
def test_messages(pytester, monkeypatch, environment):
    found = failures(pytester, monkeypatch, TESTS, **environment)
    assert found == EXPECTED
    views = ("test_empty_view", "test_no_empty_view", "test_length")  # worded by pytest itself
    assert too_wide({name: text for name, text in found.items() if name not in views}) == []
