"""What pytest prints for `bgtasks == [scheduled(...), ...]` and `!=`."""

import pytest
from messages_lab import RUNS, failures, too_wide

TESTS = """
    def test_nothing_expected(client, bgtasks):
        client.post("/items/42")
        assert bgtasks == []

    def test_nothing_scheduled(client, bgtasks):
        client.get("/health")
        assert bgtasks == [scheduled(process_item, 1), scheduled(process_item, 2)]

    def test_other_params(client, bgtasks):
        client.post("/items/42")
        assert bgtasks == [scheduled(process_item, 42, action=ANY), scheduled(process_item, 7)][1:]

    def test_operands_swapped(client, bgtasks):
        client.post("/items/42")
        client.post("/items/43")
        assert [scheduled(process_item, 42), scheduled(process_item, 44)] == bgtasks

    def test_another_function(client, bgtasks):
        client.post("/items/42")
        assert bgtasks == [scheduled(charge, 5)]

    def test_other_order(client, bgtasks):
        client.post("/items/42")
        client.post("/items/43")
        assert bgtasks == [scheduled(process_item, 43), scheduled(process_item, 42)]

    def test_one_too_few(client, bgtasks):
        client.post("/items/42")
        client.post("/items/44")
        assert bgtasks == [scheduled(process_item, item) for item in (42, 43, 44)]

    def test_one_too_many(client, bgtasks):
        client.post("/users")
        assert bgtasks == [scheduled(mailer.welcome, ANY), scheduled(process_item, 1)]

    def test_other_functions_too(client, bgtasks):
        client.post("/payments")
        assert bgtasks == [scheduled(process_item, 1)]

    def test_no_expectation(client, bgtasks):
        client.post("/items/42")
        assert bgtasks == [{"item_id": 42}]

    def test_unequal(client, bgtasks):
        client.post("/items/42")
        assert bgtasks != [scheduled(process_item, 42)]

    def test_block(client, bgtasks):
        client.post("/items/42")
        with bgtasks.since() as created:
            client.get("/health")
        assert created == [scheduled(process_item, 42)]
"""

EXPECTED = {
    "test_nothing_expected": """\
>       assert bgtasks == []
E       AssertionError: assert bgtasks == []: 1 task was scheduled, expected none
E           unexpected process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_nothing_scheduled": """\
>       assert bgtasks == [scheduled(process_item, 1), scheduled(process_item, 2)]
E       AssertionError: assert bgtasks == [...]: no task was scheduled, expected 2
E           missing    [0] process_item(item_id=1, action='create')
E           missing    [1] process_item(item_id=2, action='create')
E           requests   GET /health -> 200
E           add_task was not reached, or the test replaced it""",
    "test_other_params": """\
>       assert bgtasks == [scheduled(process_item, 42, action=ANY), scheduled(process_item, 7)][1:]
E       AssertionError: assert bgtasks == [...]: scheduled with other params
E           expected   process_item(item_id=7, action='create')
E           scheduled  process_item(item_id=42, action='create')
E             item_id  expected 7, got 42
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_operands_swapped": """\
>       assert [scheduled(process_item, 42), scheduled(process_item, 44)] == bgtasks
E       AssertionError: assert bgtasks == [...]: 1 of 2 tasks differs
E           expected   [1] process_item(item_id=44, action='create')
E           scheduled  [1] process_item(item_id=43, action='create')
E             item_id  expected 44, got 43
E           at         shop.py:47 in create_item, POST /items/43, 2nd request""",
    "test_another_function": """\
>       assert bgtasks == [scheduled(charge, 5)]
E       AssertionError: assert bgtasks == [...]: another task was scheduled
E           missing    charge(amount=5)
E           unexpected process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_other_order": """\
>       assert bgtasks == [scheduled(process_item, 43), scheduled(process_item, 42)]
E       AssertionError: assert bgtasks == [...]: scheduled in another order
E           expected   [0] process_item(item_id=43, action='create'), which came as [1]
E           scheduled  [0] process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request
E           to ignore the order, assert each of them: scheduled(...) in bgtasks""",
    "test_one_too_few": """\
>       assert bgtasks == [scheduled(process_item, item) for item in (42, 43, 44)]
E       AssertionError: assert bgtasks == [...]: 2 tasks were scheduled, expected 3
E           missing    [1] process_item(item_id=43, action='create')""",
    "test_one_too_many": """\
>       assert bgtasks == [scheduled(mailer.welcome, ANY), scheduled(process_item, 1)]
E       AssertionError: assert bgtasks == [...]: 3 tasks were scheduled, expected 2
E           unexpected [0] send_email(to='ada@....org', subject='Welcome', body='Dear... Bob')
E           at         shop.py:53 in create_user, POST /users, 1st request""",
    "test_other_functions_too": """\
>       assert bgtasks == [scheduled(process_item, 1)]
E       AssertionError: assert bgtasks == [...]: 2 tasks were scheduled, expected 1
E           unexpected [0] charge(amount=100)
E           at         shop.py:66 in pay, POST /payments, 1st request
E           outcome    failed: ValueError('card declined')
E           to look at one function only: bgtasks.of(process_item) == [...]""",
    "test_no_expectation": """\
>       assert bgtasks == [{"item_id": 42}]
E       AssertionError: assert bgtasks == [...]: an item of the list is no expectation
E           {'item_id': 42} is no scheduled task: write scheduled(function, ...)""",
    "test_unequal": """\
>       assert bgtasks != [scheduled(process_item, 42)]
E       AssertionError: assert bgtasks != [...]: exactly these were scheduled
E           scheduled  process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
    "test_block": """\
>       assert created == [scheduled(process_item, 42)]
E       AssertionError: assert bgtasks.since() == [...]: no task was scheduled, expected 1
E           missing    process_item(item_id=42, action='create')
E           bgtasks.since() is empty (GET /health -> 200); elsewhere in this test:
E           scheduled  process_item(item_id=42, action='create')
E           at         shop.py:47 in create_item, POST /items/42, 1st request""",
}


@pytest.mark.parametrize("environment", RUNS.values(), ids=RUNS)
def test_messages(pytester, monkeypatch, environment):
    found = failures(pytester, monkeypatch, TESTS, **environment)
    assert found == EXPECTED
    assert too_wide(found) == []
