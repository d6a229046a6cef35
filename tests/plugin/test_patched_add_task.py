"""Suites that patch `add_task` themselves keep working; what does not call through is not seen."""

import pytest

from support.projects import INI

HEAD = """
    import asyncio
    from unittest import mock
    import pytest
    import fastapi
    import starlette.background

    FASTAPI = fastapi.BackgroundTasks
    STARLETTE = starlette.background.BackgroundTasks

    def note(*args): ...

    def endpoint(tasks):
        tasks.add_task(note, 1)
        return tasks
"""

SEEN_AGAIN = """

    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_last_and_recorded_once(kind, bgtasks):
        asyncio.run(endpoint(kind())())
        assert [(task.func, task.outcome, task.runs) for task in bgtasks] == [
            (note, "succeeded", 1)
        ]
"""

UNSEEN = {
    "mock.patch.object": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        with mock.patch.object(kind, "add_task") as add_task:
            endpoint(kind())
        add_task.assert_called_once_with(note, 1)
        assert bgtasks == []
    """,
    "autospec": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        with mock.patch.object(kind, "add_task", autospec=True) as add_task:
            tasks = endpoint(kind())
        add_task.assert_called_once_with(tasks, note, 1)
        assert bgtasks == []
    """,
    "monkeypatch": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks, monkeypatch):
        calls = []
        monkeypatch.setattr(kind, "add_task", lambda self, *args: calls.append(args))
        endpoint(kind())
        assert calls == [(note, 1)]
        assert bgtasks == []
    """,
    "on the instance": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        tasks = kind()
        tasks.add_task = mock.Mock()
        endpoint(tasks)
        tasks.add_task.assert_called_once_with(note, 1)
        assert bgtasks == []
    """,
    "a mock in place of the object": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        for tasks in (mock.Mock(), mock.MagicMock(spec=kind), mock.create_autospec(kind)()):
            endpoint(tasks)
            tasks.add_task.assert_called_once_with(note, 1)
        assert bgtasks == []
    """,
    "by string": """
    @pytest.mark.parametrize("path", [
        "fastapi.BackgroundTasks.add_task", "starlette.background.BackgroundTasks.add_task",
    ])
    def test_it(path, bgtasks, request):
        with mock.patch(path) as add_task:
            endpoint(FASTAPI() if "fastapi" in path else STARLETTE())
        add_task.assert_called_once_with(note, 1)
        assert bgtasks == []
    """,
    "module scope": """
    @pytest.fixture(scope="module", autouse=True, params=["FASTAPI", "STARLETTE"])
    def patched(request):
        kind = globals()[request.param]
        with mock.patch.object(kind, "add_task") as add_task:
            yield kind, add_task

    def test_it(patched, bgtasks):
        kind, add_task = patched
        endpoint(kind())
        add_task.assert_called_once_with(note, 1)
        assert bgtasks == []
    """,
}

SEEN = {
    "spy": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        original = kind.add_task
        with mock.patch.object(kind, "add_task", autospec=True, side_effect=original) as spy:
            tasks = endpoint(kind())
        spy.assert_called_once_with(tasks, note, 1)
        assert [task.func for task in bgtasks] == [note]
    """,
    "wraps": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        tasks = mock.Mock(wraps=kind())
        endpoint(tasks)
        assert [task.func for task in bgtasks] == [note]
    """,
    "assignment": """
    @pytest.mark.parametrize("kind", [FASTAPI, STARLETTE])
    def test_it(kind, bgtasks):
        original = kind.add_task
        calls = []
        def spy(self, *args, **kwargs):
            calls.append(args)
            return original(self, *args, **kwargs)
        kind.add_task = spy
        try:
            endpoint(kind())
        finally:
            kind.add_task = original
        assert calls == [(note, 1)]
        assert [task.func for task in bgtasks] == [note]
    """,
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini(INI)
    return pytester


def passes(project: pytest.Pytester, name: str, body: str, count: int) -> None:
    project.makepyfile(**{name: HEAD + body})
    result = project.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=count)
    result.stdout.no_fnmatch_line("*internal error*")


@pytest.mark.parametrize("way", UNSEEN)
def test_unseen(way: str, project: pytest.Pytester) -> None:
    project.makepyfile(test_z=HEAD + SEEN_AGAIN)
    passes(project, "test_a", UNSEEN[way], 4)


@pytest.mark.parametrize("way", SEEN)
def test_seen_once(way: str, project: pytest.Pytester) -> None:
    passes(project, "test_it", SEEN[way] + SEEN_AGAIN, 4)


def test_a_wrapper_put_back_after_the_session_is_harmless(pytester: pytest.Pytester) -> None:
    """A patch that outlives the session puts our wrapper back into the class."""
    pytester.makepyfile(
        test_inner=HEAD
        + """
    def test_it(bgtasks):
        asyncio.run(endpoint(FASTAPI())())
        assert [(task.func, task.runs) for task in bgtasks] == [(note, 1)]
    """
    )
    script = pytester.makepyfile(
        run="""
        import asyncio
        import pytest
        import starlette.background as background
        from bgcheck import record
        from bgcheck.instrument import install

        plain = background.BackgroundTasks.add_task, background.BackgroundTask.__call__
        install.install()
        saved = background.BackgroundTasks.add_task, background.BackgroundTask.__call__
        install.uninstall()
        assert (background.BackgroundTasks.add_task, background.BackgroundTask.__call__) == plain
        assert saved != plain
        background.BackgroundTasks.add_task, background.BackgroundTask.__call__ = saved

        ran = []
        tasks = background.BackgroundTasks()
        tasks.add_task(ran.append, 1)
        asyncio.run(tasks())
        assert ran == [1]
        with record() as log:
            tasks = background.BackgroundTasks()
            tasks.add_task(ran.append, 2)
            asyncio.run(tasks())
        assert [(task.args, task.runs, task.outcome) for task in log] == [((2,), 1, "succeeded")]
        assert pytest.main(["-q", "-p", "no:cacheprovider", "test_inner.py"]) == 0
        """
    )
    assert pytester.runpython(script).ret == 0
