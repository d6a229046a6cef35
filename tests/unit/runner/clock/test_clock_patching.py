"""Sleeps that were captured before the block: every place that holds one."""

from __future__ import annotations

import functools
import inspect
import sys
import time
import types
from contextlib import ExitStack
from time import sleep as captured_by_import
from typing import Any
from unittest import mock

import pytest

from bgcheck.runner.clock import VirtualClock, lasting_sleep
from bgcheck.runner.clock._patching import ClockPatches, replace_captured

captured_in_list = [time.sleep]
captured_in_dict = {"sleep": time.sleep}
captured_by_partial = functools.partial(time.sleep, 1)
captured_as_argument = functools.partial(lambda sleep, n: sleep(n), time.sleep)
captured_as_keyword = functools.partial(lambda n, sleep: sleep(n), sleep=time.sleep)


def default(seconds: float, sleep: Any = time.sleep) -> None:
    sleep(seconds)


def keyword_default(seconds: float, *, sleep: Any = time.sleep) -> None:
    sleep(seconds)


def closure() -> Any:
    sleep = time.sleep

    def nap(seconds: float) -> None:
        sleep(seconds)

    return nap


class Holder:
    attribute = time.sleep
    static = staticmethod(time.sleep)

    def __init__(self) -> None:
        self.own = time.sleep


class Slots:
    __slots__ = ("own",)

    def __init__(self) -> None:
        self.own = time.sleep


nap = closure()
holder = Holder()
slots = Slots()

PLACES = {
    "from time import sleep": lambda: captured_by_import(1),
    "list": lambda: captured_in_list[0](1),
    "dict": lambda: captured_in_dict["sleep"](1),
    "partial": lambda: captured_by_partial(),
    "argument of a partial": lambda: captured_as_argument(1),
    "keyword of a partial": lambda: captured_as_keyword(1),
    "default argument": lambda: default(1),
    "default of a keyword-only argument": lambda: keyword_default(1),
    "closure": lambda: nap(1),
    "class attribute": lambda: Holder.attribute(1),
    "static method": lambda: Holder.static(1),
    "instance attribute": lambda: holder.own(1),
    "slot": lambda: slots.own(1),
}


def held() -> tuple[Any, ...]:
    return (
        captured_by_import,
        captured_in_list[0],
        captured_in_dict["sleep"],
        captured_by_partial.func,
        captured_as_argument.args[0],
        captured_as_keyword.keywords["sleep"],
        (default.__defaults__ or ())[0],
        (keyword_default.__kwdefaults__ or {})["sleep"],
        nap.__closure__[0].cell_contents,
        Holder.attribute,
        Holder.static,
        holder.own,
        slots.own,
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_captured_sleep_takes_virtual_time(place: str, clock: VirtualClock) -> None:
    with clock.enter_task():
        PLACES[place]()
    assert clock.now == 1


def test_every_place_is_put_back() -> None:
    before = held()
    assert len(set(before)) == 1
    with VirtualClock():
        assert before[0] not in held()
    assert held() == before


def test_a_module_imported_in_the_block_is_put_back(clock: VirtualClock) -> None:
    module = types.ModuleType("late")
    exec("from time import sleep", vars(module))
    with clock.enter_task():
        module.sleep(1)
    assert clock.now == 1
    clock.__exit__(None, None, None)
    assert module.sleep is time.sleep


def test_other_objects_stay_as_they_are() -> None:
    old, new = object(), object()
    kept = [old]
    tuple_of = (old,)
    frozen = frozenset({old})
    changed = [old]
    replace_captured(old, new, keep=(kept,))
    assert kept[0] is not changed[0]
    assert changed == [new]
    assert tuple_of[0] is kept[0]
    assert kept[0] in frozen


def test_override_gives_a_class_what_it_inherits_and_takes_it_back() -> None:
    class Base:
        def name(self) -> str:
            return "base"

    class Derived(Base):
        pass

    def make(original: Any) -> Any:
        return lambda self: original(self) + "+"

    patches = ClockPatches()
    patches.override(Derived, "name", make)
    patches.override(Derived, "name", make)
    assert (Base().name(), Derived().name()) == ("base", "base+")
    patches.restore()
    assert "name" not in vars(Derived)


def test_a_patch_of_somebody_else_on_top_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    real = (time.sleep,)

    def fake(_seconds: float) -> None:
        return

    with VirtualClock() as clock:
        monkeypatch.setattr(time, "sleep", fake)
        with clock.enter_task():
            time.sleep(100)
    assert time.sleep is fake
    assert clock.now == 0
    monkeypatch.undo()
    with VirtualClock() as clock, clock.enter_task():
        time.sleep(5)
    assert clock.now == 5
    assert time.sleep is real[0]
    assert "time" in sys.modules


def test_a_lasting_sleep_is_real_until_a_clock_starts() -> None:
    before = held()
    with lasting_sleep():
        lasting = held()
        for _ in range(2):
            with VirtualClock() as clock:
                assert held() == lasting
                with clock.enter_task():
                    captured_by_import(3600)
                assert clock.now == 3600
            assert held() == lasting
        time.sleep(0)
        with lasting_sleep():
            pass
        assert held() == lasting
    assert held() == before
    assert all(one is not time.sleep for one in lasting)


def _sleep_an_hour(sleep: Any) -> float:
    with VirtualClock() as clock, clock.enter_task():
        sleep(3600)
    return clock.now


def test_what_a_test_puts_back_is_virtual_again_under_a_lasting_sleep() -> None:
    undo = (captured_by_import, time.sleep)  # as the monkeypatch fixture keeps it
    here = sys.modules[__name__]
    with lasting_sleep():
        assert _sleep_an_hour(captured_by_import) == 3600
        here.captured_by_import = undo[0]  # type: ignore[attr-defined]
        assert _sleep_an_hour(lambda seconds: captured_by_import(seconds)) == 3600
        time.sleep = undo[1]
        assert _sleep_an_hour(lambda seconds: time.sleep(seconds)) == 3600
    assert captured_by_import is undo[0]
    assert time.sleep is undo[1]


def test_a_mocked_sleep_is_left_alone_under_a_lasting_sleep() -> None:
    with lasting_sleep():
        lasting = time.sleep
        with mock.patch("time.sleep") as mocked:
            assert _sleep_an_hour(lambda seconds: time.sleep(seconds)) == 0
            assert _sleep_an_hour(captured_by_import) == 3600
        mocked.assert_called_once_with(3600)
        assert time.sleep is lasting
        assert _sleep_an_hour(lambda seconds: time.sleep(seconds)) == 3600


def test_a_sleep_that_was_mocked_when_the_lasting_one_began_is_found_later() -> None:
    with ExitStack() as stack:
        with mock.patch("time.sleep"):
            stack.enter_context(lasting_sleep())
        assert _sleep_an_hour(lambda seconds: time.sleep(seconds)) == 3600
        assert _sleep_an_hour(captured_by_import) == 3600
    assert inspect.isbuiltin(time.sleep)
    assert inspect.isbuiltin(captured_by_import)
