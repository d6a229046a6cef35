"""BG204: a handler for any exception that lets one go without a trace."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checks_lab import Lab, endpoint

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")

HELPERS = """
import contextlib
import json
import logging
from contextlib import suppress

log = logging.getLogger("app")
errors = []
NETWORK = (OSError, ValueError)

class MailError(Exception): ...

def send(to="a"):
    raise MailError("no server")

async def asend(to="a"):
    await asyncio.sleep(0)
    raise MailError("no server")

def fine(): ...
"""


def app_with(body: str, head: str = "async def work():") -> str:
    """Write an app whose task `work` has a body."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{HELPERS}\n{head}\n{lines}" + endpoint("tasks.add_task(work)")


FAULTY = {
    "pass": ("try:\n    send()\nexcept Exception:\n    pass", "except Exception"),
    "bare": ("try:\n    send()\nexcept:\n    pass", "except"),
    "base": ("try:\n    send()\nexcept BaseException:\n    ...", "except BaseException"),
    "in a tuple": (
        "try:\n    send()\nexcept (ValueError, Exception):\n    pass",
        "except (ValueError, Exception)",
    ),
    "named": ("try:\n    send()\nexcept Exception as error:\n    pass", "except Exception"),
    "awaited": ("try:\n    await asend()\nexcept Exception:\n    pass", "except Exception"),
    "return": ("try:\n    send()\nexcept Exception:\n    return", "except Exception"),
    "the result of the task": (
        "try:\n    send()\nexcept Exception:\n    return False",
        "except Exception",
    ),
    "suppress": ("with suppress(Exception):\n    send()", "suppress(Exception)"),
    "contextlib.suppress": (
        "with open(__file__), contextlib.suppress(BaseException):\n    await asend()",
        "contextlib.suppress(BaseException)",
    ),
    "continue, over data": (
        "for user in 'ab':\n    try:\n        send(user)\n    except Exception:\n        continue",
        "except Exception",
    ),
    "after a narrow one": (
        "try:\n    send()\nexcept OSError:\n    log.error('x')\nexcept Exception:\n    pass",
        "except Exception",
    ),
    "with a finally": (
        "try:\n    send()\nexcept Exception:\n    pass\nfinally:\n    fine()",
        "except Exception",
    ),
    "around a finally": (
        "try:\n    try:\n        send()\n    finally:\n        fine()\nexcept Exception:\n    pass",
        "except Exception",
    ),
    "around a with": (
        "try:\n    with open(__file__):\n        send()\nexcept Exception:\n    pass",
        "except Exception",
    ),
    "around a try that does not take it": (
        "try:\n    try:\n        send()\n    except OSError:\n        log.error('x')\n"
        "except Exception:\n    pass",
        "except Exception",
    ),
    "a match": (
        "match 1:\n    case 1:\n        try:\n            send()\n        except Exception:\n"
        "            pass",
        "except Exception",
    ),
}


@needs_monitoring
@pytest.mark.parametrize(("body", "text"), FAULTY.values(), ids=FAULTY)
def test_dropped(lab: Lab, body: str, text: str) -> None:
    finding = lab.assert_found("BG204", app_with(body), "POST /orders", line="add_task(work)")
    assert finding["message"].startswith("work dropped ")
    assert finding["message"].endswith(
        ".MailError in a handler for any exception: nobody will know."
    )
    evidence = dict(finding["evidence"])
    assert evidence[text].endswith("in work")
    assert evidence["raised"].endswith("send")


@needs_monitoring
def test_in_a_def_task(lab: Lab) -> None:
    body = "try:\n    send()\nexcept Exception:\n    pass"
    lab.assert_found("BG204", app_with(body, "def work():"), "POST /orders")


@needs_monitoring
def test_in_a_helper(lab: Lab) -> None:
    body = "def helper():\n    try:\n        send()\n    except Exception:\n        pass\nhelper()"
    finding = lab.assert_found("BG204", app_with(body), "POST /orders")
    assert finding["message"].startswith("helper dropped ")


@needs_monitoring
def test_a_child_of_the_task(lab: Lab) -> None:
    body = (
        "async def child():\n    try:\n        await asend()\n    except Exception:\n        pass\n"
        "await asyncio.create_task(child())"
    )
    lab.assert_found("BG204", app_with(body), "POST /orders")


SILENT = {
    "narrow": "try:\n    send()\nexcept MailError:\n    pass",
    "narrow suppress": "with suppress(MailError):\n    send()",
    "a narrow clause before": (
        "try:\n    send()\nexcept MailError:\n    pass\nexcept Exception:\n    pass"
    ),
    "classes in a constant": (
        "try:\n    int('x')\nexcept NETWORK:\n    pass\nexcept Exception:\n    pass"
    ),
    "logged": "try:\n    send()\nexcept Exception:\n    log.exception('no mail')",
    "logged and left": "try:\n    send()\nexcept Exception:\n    log.warning('no')\n    return",
    "printed": "try:\n    send()\nexcept Exception as error:\n    print(error)",
    "raised again": (
        "try:\n    try:\n        send()\n    except Exception:\n        raise\n"
        "except MailError:\n    pass"
    ),
    "raised as another": (
        "try:\n    try:\n        send()\n    except Exception as error:\n"
        "        raise KeyError from error\nexcept KeyError:\n    pass"
    ),
    "kept": "try:\n    send()\nexcept Exception as error:\n    errors.append(error)",
    "noted in a flag": "ok = True\ntry:\n    send()\nexcept Exception:\n    ok = False\nprint(ok)",
    "seen by what is missing": (
        "sent = None\ntry:\n    sent = send()\nexcept Exception:\n    pass\n"
        "if sent is None:\n    log.error('no mail')"
    ),
    "cleaning up in a finally": (
        "try:\n    fine()\nfinally:\n    try:\n        send()\n    except Exception:\n        pass"
    ),
    "cleaning up after an error that is told": (
        "try:\n    send()\nexcept Exception:\n    with suppress(Exception):\n        send()\n"
        "    log.error('no mail')"
    ),
    "retried until it works": (
        "tries = iter([send, send, fine])\n"
        "while True:\n    try:\n        next(tries)()\n        break\n    except Exception:\n"
        "        await asyncio.sleep(0)"
    ),
    "retried in a bounded loop": (
        "tries = [send, send, fine]\nfor attempt in range(3):\n    try:\n"
        "        tries[attempt]()\n    except Exception:\n        continue\n    break\n"
        "else:\n    log.error('no mail')"
    ),
    "nothing raised": "try:\n    fine()\nexcept Exception:\n    pass",
    "of a library": "print(json.loads('{}'), hasattr(log, 'x'), getattr(log, 'x', None))",
    "the end of an iterator": "it = iter([])\ntry:\n    next(it)\nexcept Exception:\n    pass",
    "another context manager": (
        "@contextlib.contextmanager\ndef told():\n    try:\n        yield\n"
        "    except Exception:\n        log.exception('no mail')\n"
        "with told():\n    send()"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(app_with(body), "POST /orders")


def test_outside_of_a_task(lab: Lab) -> None:
    dropping = "try:\n    send()\nexcept Exception:\n    pass\n"
    app = f"{HELPERS}\ndef work(): ...\n" + endpoint(dropping + "tasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


@needs_monitoring
def test_warns_and_fails_only_where_selected(lab: Lab) -> None:
    app = app_with("try:\n    send()\nexcept Exception:\n    pass")
    outcome = lab.run(app, "POST /orders", mode="strict", select="DEFAULT")
    assert outcome.codes == ["BG204"]
    outcome.result.assert_outcomes(passed=1)
    outcome = lab.run(app, "POST /orders", mode="strict", select="BG204")
    outcome.result.assert_outcomes(failed=1)


def test_an_older_python_is_told_once(lab: Lab) -> None:
    outcome = lab.run(app_with("fine()"), "POST /orders")
    told = outcome.result.stdout.str().count("(it needs sys.monitoring, of Python 3.12)")
    assert told == (1 if sys.version_info < (3, 12) else 0)


@needs_monitoring
def test_the_tool_number_is_given_back() -> None:
    code = (
        "import sys\n"
        "from bgcheck.instrument import exceptions\n"
        "exceptions.install(); exceptions.install()\n"
        "tools = [sys.monitoring.get_tool(n) for n in range(6)]\n"
        "assert tools.count('bgcheck exceptions') == 1, tools\n"
        "exceptions.uninstall(); exceptions.uninstall()\n"
        "assert not any(sys.monitoring.get_tool(n) for n in range(6))\n"
        "sys.monitoring.use_tool_id(3, 'a'); sys.monitoring.use_tool_id(4, 'b')\n"
        "exceptions.install()\n"
        "assert exceptions.absence() == 'other tools had taken all numbers of sys.monitoring'\n"
        "exceptions.uninstall()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
