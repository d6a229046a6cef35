"""BG208: a task raised SystemExit or KeyboardInterrupt."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import sys
def leave():
    sys.exit("bye")
async def leave_later():
    raise SystemExit(3)
def careful():
    try:
        sys.exit("bye")
    except SystemExit:
        print("caught")
"""

# TestClient hangs at SystemExit where anyio is older than 4, so the app is called by hand.
TEST = """
import httpx
def test_it():
    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            await client.post("/orders")
    with pytest.raises(SystemExit):
        asyncio.run(main())
"""


@pytest.mark.parametrize("task", ["leave", "leave_later"])
def test_exit(lab: Lab, task: str) -> None:
    app = TASKS + endpoint(f"tasks.add_task({task})")
    finding = lab.assert_found("BG208", app, test=TEST, line="add_task")
    assert finding["message"] == f"{task} raised SystemExit: on a server, that ends the process."


def test_caught_exit(lab: Lab) -> None:
    lab.assert_silent(TASKS + endpoint("tasks.add_task(careful)"), "POST /orders")
