"""`bgcheck.recorder.database`: what is read from the text and the values of statements."""

from __future__ import annotations

from typing import Any

import pytest

from bgcheck.recorder.database import statement_of

WRITTEN = {
    "INSERT INTO orders (id) VALUES (?)": "orders",
    "INSERT OR REPLACE INTO orders VALUES (?)": "orders",
    'UPDATE shop."Orders" SET paid=?': "orders",
    "delete from [orders] where id=?": "orders",
    "  MERGE INTO `orders` USING other": "orders",
    "SELECT * FROM orders": None,
    "CREATE TABLE orders (id int)": None,
}


@pytest.mark.parametrize(("sql", "table"), WRITTEN.items())
def test_written_table(sql: str, table: str | None) -> None:
    assert statement_of(sql, ()).written == table


READ = {
    "SELECT a.id FROM orders AS a JOIN users ON users.id = a.user_id WHERE a.x = 1": "orders",
    "SELECT count(*) FROM (SELECT id FROM orders) AS inner_": "orders",
    "SELECT 1 FROM users, orders": "orders",
    "UPDATE orders SET paid=1": "orders",
    "DELETE FROM orders WHERE id = 1": "orders",
}


@pytest.mark.parametrize(("sql", "table"), READ.items())
def test_read_tables(sql: str, table: str) -> None:
    assert table in statement_of(sql, ()).read


def test_columns_are_no_tables() -> None:
    assert statement_of("SELECT orders FROM users WHERE orders = 1", ()).read == {"users"}


PAIRS: list[tuple[str, Any, set[tuple[str, str]]]] = [
    ("INSERT INTO t (id, name) VALUES (?, ?)", (1, "ada"), {("id", "1"), ("name", "ada")}),
    ("INSERT INTO t (id) VALUES (?)", [(1,), (2,)], {("id", "1"), ("id", "2")}),
    ("SELECT * FROM t WHERE t.id = ? LIMIT ?", (7, 10), {("id", "7")}),
    ("SELECT * FROM t WHERE id IN (?, ?)", (7, 8), {("id", "7"), ("id", "8")}),
    ("SELECT * FROM t WHERE t.id = %(id_1)s", {"id_1": 7}, {("id", "7")}),
    ("SELECT * FROM t WHERE t.id = $1::INTEGER", (7,), {("id", "7")}),
    ("SELECT * FROM t WHERE id = :id", {"id": 7}, {("id", "7")}),
    ("SELECT * FROM t WHERE id > ?", (7,), set()),
    ("SELECT * FROM t WHERE paid = ? AND note = ?", (True, None), set()),
    ("SELECT '?' FROM t WHERE id = ?", (), set()),
]


@pytest.mark.parametrize(("sql", "parameters", "pairs"), PAIRS)
def test_pairs(sql: str, parameters: Any, pairs: set[tuple[str, str]]) -> None:
    assert statement_of(sql, parameters).pairs == pairs


def test_need_of_the_same_row() -> None:
    write = statement_of("INSERT INTO orders (id) VALUES (?)", (1,))
    look = statement_of("SELECT * FROM orders WHERE id = ?", (1,))
    other = statement_of("SELECT * FROM orders WHERE id = ?", (2,))
    every = statement_of("SELECT * FROM orders", ())
    elsewhere = statement_of("SELECT * FROM users WHERE id = ?", (1,))
    assert look.needs(write, earlier=True)
    assert not other.needs(write, earlier=True)
    assert every.needs(write, earlier=True)
    assert not every.needs(write, earlier=False)
    assert not elsewhere.needs(write, earlier=True)
