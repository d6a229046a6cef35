"""`--bgcheck-coverage`, `--bgcheck-coverage-fail-under`, `--bgcheck-coverage-source`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from checks_plugin_lab import Project, assert_outcomes

SHOP = """
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


def send(to, *more): ...


def boom():
    raise ValueError("no stock")


def audit(): ...


@app.post("/fails")
async def fails(tasks: BackgroundTasks):
    tasks.add_task(boom)


@app.post("/twice")
async def twice(tasks: BackgroundTasks):
    tasks.add_task(
        send,
        "a",
    )
    tasks.add_task(send, "b")


@app.post("/never")
async def never(tasks: BackgroundTasks):
    tasks.add_task(audit)
"""

TESTS = """
from fastapi.testclient import TestClient
from shop import app, send

client = TestClient(app, raise_server_exceptions=False)


def test_fails():
    client.post("/fails")


def test_twice(bgtasks):
    client.post("/twice")
    bgtasks.expect(send, to="a")
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with four schedule sites, of which its tests reach three."""
    (project.path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    project.write(shop=SHOP, test_shop=TESTS)
    return project


def lines_of(project: Project, kind: str) -> list[dict[str, Any]]:
    """Read the coverage lines of one kind."""
    lines = map(json.loads, (project.path / "r.jsonl").read_text().splitlines())
    return [line for line in lines if line["type"] == "coverage" and line["kind"] == kind]


def sites_of(project: Project) -> list[tuple[str, int, int, int, int]]:
    """Read the sites: place, scheduled, ran, failed, asserted."""
    return [
        (
            f"{line['site']['file']}:{line['site']['line']}",
            *(line[name] for name in ("scheduled", "ran", "failed", "asserted")),
        )
        for line in lines_of(project, "site")
    ]


def table_of(result: pytest.RunResult) -> list[str]:
    """Return what stands under the heading of the task coverage."""
    starts = [n for n, line in enumerate(result.outlines) if " bgcheck: task coverage " in line]
    if not starts:
        return []
    rest = result.outlines[starts[0] + 1 :]
    ends = [n for n, line in enumerate(rest) if line.startswith("===")]
    return rest[: ends[0]] if ends else rest


def test_table(shop: Project) -> None:
    result = shop.run("--bgcheck-coverage")
    assert_outcomes(result, passed=2)
    assert result.ret == 0
    assert table_of(result) == [
        "schedule site        task function  scheduled  ran  failed  asserted",
        "shop.py:18 in fails  boom                   1    1       1         0",
        "shop.py:23 in twice  send                   1    1       0         1",
        "shop.py:27 in twice  send                   1    1       0         0",
        "shop.py:32 in never  audit                  0    0       0         0",
        "",
        "task function  defined at  scheduled  ran  failed  asserted",
        "send           shop.py:6           2    2       0         1",
        "boom           shop.py:9           1    1       1         0",
        "audit          shop.py:13          0    0       0         0",
        "",
        "ran, and nobody looked:",
        "  shop.py:18 in fails: boom, in 1 test",
        "  shop.py:27 in twice: send, in 1 test",
        "no test reaches:",
        "  shop.py:32 in never: audit",
        "task coverage 75%: 3 of 4 schedule sites ran, 1 asserted on",
    ]


def test_json(shop: Project) -> None:
    shop.run("--bgcheck-coverage", "--bgcheck-json=r.jsonl")
    assert sites_of(shop) == [
        ("shop.py:18", 1, 1, 1, 0),
        ("shop.py:23", 1, 1, 0, 1),
        ("shop.py:27", 1, 1, 0, 0),
        ("shop.py:32", 0, 0, 0, 0),
    ]
    assert lines_of(shop, "site")[0] == {
        "type": "coverage",
        "kind": "site",
        "site": {"file": "shop.py", "line": 18, "function": "fails"},
        "scheduled": 1,
        "ran": 1,
        "failed": 1,
        "asserted": 0,
        "funcs": ["boom"],
        "tests": ["test_shop.py::test_fails"],
    }
    assert [(line["func"], line["defined"]) for line in lines_of(shop, "function")] == [
        ("send", {"file": "shop.py", "line": 6}),
        ("boom", {"file": "shop.py", "line": 9}),
        ("audit", {"file": "shop.py", "line": 13}),
    ]
    assert lines_of(shop, "total") == [
        {
            "type": "coverage",
            "kind": "total",
            "sites": 4,
            "ran": 3,
            "asserted": 1,
            "percent": 75.0,
            "fail_under": None,
            "uncertain": [],
            "not_parsed": [],
            "error": None,
        }
    ]


def test_nothing_without_the_option(shop: Project) -> None:
    result = shop.run("--bgcheck-json=r.jsonl")
    assert table_of(result) == []
    assert lines_of(shop, "total") == []


@pytest.mark.parametrize(("percent", "code"), [("75", 0), ("75.1", 1), ("100", 1), ("0", 0)])
def test_fail_under(shop: Project, percent: str, code: int) -> None:
    result = shop.run(f"--bgcheck-coverage-fail-under={percent}")
    assert result.ret == code
    message = (
        f"bgcheck: task coverage of 75% is under the {percent}% of --bgcheck-coverage-fail-under"
    )
    assert (message in result.outlines) == bool(code)


def test_percentage_is_rounded_down(shop: Project) -> None:
    shop.write(
        shop=SHOP.replace("tasks.add_task(audit)", "\n    ".join(["tasks.add_task(audit)"] * 4))
    )
    result = shop.run("--bgcheck-coverage-fail-under=43")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["bgcheck: task coverage of 42.8% is under the 43% of *"])


def test_pyproject(shop: Project) -> None:
    (shop.path / "pytest.ini").unlink()
    shop.configure("[tool.bgcheck]\ncoverage = true\ncoverage-fail-under = 80\n")
    assert shop.run().ret == 1
    assert shop.run("--bgcheck-coverage-fail-under=70").ret == 0
    assert table_of(shop.run("--bgcheck=off")) == []


def test_ini(shop: Project) -> None:
    (shop.path / "pytest.ini").write_text(
        "[pytest]\npythonpath = .\nbgcheck_coverage = true\nbgcheck_coverage_fail_under = 80\n"
    )
    assert shop.run().ret == 1


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        (
            ["--bgcheck-coverage-fail-under=most"],
            "",
            "--bgcheck-coverage-fail-under: 'most' is no number from 0 to 100.",
        ),
        (
            ["--bgcheck-coverage-fail-under=101"],
            "",
            "--bgcheck-coverage-fail-under: '101' is no number from 0 to 100.",
        ),
        (
            [],
            "coverage-fail-under = true",
            "coverage-fail-under in [[]tool.bgcheck[]]: True is no number from 0 to 100.",
        ),
        (
            [],
            'coverage = "yes"',
            "coverage in [[]tool.bgcheck[]]: 'yes' is neither true nor false.",
        ),
        (
            [],
            "coverage-source = 1",
            "coverage-source in [[]tool.bgcheck[]]: 1 is no list of sources. "
            'Write it as [[]"src/shop"[]].',
        ),
        (
            ["--bgcheck=off", "--bgcheck-coverage"],
            "",
            "--bgcheck-coverage needs the checks, and they are off. Choose --bgcheck=report.",
        ),
        (
            ["--bgcheck-coverage-fail-under=80"],
            'mode = "off"',
            "--bgcheck-coverage-fail-under needs the checks, and they are off. "
            "Choose --bgcheck=report.",
        ),
    ],
)
def test_wrong_values(shop: Project, options: list[str], config: str, message: str) -> None:
    shop.configure(f"[tool.bgcheck]\n{config}\n")
    result = shop.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_unknown_source(shop: Project) -> None:
    result = shop.run("--bgcheck-coverage", "--bgcheck-coverage-source=shpo")
    assert result.ret == 1
    assert (
        "bgcheck: coverage-source: 'shpo' is no file or folder in the rootdir, and no package"
    ) in result.outlines


def test_a_threshold_does_not_hold_where_there_is_nothing(shop: Project) -> None:
    shop.write(shop="", test_shop="import shop\ndef test_it(): ...")
    result = shop.run("--bgcheck-coverage-fail-under=0")
    assert result.ret == 1
    assert (
        "bgcheck: no line that schedules a task was found, so that there is no task coverage to "
        "hold; name the code under test with coverage-source in [tool.bgcheck]"
    ) in result.outlines
    assert shop.run("--bgcheck-coverage").ret == 0


def test_collect_only(shop: Project) -> None:
    result = shop.run("--bgcheck-coverage-fail-under=80", "--collect-only")
    assert result.ret == 0
    assert table_of(result) == []


PACKAGE = {
    "src/shop/__init__.py": "",
    "src/shop/types.py": "from fastapi import BackgroundTasks as Tasks\n",
    "src/shop/jobs.py": "def send(): ...\ndef audit(): ...\n",
    "src/shop/api.py": """
from fastapi import FastAPI
from shop.jobs import send
from shop.types import Tasks
from shop.helpers import later
app = FastAPI()
@app.post("/send")
def create(tasks: Tasks):
    later(tasks, send)
    return {}
""",
    "src/shop/helpers.py": "def later(tasks, func):\n    tasks.add_task(func)\n",
    "src/shop/unused.py": """
from .jobs import audit
from .types import Tasks
def never(tasks: Tasks):
    tasks.add_task(audit)
""",
    "src/shop/tests/test_inside.py": "",
    "src/shop/tests/apps.py": "",
    "src/other.py": """
from fastapi import BackgroundTasks
def elsewhere(tasks: BackgroundTasks):
    tasks.add_task(print)
""",
    "tests/helpers.py": """
from fastapi import BackgroundTasks
def in_tests():
    tasks = BackgroundTasks()
    tasks.add_task(print)
    return tasks
""",
    "tests/test_api.py": """
from fastapi.testclient import TestClient
from helpers import in_tests
from shop.api import app
def test_create():
    TestClient(app).post("/send")
    in_tests()
""",
}


@pytest.fixture
def package(project: Project) -> Project:
    """A project in the src layout, with tests inside and outside of the package."""
    (project.path / "shop.py").unlink()
    (project.path / "test_shop.py").unlink()
    PACKAGE["src/shop/tests/apps.py"] = PACKAGE["tests/helpers.py"]
    for name, text in PACKAGE.items():
        file = project.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (project.path / "pytest.ini").write_text("[pytest]\npythonpath = src tests\n")
    return project


def test_sources_are_the_imported_packages(package: Project) -> None:
    package.run("--bgcheck-coverage", "--bgcheck-json=r.jsonl")
    assert sites_of(package) == [
        ("src/shop/helpers.py:2", 1, 1, 0, 0),
        ("src/shop/unused.py:5", 0, 0, 0, 0),
    ]
    functions = [(line["func"], line["ran"]) for line in lines_of(package, "function")]
    assert functions == [("send", 1), ("audit", 0)]


@pytest.mark.parametrize("source", ["src/shop/helpers.py", "shop.helpers", "shop/missing,shop.api"])
def test_one_module_as_source(package: Project, source: str) -> None:
    package.run(
        "--bgcheck-coverage", "--bgcheck-json=r.jsonl", f"--bgcheck-coverage-source={source}"
    )
    places = [place for place, *_ in sites_of(package)]
    assert places == (["src/shop/helpers.py:2"] if "helpers" in source else [])


@pytest.mark.parametrize(
    ("source", "places"),
    [
        (["src"], ["other.py:4", "shop/helpers.py:2", "shop/tests/apps.py:5", "shop/unused.py:5"]),
        (["other"], ["other.py:4"]),
        (["shop.unused", "src/other.py"], ["other.py:4", "shop/unused.py:5"]),
    ],
)
def test_named_sources(package: Project, source: list[str], places: list[str]) -> None:
    (package.path / "pyproject.toml").write_text(f"[tool.bgcheck]\ncoverage-source = {source!r}\n")
    package.run("--bgcheck-coverage", "--bgcheck-json=r.jsonl")
    assert [place for place, *_ in sites_of(package)] == [f"src/{place}" for place in places]


def test_sites_that_only_a_run_can_tell(shop: Project) -> None:
    helper = "\n\ndef later(tasks, func):\n    tasks.add_task(func)\n"
    shop.write(shop=SHOP.replace("tasks.add_task(audit)", "later(tasks, audit)") + helper)
    result = shop.run("--bgcheck-coverage")
    assert (
        "bgcheck: not counted, because the source does not tell whose add_task it is: shop.py:36"
    ) in result.outlines
    assert "task coverage 100%: 3 of 3 schedule sites ran, 1 asserted on" in result.outlines
    shop.write(test_shop=TESTS + "\n\ndef test_never():\n    client.post('/never')\n")
    result = shop.run("--bgcheck-coverage")
    assert "task coverage 100%: 4 of 4 schedule sites ran, 1 asserted on" in result.outlines
    result.stdout.no_fnmatch_line("bgcheck: not counted*")


def test_line_in_the_middle_of_a_call(shop: Project) -> None:
    call = "(\n        tasks\n        .add_task(boom)\n    )"
    (shop.path / "shop.py").write_text(SHOP.replace("tasks.add_task(boom)", call))
    shop.run("--bgcheck-coverage", "--bgcheck-json=r.jsonl")
    assert sites_of(shop)[0] == ("shop.py:20", 1, 1, 1, 0)
    assert len(sites_of(shop)) == 4


def test_scheduled_and_never_ran(shop: Project) -> None:
    shop.write(
        test_shop="""
        from fastapi.testclient import TestClient
        from shop import app
        def test_it(bgtasks):
            with bgtasks.drop():
                TestClient(app).post("/never")
        """
    )
    result = shop.run("--bgcheck-coverage")
    result.stdout.fnmatch_lines(
        [
            "shop.py:32 in never  audit                  1    0       0         0",
            "scheduled, and never ran:",
            "  shop.py:32 in never: audit",
            "task coverage 0%: 0 of 4 schedule sites ran, 0 asserted on",
        ]
    )


def test_file_that_cannot_be_parsed(package: Project) -> None:
    (package.path / "src/shop/broken.py").write_text("def :\n")
    result = package.run("--bgcheck-coverage")
    assert (
        "bgcheck: not counted, because they could not be parsed: src/shop/broken.py"
        in result.outlines
    )


def test_decorated_functions_and_methods(shop: Project) -> None:
    shop.write(
        shop="""
        import functools
        from fastapi import BackgroundTasks, FastAPI
        app = FastAPI()
        def logged(f):
            @functools.wraps(f)
            def wrapper(*a):
                return f(*a)
            return wrapper
        @logged
        def send(to): ...
        class Mailer:
            def send(self, to): ...
            def __call__(self): ...
        @app.post("/")
        def create(tasks: BackgroundTasks):
            tasks.add_task(send, 1)
            tasks.add_task(Mailer().send, 1)
            tasks.add_task(Mailer())
            tasks.add_task(functools.partial(send, 1))
            tasks.add_task([].append, 1)
        """,
        test_shop="""
        from fastapi.testclient import TestClient
        from shop import app
        def test_it():
            TestClient(app).post("/")
        """,
    )
    shop.run("--bgcheck-coverage", "--bgcheck-json=r.jsonl", "--bgcheck-ignore=ALL")
    found = [
        (line["func"], (line["defined"] or {}).get("line"), line["ran"])
        for line in lines_of(shop, "function")
    ]
    assert found == [
        ("list.append", None, 1),
        ("send", 9, 2),
        ("Mailer.send", 12, 1),
        ("Mailer", 13, 1),
    ]


def parallel(project: Project, *options: str) -> pytest.RunResult:
    """Run in two workers."""
    return project.run_apart("-n2", "--bgcheck-json=r.jsonl", *options, plugins=("xdist.plugin",))


def test_xdist(shop: Project) -> None:
    shop.write(test_more=TESTS.replace("test_", "test_more_"))
    result = parallel(shop, "--bgcheck-coverage-fail-under=80")
    assert_outcomes(result, passed=4)
    assert result.ret == 1
    assert sites_of(shop) == [
        ("shop.py:18", 2, 2, 2, 0),
        ("shop.py:23", 2, 2, 0, 2),
        ("shop.py:27", 2, 2, 0, 0),
        ("shop.py:32", 0, 0, 0, 0),
    ]
    assert (
        "bgcheck: task coverage of 75% is under the 80% of --bgcheck-coverage-fail-under"
        in result.outlines
    )


def test_crash_of_a_worker(shop: Project) -> None:
    shop.write(test_crash="def test_crash():\n    import os\n    os._exit(3)\n")
    result = parallel(shop, "--bgcheck-coverage", "-p", "no:randomly")
    assert result.ret == 1
    assert "bgcheck: a worker was lost, so that sites that it reached may be missing" in (
        result.outlines
    )
    assert sites_of(shop)[-1] == ("shop.py:32", 0, 0, 0, 0)
    assert lines_of(shop, "total")[0]["sites"] == 4


def test_report_mode_stays_transparent(shop: Project) -> None:
    shop.write(
        test_shop="""
        import gc, weakref
        from fastapi.testclient import TestClient
        from shop import app, send
        class Thing: ...
        def test_it(monkeypatch):
            seen = []
            def take(to):
                seen.append(weakref.ref(thing))
            thing = Thing()
            monkeypatch.setattr("shop.send", take)
            TestClient(app).post("/twice")
            del thing, take
            monkeypatch.undo()
            gc.collect()
            assert [ref() for ref in seen] == [None, None]
        """
    )
    assert_outcomes(shop.run("--bgcheck-coverage"), passed=1)
