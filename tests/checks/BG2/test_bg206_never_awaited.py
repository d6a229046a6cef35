"""BG206: a coroutine made in the task and never awaited."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checks_lab import Lab, endpoint

HELPERS = """
import gc
import functools
from unittest import mock

async def notify(to): ...

class Mailer:
    async def send(self, to): ...

mailer = Mailer()

async def nested():
    async def inner():
        notify("a")
    await inner()
"""

DROPPED = {
    "in an async task": ("async def work():\n    notify('a')\n", "notify"),
    "in a def task": ("def work():\n    notify('a')\n", "notify"),
    "a method": ("async def work():\n    mailer.send('a')\n", "Mailer.send"),
    "of a library": ("async def work():\n    asyncio.sleep(1)\n", "sleep"),
    "kept in a variable": (
        "async def work():\n    sent = notify('a')\n    return None\n",
        "notify",
    ),
    "kept in a list": ("async def work():\n    sent = [notify(n) for n in 'ab']\n", "notify"),
    "in a helper": ("async def work():\n    await nested()\n", "notify"),
    "as a result": ("async def work():\n    return notify('a')\n", "notify"),
    "as a truth": ("async def work():\n    if notify('a'):\n        pass\n", "notify"),
    "in a child": (
        "async def work():\n    await asyncio.gather(nested(), asyncio.sleep(0))\n",
        "notify",
    ),
    "after a swallowed error": (
        "async def work():\n    sent = notify('a')\n    try:\n        raise ValueError\n"
        "    except ValueError:\n        print('no stock')\n",
        "notify",
    ),
}


@pytest.mark.parametrize(("task", "name"), DROPPED.values(), ids=DROPPED)
def test_dropped(lab: Lab, task: str, name: str) -> None:
    app = HELPERS + task + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG206", app, "POST /orders", line="add_task(work)")
    assert finding["message"] == (
        f"work made the coroutine {name} and never awaited it: its body did not run."
    )


def test_evidence_names_both_lines(lab: Lab) -> None:
    app = HELPERS + "async def work():\n    await nested()\n" + endpoint("tasks.add_task(work)")
    evidence = dict(lab.run(app, "POST /orders").findings[0]["evidence"])
    assert evidence["dropped"].endswith("inner")
    assert evidence["defined"].endswith("notify")


def test_a_loop_tells_once(lab: Lab) -> None:
    task = "async def work():\n    for n in range(5):\n        notify(n)\n"
    outcome = lab.run(HELPERS + task + endpoint("tasks.add_task(work)"), "POST /orders")
    assert len(outcome.findings) == 1


SILENT = {
    "awaited": "async def work():\n    await notify('a')\n",
    "awaited later": "async def work():\n    sent = notify('a')\n    await sent\n",
    "gathered": "async def work():\n    await asyncio.gather(*map(notify, 'abc'))\n",
    "a child that is awaited": (
        "async def work():\n    child = asyncio.create_task(notify('a'))\n    await child\n"
    ),
    "closed": "async def work():\n    sent = notify('a')\n    sent.close()\n",
    "timed out before it began": (
        "async def work():\n    try:\n        await asyncio.wait_for(notify('a'), 0)\n"
        "    except (TimeoutError, asyncio.TimeoutError):\n        print('late')\n"
    ),
    "a child that is cancelled before it began": (
        "async def work():\n    child = asyncio.create_task(notify('a'))\n    child.cancel()\n"
        "    await asyncio.wait([child])\n"
    ),
    "run in a loop of its own": "def work():\n    asyncio.run(notify('a'))\n",
    "a mock of a method that is none": (
        "async def work():\n    session = mock.AsyncMock()\n    session.add(1)\n"
        "    await session.commit()\n"
    ),
    "an async generator": (
        "async def numbers():\n    yield 1\n    yield 2\n"
        "async def work():\n    async for number in numbers():\n        break\n"
    ),
    "garbage of somebody else": (
        "def work():\n    gc.collect()\n"
        "@app.middleware('http')\n"
        "async def leave(request, call_next):\n"
        "    ring = [notify('a')]\n    ring.append(ring)\n    del ring\n"
        "    return await call_next(request)\n"
    ),
}


@pytest.mark.parametrize("task", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, task: str) -> None:
    lab.assert_silent(HELPERS + task + endpoint("tasks.add_task(work)"), "POST /orders")


def test_dropped_in_the_endpoint_is_no_matter_of_a_task(lab: Lab) -> None:
    app = HELPERS + "def work(): ...\n" + endpoint("notify('a')\ntasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


WARNED = """
import warnings

async def notify(): ...

def test_it():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        notify()
    for warning in caught:
        print(warning.category.__name__, warning.filename == __file__, warning.lineno)
        print(warning.message, warning.source is not None)
"""


def test_the_warning_is_the_same(lab: Lab) -> None:
    without, watched = (_run(lab, WARNED, mode, "-s").outlines[:2] for mode in ("off", "report"))
    assert without[1] == "coroutine 'notify' was never awaited True"
    assert watched == without


@pytest.mark.parametrize("mode", ["off", "report"])
def test_warnings_as_errors_stay_errors(lab: Lab, mode: str) -> None:
    source = "async def notify(): ...\n\ndef test_it():\n    notify()\n"
    result = _run(lab, source, mode, "-W", "error")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*RuntimeWarning: coroutine 'notify' was never awaited*"])


def _run(lab: Lab, source: str, mode: str, *args: str) -> pytest.RunResult:
    lab.pytester.makepyfile(source)
    options = (f"--bgcheck={mode}", "-p", "bgcheck.plugin", "-p", "no:cacheprovider", "-q")
    return lab.pytester.runpytest_subprocess(*options, *args)


def test_the_warnings_module_is_put_back() -> None:
    code = (
        "import warnings\n"
        "from bgcheck.instrument import coroutines\n"
        "before = warnings._warn_unawaited_coroutine\n"
        "coroutines.install(); coroutines.install(); coroutines.uninstall()\n"
        "assert warnings._warn_unawaited_coroutine is not before\n"
        "coroutines.uninstall()\n"
        "assert warnings._warn_unawaited_coroutine is before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
