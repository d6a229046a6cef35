"""`bgcheck.instrument.blocking` and its like: all is put back, and nothing is seen in between."""

import asyncio
import importlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import permutations
from types import ModuleType

import pytest

NAMES = ("blocking", "nesting", "steps", "leftovers", "handles", "loop_objects")


@contextmanager
def installed(name: str) -> Iterator[ModuleType]:
    module = importlib.import_module(f"bgcheck.instrument.{name}")
    module.install()
    try:
        yield module
    finally:
        module.uninstall()


def _state() -> list[object]:
    import asyncio
    import threading
    from concurrent.futures import Future, ThreadPoolExecutor

    owners = (
        time,
        socket,
        socket.socket,
        subprocess.Popen,
        asyncio,
        asyncio.BaseEventLoop,
        asyncio.Queue,
        asyncio.Event,
        threading.Thread,
        threading.Event,
        Future,
        ThreadPoolExecutor,
        importlib.import_module("bgcheck.instrument.tasks"),
    )
    return [dict(vars(owner)) for owner in owners]


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_put_back(name: str) -> None:
    importlib.import_module(f"bgcheck.instrument.{name}")
    before = _state()
    with installed(name):
        assert _state() != before
        with installed(name):  # a second user changes nothing
            pass
        assert _state() != before
    assert _state() == before


@pytest.mark.parametrize("order", list(permutations(("blocking", "nesting", "leftovers"))))
def test_any_order(order: tuple[str, ...]) -> None:
    before = _state()
    with ExitStack() as stack:
        for name in order:
            stack.enter_context(installed(name))
    assert _state() == before


def test_function_that_was_imported_by_name_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    original = time.sleep
    module = ModuleType("imported_in_between")
    monkeypatch.setitem(sys.modules, "imported_in_between", module)
    with installed("blocking"):
        module.sleep = time.sleep  # type: ignore[attr-defined]
        assert module.sleep is not original
    assert module.sleep is original


def test_calls_outside_of_tasks_pass_through() -> None:
    with installed("blocking"):
        time.sleep(0)
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"x")
            assert other.recv(1) == b"x"
        with pytest.raises(TypeError):
            time.sleep("x")  # type: ignore[arg-type]


def test_patches_that_stay_while_virtual_time_comes_and_goes() -> None:
    from bgcheck.runner.clock import VirtualClock

    original = time.sleep
    with installed("blocking"):
        patched = time.sleep
        with VirtualClock() as clock, clock.enter_task("task"):
            time.sleep(3600)
        assert clock.now == 3600
        assert time.sleep is patched
    assert time.sleep is original


def test_patches_that_come_and_go_within_virtual_time() -> None:
    from bgcheck.runner.clock import VirtualClock

    original = time.sleep
    with VirtualClock() as clock, clock.enter_task("task"):
        with installed("blocking"):
            time.sleep(3600)
        time.sleep(1)
    assert clock.now == 3601
    assert time.sleep is original


def test_patches_that_go_first() -> None:
    from bgcheck.runner.clock import VirtualClock

    original = time.sleep
    with ExitStack() as patches, VirtualClock() as clock:
        patches.enter_context(installed("blocking"))
        with clock.enter_task("task"):
            time.sleep(5)
    assert clock.now == 5
    assert time.sleep is original


def test_the_socket_that_wakes_a_loop_is_left_alone() -> None:
    with installed("blocking"):
        loop = asyncio.SelectorEventLoop()
        kind = type(loop._ssock)  # type: ignore[attr-defined]
        assert kind is not socket.socket
        assert (kind.__name__, kind.__module__) == ("socket", "socket")
        assert kind.recv is socket.socket.__mro__[1].recv  # type: ignore[attr-defined]
        assert socket.socket.recv is not kind.recv
        loop.call_soon_threadsafe(loop.stop)
        loop.run_forever()
        loop.close()
    with closing(asyncio.SelectorEventLoop()) as loop:
        assert type(loop._ssock) is socket.socket  # type: ignore[attr-defined]
