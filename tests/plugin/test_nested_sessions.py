"""Sessions inside of a session (pytester, in process) record once, and the outer one goes on."""

import asyncio
from typing import Any

import pytest
from fastapi import BackgroundTasks

from bgcheck import scheduled


def add() -> BackgroundTasks:
    tasks = BackgroundTasks()
    tasks.add_task(print, "x", end="")
    return tasks


def test_inner_session_records_once_and_outer_goes_on(
    pytester: pytest.Pytester, bgtasks: Any
) -> None:
    add()
    pytester.makepyfile("""
        import asyncio
        from fastapi import BackgroundTasks
        from bgcheck import scheduled

        def test_inner(bgtasks):
            tasks = BackgroundTasks()
            tasks.add_task(print, "inner")
            asyncio.run(tasks())
            assert bgtasks == [scheduled(print, "inner")]
            assert bgtasks[0].outcome == "succeeded"
    """)
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:asyncio")
    result.assert_outcomes(passed=1)
    asyncio.run(add()())
    assert bgtasks == [
        scheduled(print, "x", end=""),
        scheduled(print, "inner"),
        scheduled(print, "x", end=""),
    ]
    assert bgtasks[2].outcome == "succeeded"


def test_session_after_session_in_one_process(pytester: pytest.Pytester) -> None:
    """As an editor runs them: the outer process has no plugin of ours."""
    pytester.makepyfile(
        test_inner="""
        import asyncio
        from starlette.background import BackgroundTasks
        from bgcheck import scheduled

        def test_inner(bgtasks):
            tasks = BackgroundTasks()
            tasks.add_task(print, "inner")
            asyncio.run(tasks())
            assert bgtasks == [scheduled(print, "inner")]
            assert bgtasks[0].runs == 1
        """
    )
    script = pytester.makepyfile(
        run="""
        import pytest
        import starlette.background as background
        before = dict(vars(background.BackgroundTask))
        for _ in range(3):
            assert pytest.main(["-q", "-p", "no:cacheprovider", "test_inner.py"]) == 0
            assert {k: v for k, v in vars(background.BackgroundTask).items()} == before
        """
    )
    assert pytester.runpython(script).ret == 0


def test_framework_first_imported_by_an_inner_session(pytester: pytest.Pytester) -> None:
    """Pytester forgets the modules that an inner session has imported; ours must not be doubled."""
    pytester.makepyfile(
        test_outer="""
        pytest_plugins = ["pytester"]

        def test_inner_first(pytester):
            pytester.makepyfile('''
                from starlette.background import BackgroundTask
                from bgcheck import scheduled

                def test_inner(bgtasks):
                    BackgroundTask(print, 1)
                    assert bgtasks == [scheduled(print, 1)]
            ''')
            pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=1)

        def test_outer_afterwards(bgtasks):
            from starlette.background import BackgroundTask
            from bgcheck import scheduled

            BackgroundTask(print, 2)
            assert bgtasks == [scheduled(print, 2)]
            assert bgtasks.one(print).args == (2,)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:asyncio", "--bgcheck=off")
    result.assert_outcomes(passed=2)
