"""The reference app, which says what its tasks begin.

It hangs there if `BGCHECK_TEST_HANG` is set. Run by uvicorn in a process of its own, to be killed
in the middle.
"""

import os
import threading
from itertools import count
from typing import Any

import anyio

from bgcheck_reference.mailer import OutboxMailer
from bgcheck_reference.main import app
from bgcheck_reference.tasks import exports, images, runs

HANG = "BGCHECK_TEST_HANG" in os.environ
STEPS = 3
"""The steps of a run that are done before it hangs."""


def announce(module: Any, name: str, hang_after: int = 0) -> None:
    """Have a function say that it begins, and hang after so many calls."""
    original, calls = getattr(module, name), count()

    def announced(*args: Any) -> Any:
        print("BEGUN", name, flush=True)  # noqa: T201
        if HANG and next(calls) == hang_after:
            threading.Event().wait()
        return original(*args)

    setattr(module, name, announced)


class Mailer(OutboxMailer):
    """Says whom it writes to, and hangs at everybody but Ada."""

    async def send(self, message: Any) -> None:
        print("BEGUN", message["To"], flush=True)  # noqa: T201
        if HANG and message["To"] != "ada@example.com":
            await anyio.sleep_forever()
        await super().send(message)


app.state.mailer = Mailer()
announce(exports, "write")
announce(images, "transform")
announce(runs, "do_step", STEPS)
