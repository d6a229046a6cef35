"""Expectations: which calls are the same call."""

import functools
from dataclasses import dataclass
from unittest.mock import ANY, Mock, create_autospec

import pytest
from dirty_equals import IsNow, IsPartialDict, IsPositiveInt
from recorder_lab import schedule

from bgcheck import scheduled


def add(
    item_id: int, action: str = "create", *tags: str, note: str = "", **more: object
) -> None: ...


def mail(item_id: int, action: str = "create") -> None: ...


class Mailer:
    def send(self, to: str, subject: str = "Hello") -> None: ...

    @classmethod
    def open(cls, host: str) -> None: ...

    @staticmethod
    def ping(host: str) -> None: ...

    def __call__(self, to: str) -> None: ...


class Special(Mailer):
    pass


def traced(func):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapper


@traced
def decorated(item_id: int, action: str = "create") -> None: ...


def with_session(func):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        return func("session", *args, **kwargs)

    return wrapper


@with_session
def injected(session: str, item_id: int) -> None: ...


mailer = Mailer()

SAME = {
    "positional and keyword": ((add, 1, "create"), {}, scheduled(add, item_id=1, action="create")),
    "default left out": ((add, 1), {}, scheduled(add, 1, "create", note="")),
    "default given": ((add, 1), {"note": ""}, scheduled(add, 1)),
    "var arguments": ((add, 1, "x", "a", "b"), {"z": 1}, scheduled(add, 1, "x", "a", "b", z=1)),
    "partial scheduled": ((functools.partial(add, 1), "x"), {}, scheduled(add, 1, "x")),
    "partial expected": ((add, 1, "x"), {}, scheduled(functools.partial(add, action="x"), 1)),
    "both partial": (
        (functools.partial(add, 1), "x"),
        {},
        scheduled(functools.partial(functools.partial(add, 1), action="x")),
    ),
    "bound method": ((mailer.send, "ada"), {}, scheduled(mailer.send, to="ada")),
    "function of a method": ((mailer.send, "ada"), {}, scheduled(Mailer.send, mailer, "ada")),
    "any instance": ((mailer.send, "ada"), {}, scheduled(Mailer.send, ANY, "ada")),
    "partial of a method": (
        (functools.partial(mailer.send, "ada"),),
        {},
        scheduled(Mailer.send, mailer, to="ada"),
    ),
    "inherited method": ((Special().send, "ada"), {}, scheduled(Mailer.send, ANY, "ada")),
    "class method": ((Mailer.open, "h"), {}, scheduled(mailer.open, host="h")),
    "static method": ((Mailer.ping, "h"), {}, scheduled(mailer.ping, host="h")),
    "callable object": ((mailer, "ada"), {}, scheduled(mailer, to="ada")),
    "class": ((dict,), {"a": 1}, scheduled(dict, a=1)),
    "builtin": ((print, "x"), {"sep": ","}, scheduled(print, "x", sep=",")),
    "decorated": ((decorated, 1), {}, scheduled(decorated, item_id=1, action="create")),
    "decorator that adds": ((injected, 1), {}, scheduled(injected, 1)),
    "ANY": ((add, 1), {}, scheduled(add, ANY)),
    "dirty-equals": ((add, 1), {}, scheduled(add, IsPositiveInt)),
    "nested matcher": ((add, {"id": 1, "x": 2}), {}, scheduled(add, IsPartialDict(id=1))),
    "matcher in a list": ((add, [1, 2]), {}, scheduled(add, [ANY, 2])),
}
OTHER = {
    "value": ((add, 1), {}, scheduled(add, 2)),
    "type": ((add, 1), {}, scheduled(add, "1")),
    "function": ((add, 1), {}, scheduled(decorated, 1)),
    "var arguments": ((add, 1, "x", "a"), {}, scheduled(add, 1, "x", "b")),
    "extra keyword": ((add, 1), {"z": 1}, scheduled(add, 1)),
    "another instance": ((mailer.send, "ada"), {}, scheduled(Mailer().send, "ada")),
    "instance as self": ((mailer.send, "ada"), {}, scheduled(Mailer.send, Mailer(), "ada")),
    "subclass": ((Special.open, "h"), {}, scheduled(Mailer.open, "h")),
    "partial": ((functools.partial(add, 1),), {}, scheduled(functools.partial(add, 2))),
    "matcher": ((add, -1), {}, scheduled(add, IsPositiveInt)),
    "matcher of another type": ((add, "soon"), {}, scheduled(add, IsNow)),
}


@pytest.mark.parametrize(("call", "kwargs", "expected"), SAME.values(), ids=SAME)
def test_same_call(bgtasks, call, kwargs, expected):
    schedule(*call, **kwargs)
    assert bgtasks == [expected]
    assert bgtasks[0] == expected
    assert expected == bgtasks[0]
    assert not bgtasks[0] != expected  # noqa: SIM202 - the other operator is what is tested
    assert bgtasks.one(expected.func) is bgtasks[0]


@pytest.mark.parametrize(("call", "kwargs", "expected"), OTHER.values(), ids=OTHER)
def test_other_call(bgtasks, call, kwargs, expected):
    schedule(*call, **kwargs)
    assert expected not in bgtasks
    assert bgtasks[0] != expected
    assert expected != bgtasks[0]
    assert not bgtasks == [expected]  # noqa: SIM201 - the other operator is what is tested


def test_expectations_equal_each_other():
    assert scheduled(add, 1) == scheduled(functools.partial(add, item_id=1))
    assert scheduled(add, 1) != scheduled(add, 2)
    assert scheduled(add, 1) != scheduled(decorated, 1)
    assert scheduled(add, ANY) == scheduled(add, 3)
    assert scheduled(add, 1) != "add"


def test_arguments_are_compared_as_they_were_when_scheduled(bgtasks):
    data = {"state": "new"}
    schedule(add, data)
    data["state"] = "changed"
    assert bgtasks == [scheduled(add, {"state": "new"})]
    assert scheduled(add, data) not in bgtasks


def test_an_object_that_compares_by_identity_equals_itself(bgtasks):
    session = object()
    schedule(add, session)
    assert scheduled(add, session) in bgtasks
    assert scheduled(add, object()) not in bgtasks


class Array:
    """Compares item by item, as arrays do, and has no truth value."""

    def __init__(self, *items: int) -> None:
        self.items = items

    def __eq__(self, other: object) -> "Array":  # type: ignore[override]
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_what_cannot_be_compared_is_unequal_and_raises_nothing(bgtasks):
    schedule(add, Array(1))
    assert scheduled(add, Array(2)) not in bgtasks
    assert scheduled(add, 1) not in bgtasks
    assert scheduled(add, ANY) in bgtasks
    assert scheduled(add, Array(1)) != scheduled(add, Array(1))


def test_a_mock_is_found_by_itself(bgtasks):
    loose, strict = Mock(), create_autospec(add)
    schedule(loose, 1, x=2)
    schedule(strict, 1)
    assert bgtasks == [scheduled(loose, 1, x=2), scheduled(strict, item_id=1)]
    assert not bgtasks.of(Mock())


def test_a_task_whose_call_does_not_bind_equals_no_call(bgtasks):
    schedule(decorated)
    assert scheduled(decorated, ANY) not in bgtasks
    bgtasks.one(decorated)
    bgtasks.expect(decorated, item_id=ANY, times=0)


def test_params_of_a_decorator_that_rewrites_the_call_are_named_as_it_takes_them(bgtasks):
    schedule(injected, item_id=1)
    assert bgtasks.one(injected, item_id=1).params == {"args": (), "kwargs": {"item_id": 1}}
    bgtasks.expect(injected, item_id=2, times=0)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing a required argument: 'item_id'"),
        ((1, "x", 3), {}, "too many positional arguments"),
        ((1,), {"colour": "red"}, "got an unexpected keyword argument 'colour'"),
        ((1,), {"item_id": 1}, "multiple values for argument 'item_id'"),
    ],
)
def test_refuses_arguments_that_do_not_bind(args, kwargs, message):
    with pytest.raises(TypeError) as raised:
        scheduled(mail, *args, **kwargs)
    assert str(raised.value) == (
        f"scheduled(mail, ...) is no call: {message}\n"
        "  its signature: mail(item_id: int, action: str = 'create') -> None"
    )


@pytest.mark.parametrize("func", [None, 42, "add", [add]])
def test_refuses_what_is_not_callable(bgtasks, func):
    calls = [scheduled, bgtasks.expect]
    if func is not None:
        calls += [bgtasks.of, bgtasks.one]
    for call in calls:
        with pytest.raises(TypeError, match="takes a function"):
            call(func)


def test_refuses_an_expectation_in_place_of_a_function(bgtasks):
    for call in (scheduled, bgtasks.of, bgtasks.one, bgtasks.expect):
        with pytest.raises(TypeError, match="takes a function, not scheduled"):
            call(scheduled(add, 1))


def test_refuses_a_name_that_is_no_parameter(bgtasks):
    for call in (bgtasks.one, bgtasks.expect):
        with pytest.raises(TypeError) as raised:
            call(functools.partial(decorated, 1), id=1)
        assert str(raised.value) == (
            "decorated has no parameter 'id'\n  its parameters: item_id, action"
        )
    with pytest.raises(TypeError, match="its parameters: none"):
        bgtasks.expect(lambda: None, id=1, times=0)


def test_repr_is_the_call():
    assert repr(scheduled(decorated, 1)) == "scheduled(decorated, item_id=1, action='create')"
    assert repr(scheduled(lambda: None)) == "scheduled(<lambda>)"


def test_repr_survives_a_value_without_one():
    class Silent:
        def __repr__(self) -> str:
            raise RuntimeError

    expected = "scheduled(decorated, item_id=<Silent whose repr raised RuntimeError>, action='')"
    assert repr(scheduled(decorated, Silent(), "")) == expected


def test_is_not_hashable():
    with pytest.raises(TypeError, match="unhashable"):
        hash(scheduled(add, 1))


@dataclass
class Service:
    host: str

    def call(self, item_id: int) -> None: ...


def test_methods_of_equal_objects_are_methods_of_other_objects(bgtasks):
    one, other = Service("a"), Service("a")
    schedule(one.call, 1)
    assert scheduled(one.call, 1) in bgtasks
    assert scheduled(other.call, 1) not in bgtasks
    assert scheduled(Service.call, other, 1) in bgtasks
