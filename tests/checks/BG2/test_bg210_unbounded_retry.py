"""BG210: many identical failures in one task, and no bound seen."""

from __future__ import annotations

import sys

import pytest
from checks_lab import Lab, endpoint

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")

HELPERS = """
import itertools
import logging
import time

log = logging.getLogger("app")
left = itertools.count()

class MailError(Exception): ...

def send(failures=15):
    if next(left) < failures:
        raise MailError("no server")
    return True
"""


def app_with(body: str) -> str:
    """Write an app whose task `work` has a body."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{HELPERS}\nasync def work():\n{lines}" + endpoint("tasks.add_task(work)")


FAULTY = {
    "while True": (
        "while True:\n    try:\n        send()\n        break\n    except MailError:\n"
        "        log.warning('again')"
    ),
    "with return and a wait": (
        "while 1:\n    try:\n        return send()\n    except MailError as error:\n"
        "        log.warning('again: %s', error)\n        await asyncio.sleep(0)"
    ),
    "until it is done": (
        "done = False\nwhile not done:\n    try:\n        done = send()\n"
        "    except MailError:\n        log.warning('again')"
    ),
    "a counter without a limit": (
        "for attempt in itertools.count():\n    try:\n        send()\n    except MailError:\n"
        "        log.warning('again: %s', attempt)\n    else:\n        break"
    ),
}


@needs_monitoring
@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_no_bound(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG210", app_with(body), "POST /orders", line="add_task(work)")
    assert finding["message"] == (
        "work failed 15 times in the same way, and nothing but success ends the loop."
    )


SILENT = {
    "a range": (
        "for attempt in range(20):\n    try:\n        send()\n        break\n"
        "    except MailError:\n        log.warning('again')\nelse:\n    log.error('no mail')"
    ),
    "a count that is compared": (
        "attempt = 0\nwhile True:\n    try:\n        send()\n        break\n"
        "    except MailError:\n        attempt += 1\n        log.warning('again')\n"
        "        if attempt > 20:\n            raise"
    ),
    "a condition that compares": (
        "attempt = 0\nwhile attempt < 20:\n    attempt += 1\n    try:\n        send()\n"
        "        break\n    except MailError:\n        log.warning('again')"
    ),
    "a deadline": (
        "end = time.monotonic() + 60\nwhile True:\n    if time.monotonic() > end:\n"
        "        raise TimeoutError\n    try:\n        send()\n        return\n"
        "    except MailError:\n        log.warning('again')"
    ),
    "a loop over data": (
        "for user in range(20):\n    try:\n        send()\n    except MailError:\n"
        "        log.warning('no mail to %s', user)"
    ),
    "a few failures": (
        "while True:\n    try:\n        send(3)\n        break\n    except MailError:\n"
        "        log.warning('again')"
    ),
    "a queue that is worked off": (
        "queue = list(range(20))\nwhile queue:\n    queue.pop()\n    try:\n        send()\n"
        "    except MailError:\n        log.warning('no mail')"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(app_with(body), "POST /orders")


@needs_monitoring
def test_is_opt_in(lab: Lab) -> None:
    outcome = lab.run(app_with(FAULTY["while True"]), "POST /orders", select="DEFAULT")
    assert outcome.codes == []
