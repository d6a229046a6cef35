"""States of arguments: what differs, in which path, and that nothing is kept alive."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import Any

import pytest

from bgcheck.recorder.state import CallState, capture, capture_call, changes, describe


class Thing:
    """An object of the user's own."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._cache: object = None
        self.inner: list[object] = []

    @functools.cached_property
    def total(self) -> int:
        return 1


def differences(before: Any, change: Any) -> list[str]:
    """Capture, change in place, and compare."""
    state = capture(before)
    change(before)
    return [str(found) for found in changes(state, capture(before), "x")]


@pytest.mark.parametrize(
    ("value", "change", "found"),
    [
        ({"a": 1}, lambda x: x.update(a=2), ["x['a']: 1 -> 2"]),
        ({"a": 1}, lambda x: x.clear(), ["x['a']: 1 -> nothing"]),
        ([1, 2], lambda x: x.append(3), ["x[2]: nothing -> 3"]),
        ([1, [2]], lambda x: x[1].append(3), ["x[1][1]: nothing -> 3"]),
        ({1}, lambda x: x.add(2), ["x[2]: nothing -> True"]),
        (Thing(), lambda x: setattr(x, "number", 1), ["x.number: 0 -> 1"]),
        (Thing(), lambda x: setattr(x, "_cache", 1), []),
        (Thing(), lambda x: x.total, []),
        ([float("nan")], list.copy, []),
        ([1], lambda x: x.__setitem__(0, True), ["x[0]: 1 -> True"]),
    ],
)
def test_changes(value: Any, change: Any, found: list[str]) -> None:
    assert differences(value, change) == found


def test_cycle() -> None:
    value: list[object] = [1]
    value.append(value)
    assert differences(value, lambda x: x.append(2)) == ["x[2]: nothing -> 2"]


def test_shared_parts_are_one_node() -> None:
    part = [1]
    state = capture([part, part])
    first, second = state.items.values()
    assert first is second


def test_nothing_is_kept_alive() -> None:
    thing = Thing()
    thing.inner.append(Thing())
    refs = [weakref.ref(thing), weakref.ref(thing.inner[0])]
    states = [capture({"a": thing, thing: 1}), capture_call(thing.__init__, (thing,), {}, name="f")]
    del thing
    gc.collect()
    assert [ref() for ref in refs] == [None, None]
    assert states


def test_partial_is_the_call_that_it_makes() -> None:
    plain = capture_call(print, (1, 2), {"end": ""}, name="print")
    partial = capture_call(functools.partial(print, 1, end="x"), (2,), {"end": ""}, name="print")
    assert (partial.args, partial.kwargs) == (plain.args, plain.kwargs)
    assert plain.constant
    assert not partial.constant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1]}, "{'a': [1]}"),
        ({1}, "{1}"),
        ((1, "a"), "(1, 'a')"),
        (Thing(3), "Thing(number=3, inner=[])"),
        (object(), "<object>"),
        ({"a": {"b": {"c": 1}}}, "{'a': {'b': dict(...)}}"),
    ],
)
def test_describe(value: object, text: str) -> None:
    assert describe(capture(value)) == text


def test_call_as_text() -> None:
    state = capture_call(print, (1, {"a": "b"}), {"end": "x"}, name="send")
    assert isinstance(state, CallState)
    assert str(state) == "send(1, {'a': 'b'}, end='x')"


def test_no_repr_of_the_user_runs() -> None:
    class Bad(int):
        def __repr__(self) -> str:
            raise ValueError

    assert describe(capture([Bad()])) == "[Bad()]"
