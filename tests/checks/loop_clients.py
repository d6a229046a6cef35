"""Tests that send one request with each client and on each loop, for `lab.run(test=...)`."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - the inner sessions find it imported

import anyio
import pytest

RESPONSE_FIRST = """
def test_it(bgtasks):
    with bgtasks.client(app, raise_server_exceptions=False) as client:
        client.post("/orders")
"""
ASYNC_RESPONSE_FIRST = """
def test_it(bgtasks):
    async def main():
        async with bgtasks.async_client(app) as client:
            await client.post("/orders")
    asyncio.run(main())
"""
HELD = """
def test_it(bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        client.post("/orders")
        gate.drain()
"""
ASYNCIO = """
def test_it():
    import sys
    if sys.version_info < (3, 14):  # anyio 3 leaves uvloop's policy behind
        asyncio.set_event_loop_policy(None)
    options = {"use_uvloop": False}
    with TestClient(app, backend_options=options, raise_server_exceptions=False) as client:
        client.post("/orders")
"""
TRIO = """
def test_it():
    with TestClient(app, backend="trio", raise_server_exceptions=False) as client:
        client.post("/orders")
"""
UVLOOP = """
def test_it():
    import sys
    options = {"use_uvloop": True}
    try:
        with TestClient(app, backend_options=options, raise_server_exceptions=False) as client:
            client.post("/orders")
    finally:
        if sys.version_info < (3, 14):  # anyio 3 leaves the policy behind
            asyncio.set_event_loop_policy(None)
"""


def _trio_problem() -> str | None:
    """Why anyio cannot run trio here, or None."""

    async def nothing() -> None: ...

    try:
        anyio.run(nothing, backend="trio")
    except AttributeError as error:  # anyio 3 needs a trio that is older than MultiError's end
        return str(error)
    return None


problem = _trio_problem()
needs_trio = pytest.mark.skipif(problem is not None, reason=f"anyio cannot run trio: {problem}")

ON_ASYNCIO = [
    pytest.param(RESPONSE_FIRST, id="response-first"),
    pytest.param(ASYNC_RESPONSE_FIRST, id="async-response-first"),
    pytest.param(HELD, id="held"),
]
EVERYWHERE = [
    *ON_ASYNCIO,
    pytest.param(UVLOOP, id="uvloop"),
    pytest.param(TRIO, id="trio", marks=needs_trio),
]
