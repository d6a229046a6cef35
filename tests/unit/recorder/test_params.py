"""`bgcheck.recorder.params`: a snapshot that compares like the live values."""

import dataclasses
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest

from bgcheck.recorder.params import Params, equal, take_params


def target(value: Any, *, more: Any = None) -> None: ...


def take(value: Any) -> Params:
    return take_params(target, (value,), {})


@dataclasses.dataclass(eq=False)
class User:
    name: str


@dataclasses.dataclass
class Mail:
    to: User
    lines: list[str]


def test_compares_with_any_mapping() -> None:
    params = take([1])
    assert params == {"value": [1], "more": None}
    assert params != {"value": [1]}
    assert params != {"value": [1], "more": None, "another": 1}
    assert params == {"value": ANY, "more": ANY}
    assert params != [("value", [1])]
    assert params.__eq__(5) is NotImplemented


def test_live_objects_inside_of_values() -> None:
    """A dataclass compares its fields by `==`, which cannot know that a field was copied."""
    user = User("a")
    for value in (Mail(user, ["x"]), [Mail(user, [])], {"mail": (Mail(user, []),)}):
        assert take(value) == {"value": value, "more": None}
    namespace = SimpleNamespace(user=user)
    assert take(namespace) == {"value": namespace, "more": None}
    assert take(Mail(user, ["x"])) != {"value": Mail(user, ["y"]), "more": None}
    assert take(Mail(user, ["x"])) != {"value": Mail(User("a"), ["x"]), "more": None}


def test_cycles_compare() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [2]
    other.append(other)
    assert take(one) == {"value": one, "more": None}
    assert take(one) != {"value": other, "more": None}


class Array:
    """Compares item by item, and has no truth value."""

    ndim = 1

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.shape = (len(items),)

    def __eq__(self, other: object) -> Any:
        assert isinstance(other, Array)
        return Array(*(a == b for a, b in zip(self.items, other.items, strict=False)))

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def all(self) -> bool:
        return all(self.items)


def test_arrays_are_equal_when_all_their_items_are() -> None:
    assert take(Array(1, 2)) == {"value": Array(1, 2), "more": None}
    assert take(Array(1, 2)) != {"value": Array(1, 3), "more": None}
    assert take(Array(1, 2)) != {"value": Array(1), "more": None}
    assert take({"x": [Array(1)]}) == {"value": {"x": [Array(1)]}, "more": None}
    assert take({"x": [Array(1)]}) != {"value": {"x": [Array(2)]}, "more": None}


def test_numpy_arrays() -> None:
    numpy = pytest.importorskip("numpy", reason="this cell has no numpy")
    array = numpy.array([[1, 2], [3, 4]])
    params = take({"a": array})
    array_before = array.copy()
    assert params == {"value": {"a": array}, "more": None}
    array[0][0] = 9
    assert params != {"value": {"a": array}, "more": None}
    assert params == {"value": {"a": array_before}, "more": None}
    assert take(numpy.array([1])) != {"value": numpy.array([1, 1]), "more": None}
    assert take(numpy.array([])) == {"value": numpy.array([]), "more": None}
    big = numpy.zeros(1_000_000)
    assert take(big).references == {"value": "it is too large to copy"}


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [(1, 1, True), (1, 1.0, True), (1, 2, False), (Array(1), 1, False), (1, Array(1), False)],
)
def test_equal(left: Any, right: Any, result: bool) -> None:
    assert equal(left, right) is result


class NoAll:
    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError


def test_equality_without_a_truth_value_is_none() -> None:
    assert not equal(NoAll(), NoAll())


def test_a_call_that_does_not_bind_has_its_error() -> None:
    params = take_params(target, (), {"wrong": 1})
    assert str(params.error) == "missing a required argument: 'value'"
    assert params == {"args": (), "kwargs": {"wrong": 1}}


def test_extended_keeps_what_the_snapshot_knows() -> None:
    user = User("a")
    params = take([user])
    extended = params.extended({"self": 1})
    assert list(extended) == ["self", "value", "more"]
    assert extended == {"self": 1, "value": [user], "more": None}
    assert list(params) == ["value", "more"]


def test_describe() -> None:
    assert take("x").describe() == "value='x', more=None"
    assert take("x").describe(lambda _: "...") == "value=..., more=..."
