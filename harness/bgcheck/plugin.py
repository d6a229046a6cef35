"""The pytest plugin of bgcheck: hooks only. Imports no framework."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

pytest.register_assert_rewrite("bgcheck_suites")

from bgcheck import config as options  # noqa: E402 - after the rewrite is registered
from bgcheck import modes  # noqa: E402
from bgcheck.fixtures import bgtasks as bgtasks  # noqa: E402
from bgcheck.fixtures import contract_requirement as contract_requirement  # noqa: E402
from bgcheck.instrument import install  # noqa: E402

MARKER_OF_CONTRACTS = (
    "contract(request, app=None, json=None, data=None, files=None, headers=None, **overrides): "
    "verify the contract of a task endpoint, one test for each requirement"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    modes.add_options(parser)
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Patch frameworks as soon as they are imported."""
    config.addinivalue_line(
        "markers",
        "bgcheck(mode=None, clock=None, ignore=()): how background tasks run in this test",
    )
    config.addinivalue_line("markers", MARKER_OF_CONTRACTS)
    modes.check(config)
    install.install()
    config.add_cleanup(install.uninstall)
    options.start(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the tests of `@pytest.mark.contract`."""
    if metafunc.definition.get_closest_marker("contract") is not None:
        from bgcheck import contract

        contract.expand(metafunc)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Verify the contract before a marked function runs, whichever plugin runs it."""
    if "contract_requirement" in pyfuncitem.funcargs:
        from bgcheck import contract

        contract.run(pyfuncitem)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Prepare the tests of the contract, before any is left out."""
    if "bgcheck_suites" in sys.modules:
        from bgcheck import contract

        contract.collected(config, items)


def pytest_plugin_registered(plugin: object) -> None:
    """Be complete before pytester runs sessions inside of this one."""
    if getattr(plugin, "__name__", None) == "_pytest.pytester":
        install.load()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the fixture up where a marker or the configuration needs it."""
    item.config.stash[modes.RUNNING] = item
    modes.prepare(item)
    if item.get_closest_marker("contract") is not None:
        from bgcheck import contract

        contract.prepare(item)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Forget the test."""
    item.config.stash[modes.RUNNING] = None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have left behind, and errors of bgcheck itself."""
    from bgcheck.report import internal

    modes.summarize(terminalreporter)
    internal.summarize(terminalreporter)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand errors of bgcheck in a worker of pytest-xdist to the controller."""
    from bgcheck.report import internal

    internal.export(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take errors of bgcheck from a worker of pytest-xdist."""
    from bgcheck.report import internal

    internal.collect(node)


def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    """Explain a failed comparison with `bgtasks` or one of its tasks."""
    log = sys.modules.get("bgcheck.recorder.log")
    if log is None:
        return None
    verbosity = config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS)
    explained: list[str] | None = log.explain(op, left, right, verbosity)
    return explained
