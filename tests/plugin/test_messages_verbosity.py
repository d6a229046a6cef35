"""Long values: their differing places, shortened by default, in full at `-vv`."""

# ruff: noqa: E501 - messages are here as pytest prints them

import pytest
from messages_lab import failures, too_wide

TESTS = """
    def test_nested(client, bgtasks):
        client.post("/orders")
        order = Order(id=1, items=[Item(name="pen"), Item(name="ink", price=2)])
        payload = {"lines": [{"n": 1}, {"n": 2, "gift": True}], "to": {"name": "Bob"}}
        assert bgtasks == [scheduled(ship, order, payload)]

    def test_long_text(client, bgtasks):
        client.post("/users")
        body = "Dear Ada, " + "welcome to the shop. " * 5 + "Yours, Eve"
        assert scheduled(send_email, "ada@example.org", "Welcome", body=body) in bgtasks

    def test_many(client, bgtasks):
        for item_id in range(5):
            client.post(f"/items/{item_id}")
        bgtasks.expect(process_item, times=2)
"""

EXPECTED = {
    (): {
        "test_nested": """\
>       assert bgtasks == [scheduled(ship, order, payload)]
E       AssertionError: assert bgtasks == [...]: scheduled with other params
E           expected   ship(order=Order(id=1...price=2)]), payload={'lines': ...': 'Bob'}})
E           scheduled  ship(order=Order(id=1...price=3)]), payload={'lines': ...': 'Ada'}})
E             order.items[1].price         expected 2, got 3
E             payload['lines'][1]['gift']  expected True, got (nothing)
E             payload['to']['name']        expected 'Bob', got 'Ada'
E           at         shop.py:61 in create_order, POST /orders, 1st request""",
        "test_long_text": """\
>       assert scheduled(send_email, "ada@example.org", "Welcome", body=body) in bgtasks
E       AssertionError: assert scheduled(send_email, ...) in bgtasks: only with other params
E           expected   send_email(to='ada@....org', subject='Welcome', body='Dear... Eve')
E           scheduled  send_email(to='ada@....org', subject='Welcome', body='Dear... Bob')
E             body  expected ...p. Yours, Eve', got ...p. Yours, Bob'
E           at         shop.py:53 in create_user, POST /users, 1st request
E           to compare only some params: bgtasks.expect(send_email, to=..., subject=...)
E           also scheduled: Mailer.welcome, process_item (-vv shows where)""",
        "test_many": """\
>       bgtasks.expect(process_item, times=2)
E       AssertionError: process_item was scheduled 5 times
E         expected   process_item(...), exactly 2 times
E         scheduled  process_item(item_id=0, action='create')
E         at         shop.py:47 in create_item, POST /items/0, 1st request
E         scheduled  process_item(item_id=1, action='create')
E         at         shop.py:47 in create_item, POST /items/1, 2nd request
E         scheduled  process_item(item_id=2, action='create')
E         at         shop.py:47 in create_item, POST /items/2, 3rd request
E         ... and 2 more (-v shows all)""",
    },
    ("-v",): {
        "test_nested": """\
>       assert bgtasks == [scheduled(ship, order, payload)]
E       AssertionError: assert bgtasks == [...]: scheduled with other params
E           expected   ship(order=Order(id=1...price=2)]), payload={'lines': ...': 'Bob'}})
E           scheduled  ship(order=Order(id=1...price=3)]), payload={'lines': ...': 'Ada'}})
E             order.items[1].price         expected 2, got 3
E             payload['lines'][1]['gift']  expected True, got (nothing)
E             payload['to']['name']        expected 'Bob', got 'Ada'
E           at         shop.py:61 in create_order, POST /orders, 1st request""",
        "test_long_text": """\
>       assert scheduled(send_email, "ada@example.org", "Welcome", body=body) in bgtasks
E       AssertionError: assert scheduled(send_email, ...) in bgtasks: only with other params
E           expected   send_email(to='ada@....org', subject='Welcome', body='Dear... Eve')
E           scheduled  send_email(to='ada@....org', subject='Welcome', body='Dear... Bob')
E             body  expected ...p. Yours, Eve', got ...p. Yours, Bob'
E           at         shop.py:53 in create_user, POST /users, 1st request
E           to compare only some params: bgtasks.expect(send_email, to=..., subject=...)
E           also scheduled: Mailer.welcome, process_item (-vv shows where)""",
        "test_many": """\
>       bgtasks.expect(process_item, times=2)
E       AssertionError: process_item was scheduled 5 times
E         expected   process_item(...), exactly 2 times
E         scheduled  process_item(item_id=0, action='create')
E         at         shop.py:47 in create_item, POST /items/0, 1st request
E         scheduled  process_item(item_id=1, action='create')
E         at         shop.py:47 in create_item, POST /items/1, 2nd request
E         scheduled  process_item(item_id=2, action='create')
E         at         shop.py:47 in create_item, POST /items/2, 3rd request
E         scheduled  process_item(item_id=3, action='create')
E         at         shop.py:47 in create_item, POST /items/3, 4th request
E         scheduled  process_item(item_id=4, action='create')
E         at         shop.py:47 in create_item, POST /items/4, 5th request""",
    },
    ("-vv",): {
        "test_nested": """\
>       assert bgtasks == [scheduled(ship, order, payload)]
E       AssertionError: assert bgtasks == [...]: scheduled with other params
E           expected   ship(order=Order(id=1, items=[Item(name='pen', price=1), Item(name='ink', price=2)]), payload={'lines': [{'n': 1}, {'n': 2, 'gift': True}], 'to': {'name': 'Bob'}})
E           scheduled  ship(order=Order(id=1, items=[Item(name='pen', price=1), Item(name='ink', price=3)]), payload={'lines': [{'n': 1}, {'n': 2}], 'to': {'name': 'Ada'}})
E             order.items[1].price         expected 2, got 3
E             payload['lines'][1]['gift']  expected True, got (nothing)
E             payload['to']['name']        expected 'Bob', got 'Ada'
E           at         shop.py:61 in create_order, POST /orders, 1st request""",
        "test_long_text": """\
>       assert scheduled(send_email, "ada@example.org", "Welcome", body=body) in bgtasks
E       AssertionError: assert scheduled(send_email, ...) in bgtasks: only with other params
E           expected   send_email(to='ada@example.org', subject='Welcome', body='Dear Ada, welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. Yours, Eve')
E           scheduled  send_email(to='ada@example.org', subject='Welcome', body='Dear Ada, welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. Yours, Bob')
E             body
E               expected 'Dear Ada, welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. Yours, Eve'
E               got      'Dear Ada, welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. welcome to the shop. Yours, Bob'
E           at         shop.py:53 in create_user, POST /users, 1st request
E           to compare only some params: bgtasks.expect(send_email, to=..., subject=...)
E           also scheduled:
E                      Mailer.welcome(to='ada@example.org')
E           at         shop.py:54 in create_user, POST /users, 1st request
E                      process_item(item_id=1, action='create')
E           at         shop.py:55 in create_user, POST /users, 1st request""",
        "test_many": """\
>       bgtasks.expect(process_item, times=2)
E       AssertionError: process_item was scheduled 5 times
E         expected   process_item(...), exactly 2 times
E         scheduled  process_item(item_id=0, action='create')
E         at         shop.py:47 in create_item, POST /items/0, 1st request
E         scheduled  process_item(item_id=1, action='create')
E         at         shop.py:47 in create_item, POST /items/1, 2nd request
E         scheduled  process_item(item_id=2, action='create')
E         at         shop.py:47 in create_item, POST /items/2, 3rd request
E         scheduled  process_item(item_id=3, action='create')
E         at         shop.py:47 in create_item, POST /items/3, 4th request
E         scheduled  process_item(item_id=4, action='create')
E         at         shop.py:47 in create_item, POST /items/4, 5th request""",
    },
}


RUNS = [((), {}), ((), {"CI": "true"}), (("-v",), {}), (("-vv",), {"CI": "true"})]


@pytest.mark.parametrize(("options", "environment"), RUNS)
def test_messages(pytester, monkeypatch, options, environment):
    found = failures(pytester, monkeypatch, TESTS, *options, **environment)
    assert found == EXPECTED[options]
    if "-vv" not in options:
        assert too_wide(found) == []
