"""Every misuse of a gate has a message that says what to do."""

from __future__ import annotations

import pytest
from fastapi import BackgroundTasks, FastAPI

import bgcheck
from bgcheck.runner.errors import GateError


async def send_email() -> None:
    pass


async def audit() -> None:
    pass


def make_app() -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(send_email)
        tasks.add_task(audit)

    return app


def refusal(caught: pytest.ExceptionInfo[GateError]) -> str:
    return str(caught.value)


@pytest.mark.parametrize("call", ["run_next", "drain"])
def test_a_gate_after_its_block(call: str, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.hold() as gate:
        pass
    with pytest.raises(GateError) as caught:
        getattr(gate, call)()
    assert refusal(caught) == (
        f"gate.{call}(): the gate is closed. Its block has ended, and what it held was drained; "
        "call it inside of the block."
    )


def test_run_next_before_anything_was_scheduled(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.hold() as gate, pytest.raises(GateError) as caught:
        gate.run_next()
    assert refusal(caught) == (
        "gate.run_next(): no task is pending. Nothing was scheduled yet; send the request inside "
        "of the block."
    )


def test_run_next_when_all_have_run(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(make_app()) as client, bgtasks.hold(only=send_email) as gate:
        client.post("/")
        gate.run_next()
        client.drain()
        with pytest.raises(GateError) as caught:
            gate.run_next()
    assert refusal(caught) == (
        "gate.run_next(): no task is pending. This gate holds send_email; scheduled were: "
        "send_email succeeded, audit succeeded."
    )


def test_a_task_whose_turn_has_not_come(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(make_app()) as client, bgtasks.hold() as gate:
        client.post("/")
        gate.run(bgtasks[0])
        client.post("/")
        with pytest.raises(GateError) as caught:
            gate.run(bgtasks[3])
    assert refusal(caught) == (
        "gate.run(audit): send_email comes before it in the same response and has not run. Tasks "
        "of one response run one after another; run it first."
    )


def test_a_task_that_has_run(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(make_app()) as client, bgtasks.hold() as gate:
        client.post("/")
        gate.drain()
        with pytest.raises(GateError) as caught:
            gate.run(bgtasks[0])
    assert refusal(caught) == (
        "gate.run(send_email): this task is not pending, it is succeeded. This gate holds every "
        "task; scheduled were: send_email succeeded, audit succeeded."
    )


@pytest.mark.parametrize(
    ("only", "held"), [(None, "every task"), (send_email, "send_email")], ids=["all", "one"]
)
def test_holding_what_is_held(only: object, held: str, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.hold(only=only), pytest.raises(GateError) as caught:  # type: ignore[arg-type]
        with bgtasks.hold(only=only):  # type: ignore[arg-type]
            pass
    assert refusal(caught) == (
        f"bgtasks.hold() inside bgtasks.hold(): {held} is held by the outer block already. Use "
        "the outer gate, or hold other functions inside: bgtasks.hold(only=...)."
    )


def test_a_gate_for_something_else_inside_of_a_gate(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(make_app()) as client, bgtasks.hold() as outer:
        with bgtasks.hold(only=audit) as inner:
            client.post("/")
            outer.run_next()
            assert inner.run_next().func is audit


def test_a_filter_that_is_no_function(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with pytest.raises(TypeError, match="^only= takes functions, not 'send_email'$"):
        bgtasks.hold(only=["send_email"])  # type: ignore[list-item]


@pytest.mark.asyncio
async def test_a_sync_gate_inside_of_a_loop(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with pytest.raises(GateError) as caught:
        with bgtasks.hold():
            pass
    assert refusal(caught) == (
        "with bgtasks.hold(): asyncio runs in this thread, and a sync gate would block it. Use "
        "the async gate:\n"
        "    async with bgtasks.hold() as gate:\n"
        "        await gate.drain()"
    )


@pytest.mark.asyncio
async def test_a_forgotten_await(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with pytest.raises(GateError) as caught:
        async with bgtasks.async_client(make_app()) as client, bgtasks.hold() as gate:
            await client.post("/")
            gate.run_next()
    line = test_a_forgotten_await.__code__.co_firstlineno + 5
    assert refusal(caught) == (
        f"gate.run_next() at tests/unit/runner/test_gate_misuse.py:{line} was not awaited, so it "
        "did nothing. Write: await gate.run_next()"
    )
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]


def test_disconnecting_nobody(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with pytest.raises(GateError) as caught:
        bgtasks.disconnect_client()
    assert refusal(caught) == (
        "bgtasks.disconnect_client(): no request of a response-first client is under way. Hold a "
        "task, send its request by bgtasks.client(app), then disconnect."
    )


def test_a_clock_where_time_is_real(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with pytest.raises(GateError) as caught:
        _ = bgtasks.clock
    assert refusal(caught) == (
        "bgtasks.clock: time is real. Use `with bgtasks.virtual_time() as clock:`, or mark the "
        'test with @pytest.mark.bgcheck(clock="virtual").'
    )


def test_a_task_that_runs_before_its_response(
    bgtasks: bgcheck.BackgroundTasksLog,
) -> None:
    bgtasks.runner.response_limit = 0.05
    app = FastAPI()

    @app.post("/")
    async def endpoint() -> None:
        tasks = BackgroundTasks()
        tasks.add_task(send_email)
        await tasks()

    with bgtasks.client(app) as client, bgtasks.hold(), pytest.raises(GateError) as caught:
        client.post("/")
    assert refusal(caught) == (
        "send_email cannot be held: its turn came before the response of POST /, 1st request was "
        "complete, and the client still waited for it after 0.05 s. A task that runs before the "
        "response is a fault of the application."
    )
