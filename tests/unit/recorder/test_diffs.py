"""Differing places in nested values."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from dirty_equals import IsInt
from pydantic import BaseModel

from bgcheck.recorder.describe import MISSING
from bgcheck.recorder.diffs import deepen
from bgcheck.recorder.expectation import Difference
from bgcheck.recorder.params import equal


class Item(BaseModel):
    name: str
    price: int = 1


class Order(BaseModel):
    items: list[Item]


@dataclass
class Point:
    x: int
    y: int
    cache: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Slotted:
    __slots__ = ("x",)
    x: int


class Pair(NamedTuple):
    left: Any
    right: Any


class ByIdentity:
    def __init__(self, name: str) -> None:
        self.name = name


def places(expected: Any, found: Any) -> dict[str, tuple[Any, Any]]:
    return {
        each.name: (each.expected, each.found)
        for each in deepen(Difference("v", expected, found), equal)
    }


ONE, OTHER = ByIdentity("a"), ByIdentity("b")


@pytest.mark.parametrize(
    ("expected", "found", "differing"),
    [
        (1, 2, {"v": (1, 2)}),
        ("a", 1, {"v": ("a", 1)}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"v['b']": (2, 3)}),
        ({"a": 1}, {"b": 1}, {"v['a']": (1, MISSING), "v['b']": (MISSING, 1)}),
        ([1, 2], [1, 3], {"v[1]": (2, 3)}),
        ([1, 2], [1], {"v[1]": (2, MISSING)}),
        ((1,), (1, 2), {"v[1]": (MISSING, 2)}),
        ([1], (1,), {"v": ([1], (1,))}),
        ({1, 2}, {2, 3}, {"v (differing)": ({1}, {3})}),
        ({1}, {2}, {"v": ({1}, {2})}),
        (Pair(1, [2]), Pair(1, [3]), {"v[1][0]": (2, 3)}),
        (Point(1, 2, {"a": 1}), Point(1, 3), {"v.y": (2, 3)}),
        (Slotted(1), Slotted(2), {"v.x": (1, 2)}),
        (Item(name="a"), Item(name="b"), {"v.name": ("a", "b")}),
        (
            {"orders": [Order(items=[Item(name="a"), Item(name="b")])]},
            {"orders": [Order(items=[Item(name="a"), Item(name="b", price=2)])]},
            {"v['orders'][0].items[1].price": (1, 2)},
        ),
        (Item(name="a"), Order(items=[]), {"v": (Item(name="a"), Order(items=[]))}),
        (ONE, OTHER, {"v": (ONE, OTHER)}),
        ([ONE, 1], [ONE, 2], {"v[1]": (1, 2)}),
        ({"a": IsInt, "b": 1}, {"a": 1, "b": 2}, {"v['b']": (1, 2)}),
        ({"a": IsInt}, {"a": "x"}, {"v['a']": (IsInt, "x")}),
    ],
)
def test_places(expected, found, differing):
    assert places(expected, found) == differing


def test_a_value_that_contains_itself_ends():
    expected: list[Any] = [1]
    found: list[Any] = [1]
    expected.append(expected)
    found.append(found)
    assert list(places(expected, found)) == ["v" + "[1]" * 12]


def test_two_values_without_differing_parts_differ_as_a_whole():
    class Never(dict):  # type: ignore[type-arg]
        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = None  # type: ignore[assignment]

    one, other = Never(a=1), Never(a=1)
    assert list(places(one, other)) == ["v"]


def test_a_mapped_instance_differs_by_its_loaded_columns():
    orm = pytest.importorskip("sqlalchemy.orm")

    class Base(orm.DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "user"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[str]

    assert places(User(id=1, name="a"), User(id=2, name="a")) == {"v.id": (1, 2)}
