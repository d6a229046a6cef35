"""The environments of tox.ini, for nox: `nox -l` lists them, `nox` runs the default ones."""

from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "lowest-direct", "autoload-off", "wheel"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
CELLS = sorted(path.stem for path in ROOT.glob("tests/cells/*.txt"))


def prepare(session: nox.Session, *requirements: str, group: str | None = "test") -> Path:
    """Install the wheel with these requirements, and record the resolved versions."""
    groups = nox.project.dependency_groups(PYPROJECT, group) if group else ()
    session.env["PYTHONSAFEPATH"] = "1"
    session.install(*requirements, *groups)
    where = Path(session.virtualenv.location)
    session.run("python", "tests/cells/record.py", str(where / "versions.txt"))
    return where


@nox.session(python=PYTHONS)
@nox.parametrize("cell", CELLS)
def tests(session: nox.Session, cell: str) -> None:
    """Run the tests on one cell, against the wheel."""
    where = prepare(session, ".[suites]", "-c", f"tests/cells/{cell}.txt")
    session.env["COVERAGE_FILE"] = str(where.parent / f".coverage.{where.name}")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy and pyright, in strict mode."""
    prepare(session, ".[suites]", group="types")
    session.run("mypy")
    session.run("pyright")


@nox.session(name="lowest-direct", python=PYTHONS[0], venv_backend="uv")
def lowest_direct(session: nox.Session) -> None:
    """Run most tests with the lowest version of every dependency that the project names."""
    prepare(session, "--resolution", "lowest-direct", "-e", ".[suites]")
    parts = ["tests/unit", "tests/reference_app", "tests/packaging"]
    session.run("pytest", *(session.posargs or parts))


@nox.session(name="autoload-off")
def autoload_off(session: nox.Session) -> None:
    """Run a suite that names its plugins, as with PYTEST_DISABLE_PLUGIN_AUTOLOAD."""
    prepare(session, ".[suites]")
    session.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ("bgcheck.plugin", "pytest_asyncio.plugin", "anyio.pytest_plugin")
    options = [option for plugin in plugins for option in ("-p", plugin)]
    session.run("pytest", *options, *(session.posargs or ["tests/reference_app"]))


@nox.session
def wheel(session: nox.Session) -> None:
    """Run a foreign project with nothing but the wheel, FastAPI and a client."""
    where = prepare(session, ".", "fastapi", "httpx2", group=None)
    session.env["BGCHECK_FOREIGN_PYTHON"] = str(where / "bin" / "python")
    target = session.posargs or ["tests/packaging/test_foreign_project.py"]
    session.run("pytest", "-c", "tox.ini", *target)


@nox.session
def selftest(session: nox.Session) -> None:
    """Break the framework on purpose, and see that the suite finds it."""
    prepare(session, ".[suites]")
    report = ("--report-dir", session.create_tmp())
    session.run("bgcheck", "selftest", "-n", "2", *report, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Report the branch coverage of bgcheck in all cells that ran before."""
    session.install("coverage[toml]")
    where = Path(session.virtualenv.location).parent
    session.env["COVERAGE_FILE"] = str(where / ".coverage")
    session.run("coverage", "combine", "--keep", str(where))
    session.run("coverage", "report", "--include=harness/*", "--fail-under=95")
