"""`bgcheck.record()`: the log without a fixture."""

# ruff: noqa: PT009 - the assertions of unittest are what is tested

import asyncio
import unittest

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.background import BackgroundTasks

import bgcheck
from bgcheck import scheduled


def add(item_id: int, note: str = "") -> None: ...


def schedule(*numbers: int) -> BackgroundTasks:
    tasks = BackgroundTasks()
    for number in numbers:
        tasks.add_task(add, number)
    return tasks


@given(st.lists(st.integers(), max_size=5))
def test_records_each_example_of_hypothesis_anew(numbers):
    with bgcheck.record() as bgtasks:
        asyncio.run(schedule(*numbers)())
    assert bgtasks == [scheduled(add, number) for number in numbers]
    assert [task.number for task in bgtasks] == list(range(1, len(numbers) + 1))
    assert not bgtasks.of(where=lambda task: task.outcome != "succeeded")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(number=st.integers())
def test_a_block_sees_only_itself_beside_the_fixture(bgtasks, number):
    before = len(bgtasks)
    with bgcheck.record() as block:
        schedule(number)
    assert block == [scheduled(add, number)]
    assert len(bgtasks) == before + 1


class InUnittest(unittest.TestCase):
    """The two ways to record in a TestCase: for a whole test, and for a block."""

    def setUp(self) -> None:
        recording = bgcheck.record()
        self.bgtasks = recording.__enter__()
        self.addCleanup(recording.__exit__, None, None, None)

    def test_whole_test(self):
        schedule(1)
        self.assertEqual(self.bgtasks, [scheduled(add, 1)])
        self.assertIn(scheduled(add, 1), self.bgtasks)
        self.assertNotIn(scheduled(add, 2), self.bgtasks)

    def test_block(self):
        schedule(1)
        with bgcheck.record() as inner:
            schedule(2)
        self.assertEqual(inner, [scheduled(add, 2)])
        self.assertEqual(len(self.bgtasks), 2)

    def test_failure_names_what_there_is(self):
        schedule(1)
        with pytest.raises(AssertionError, match=r"<bgtasks: add\(item_id=1, note=''\) pending>"):
            self.assertEqual(self.bgtasks, [])


class InAsyncUnittest(unittest.IsolatedAsyncioTestCase):
    async def test_in_a_coroutine(self):
        with bgcheck.record() as bgtasks:
            await schedule(1, 2)()
        self.assertEqual(len(bgtasks.of(add, outcome="succeeded")), 2)


def test_stays_readable_after_the_block():
    with bgcheck.record() as bgtasks:
        schedule(1)
    schedule(2)
    assert bgtasks == [scheduled(add, 1)]
    assert bgtasks.one(add).args == (1,)


def test_ends_when_the_block_raises():
    with pytest.raises(ZeroDivisionError), bgcheck.record() as bgtasks:
        schedule(1)
        raise ZeroDivisionError
    schedule(2)
    assert len(bgtasks) == 1


@pytest.mark.parametrize(("mode", "runs"), [("inline", 1), ("drop", 0)])
def test_mode(mode, runs):
    with bgcheck.record(mode=mode) as bgtasks:
        asyncio.run(schedule(1)())
    assert bgtasks.one(add).runs == runs


def test_refuses_a_mode_that_does_not_exist():
    with pytest.raises(ValueError, match="soon"), bgcheck.record(mode="soon"):  # type: ignore[arg-type]
        pass
