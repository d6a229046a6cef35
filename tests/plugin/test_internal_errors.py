"""An error inside bgcheck changes no test, and is reported at the end."""

import pytest

CONFTEST = """
    import bgcheck.recorder.params as params

    def broken(*args):
        raise RuntimeError("a bug")

    params.bind = broken
"""
TEST = """
    import asyncio
    from starlette.background import BackgroundTasks

    def test_one():
        ran = []
        tasks = BackgroundTasks()
        tasks.add_task(ran.append, 1)
        asyncio.run(tasks())
        assert ran == [1]

    def test_two(bgtasks):
        tasks = BackgroundTasks()
        tasks.add_task(print, 1)
"""


@pytest.fixture
def broken(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_broken=TEST)
    return pytester


def report_of(result: pytest.RunResult) -> list[str]:
    lines = result.outlines
    start = next(n for n, line in enumerate(lines) if "bgcheck: internal errors" in line)
    return lines[start + 1 :]


def test_no_error_no_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*internal error*")


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_error_is_reported_verbatim(broken: pytest.Pytester, workers: tuple[str, ...]) -> None:
    result = broken.runpytest_subprocess("-p", "no:randomly", "--bgcheck=off", *workers)
    result.assert_outcomes(passed=2)
    line, last, *_ = report_of(result)
    place, _, rest = line.partition(", please report it: ")
    assert place.startswith("bgcheck: internal error in bgcheck/recorder/params.py, line ")
    assert rest == "RuntimeError: a bug"
    assert last == "No test was changed by it, but a record may be missing or incomplete."


def test_the_traceback_is_shown_at_vv(broken: pytest.Pytester) -> None:
    result = broken.runpytest_subprocess("-p", "no:randomly", "--bgcheck=off", "-vv")
    report = report_of(result)
    assert report[1] == "Traceback (most recent call last):"
    assert "RuntimeError: a bug" in report


def test_equal_errors_are_counted(broken: pytest.Pytester) -> None:
    broken.makepyfile(
        test_broken="""
        from starlette.background import BackgroundTask

        def test_it(bgtasks):
            for _ in range(3):
                BackgroundTask(print)
        """
    )
    result = broken.runpytest_subprocess("-p", "no:randomly", "--bgcheck=off")
    assert report_of(result)[0].endswith("RuntimeError: a bug (3 times)")
