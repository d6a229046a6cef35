"""What loading the plugin costs, and when it patches a framework."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

FRAMEWORKS = (
    "starlette",
    "fastapi",
    "anyio",
    "sqlalchemy",
    "httpx",
    "httpx2",
    "pydantic",
    "trio",
    "uvicorn",
)


def run(code: str, *arguments: str) -> Any:
    """Run code in a fresh interpreter, and return the JSON that it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(code), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_at_most_10_modules_and_no_framework() -> None:
    added = run("""
        import json, sys
        import pytest
        before = set(sys.modules)
        import bgcheck.plugin
        print(json.dumps(sorted(set(sys.modules) - before)))
    """)
    assert "bgcheck.plugin" in added
    assert len(added) <= 10, added
    assert not [name for name in added if name.partition(".")[0] in FRAMEWORKS]


def test_a_session_without_a_framework_imports_none(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        dedent(f"""
        import sys

        def test_plain(bgtasks):
            assert bgtasks == []
            assert not {{name.partition(".")[0] for name in sys.modules}} & set({FRAMEWORKS!r})
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:anyio", "-p", "no:asyncio",
         "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-p", "no:randomly", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def clean_environment() -> dict[str, str]:
    import os

    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}


WITNESS = """
    import json, sys
    {before}
    import pytest
    import bgcheck.instrument.install as install
    install.install()
    patched_early = [name for name in sys.modules if name == "bgcheck.instrument.starlette"]
    {after}
    import starlette.background, starlette.applications, starlette.routing, starlette.responses
    from fastapi import BackgroundTasks, FastAPI
    owners = [
        (starlette.background.BackgroundTask, "__init__"),
        (starlette.background.BackgroundTask, "__call__"),
        (starlette.background.BackgroundTasks, "__init__"),
        (starlette.background.BackgroundTasks, "__call__"),
        (starlette.background, "run_in_threadpool"),
        (starlette.applications.Starlette, "__call__"),
        (starlette.routing.Router, "__call__"),
        (starlette.responses.Response, "__call__"),
        (starlette.responses.StreamingResponse, "__call__"),
        (starlette.responses.FileResponse, "__call__"),
    ]
    patched = [hasattr(vars(owner)[name], "__bgcheck_patch__") for owner, name in owners]
    install.uninstall()
    left = [hasattr(vars(owner)[name], "__bgcheck_patch__") for owner, name in owners]
    hooks = [type(finder).__name__ for finder in sys.meta_path if "Hooks" in type(finder).__name__]
    print(json.dumps([patched_early, all(patched), any(left), hooks]))
"""


@pytest.mark.parametrize(
    ("before", "after", "early"),
    [
        ("", "", []),
        ("import fastapi", "", ["bgcheck.instrument.starlette"]),
        ("import starlette.background", "import fastapi", ["bgcheck.instrument.starlette"]),
        ("import starlette", "", []),
    ],
)
def test_patched_when_imported(before: str, after: str, early: list[str]) -> None:
    result = run(WITNESS.format(before=before, after=after))
    assert result == [early, True, False, []]


SNAPSHOT = """
    import json, sys
    import fastapi, starlette.background, starlette.applications, starlette.routing
    import starlette.responses, starlette.testclient, fastapi.background
    {clients}

    class Mixin:
        async def __call__(self): ...

    class Sub(starlette.background.BackgroundTask):
        def __init__(self): ...
        async def __call__(self): ...

    class Mixed(Mixin, starlette.background.BackgroundTask):
        pass

    def state():
        modules = [m for n, m in list(sys.modules.items())
                   if n.partition(".")[0] in ("starlette", "fastapi", "httpx", "httpx2")]
        classes = {{c for m in modules for c in vars(m).values() if isinstance(c, type)}}
        owners = [*modules, *classes, Sub, Mixed, Mixin]
        return {{(id(o), n): v for o in owners for n, v in list(vars(o).items())}}

    before = state()
    def finders():  # pytest plugins may import six, which adds one of its own
        return [finder for finder in sys.meta_path if type(finder).__module__ != "six"]

    path, hooks = finders(), list(sys.path_hooks)
    import pytest, tempfile, pathlib
    place = pathlib.Path(tempfile.mkdtemp())
    (place / "test_it.py").write_text(
        "import __main__, asyncio\\n"
        "from fastapi import BackgroundTasks\\n"
        "def test_it(bgtasks):\\n"
        "    tasks = BackgroundTasks()\\n"
        "    tasks.add_task(print)\\n"
        "    __main__.Sub(); asyncio.run(__main__.Mixed(print)())\\n"
        "    asyncio.run(tasks())\\n"
        "    assert [task.outcome for task in bgtasks] == ['succeeded', 'pending', 'succeeded']\\n"
    )
    code = pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(place), str(place)])
    after = state()
    changed = [str(key[1]) for key in before if after.get(key) is not before[key]]
    added = [str(key[1]) for key in after if key not in before]
    print()
    print(json.dumps([int(code), changed, added, path == finders(), hooks == sys.path_hooks]))
"""


def test_everything_is_the_same_object_after_the_session() -> None:
    code, changed, added, same_path, same_hooks = run(SNAPSHOT.format(clients="import httpx"))
    assert code == 0
    assert changed == []
    assert [name for name in added if name != "__warningregistry__"] == []
    assert same_path
    assert same_hooks
