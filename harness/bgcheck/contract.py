"""The marker `@pytest.mark.contract("POST /items/1")`: a test function as the gate of an endpoint.

The function becomes one test for each requirement of the contract; its body runs after that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest

NAME: Final = "contract"
FIXTURE: Final = "contract_requirement"
CAPABILITIES: Final = "capabilities"
"""The name of the test that a marker with `capabilities` makes besides."""


def expand(metafunc: pytest.Metafunc) -> None:
    """Make one test for each requirement of a marked function."""
    marker = metafunc.definition.get_closest_marker(NAME)
    if marker is None:
        return
    from bgcheck_suites.endpoint.verify import VERIFICATIONS

    more = [CAPABILITIES] if marker.kwargs.get(CAPABILITIES) else []
    metafunc.fixturenames.append(FIXTURE)
    metafunc.parametrize(FIXTURE, [*VERIFICATIONS, *more], indirect=True)


def prepare(item: pytest.Item) -> None:
    """Have the fixture set up that verifies; pytest forgets names that no signature has."""
    names: list[str] = getattr(item, "fixturenames", [FIXTURE])
    if FIXTURE not in names:
        names.insert(0, FIXTURE)


def verification(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Return what verifies the requirement that a fixture was made for."""
    from bgcheck_suites.endpoint.subject import SubjectError

    marker = request.node.get_closest_marker(NAME)
    assert marker is not None
    try:
        if len(marker.args) != 1:
            raise SubjectError("give it one request, such as 'POST /items/1'")
        return _gate(request, str(marker.args[0]), **marker.kwargs)
    except SubjectError as error:
        message = f"@pytest.mark.contract: {error}"
        return lambda: pytest.fail(message, pytrace=False)


def _gate(
    fixture: pytest.FixtureRequest,
    line: str,
    *,
    app: Any = None,
    json: Any = None,
    data: Any = None,
    files: Any = None,
    headers: Any = None,
    expected_failures: Any = None,
    capabilities: Any = None,
    **overrides: Any,
) -> Callable[[], None]:
    from bgcheck_suites.endpoint.loading import load_app
    from bgcheck_suites.endpoint.subject import RequestSpec, subject_of
    from bgcheck_suites.gating import gate, gate_capabilities

    given = app if app is not None else fixture.getfixturevalue("app")
    spec = RequestSpec(line, json, data, files, headers or {})
    subject = subject_of(load_app(given), spec, **overrides)
    if fixture.param == CAPABILITIES:
        return lambda: gate_capabilities(subject, capabilities)
    return lambda: gate(fixture, subject, fixture.param, expected_failures or {})


def run(item: pytest.Function) -> None:
    """Verify before the body of a marked function runs."""
    verify: Any = item.funcargs.get(FIXTURE)
    if verify is not None and item.get_closest_marker(NAME) is not None:
        verify()


def collected(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Have the tests of the contract watched by no check, and check what is known to fail.

    Raises pytest.UsageError where the file of expectations cannot be used.
    """
    for item in items:
        if item.get_closest_marker(NAME) is not None:
            item.add_marker(pytest.mark.bgcheck(ignore=["BG"]))  # faults are injected on purpose
    requests = list(_requests(items))
    if requests and not hasattr(config, "workerinput"):  # a worker says so in each of its tests
        from bgcheck_suites.gating import check_session

        check_session(config, requests)


def _requests(items: Sequence[pytest.Item]) -> Iterator[str]:
    testcase: Any = sys.modules.get("bgcheck_suites.testcase")
    for item in items:
        marker = item.get_closest_marker(NAME)
        if marker is not None:
            yield from map(str, marker.args[:1])
        elif testcase is not None and issubclass(_class_of(item), testcase.TaskContract):
            yield str(_class_of(item).request)


def _class_of(item: pytest.Item) -> Any:
    return getattr(item, "cls", None) or object
