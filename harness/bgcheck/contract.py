"""The marker `@pytest.mark.contract("POST /items/1")`: a test function as the gate of an endpoint.

The function becomes one test for each requirement of the contract; its body runs after that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

NAME: Final = "contract"
FIXTURE: Final = "contract_requirement"


def expand(metafunc: pytest.Metafunc) -> None:
    """Make one test for each requirement of a marked function."""
    if metafunc.definition.get_closest_marker(NAME) is None:
        return
    from bgcheck_suites.endpoint.verify import VERIFICATIONS

    metafunc.fixturenames.append(FIXTURE)
    metafunc.parametrize(FIXTURE, list(VERIFICATIONS), indirect=True)


def prepare(item: pytest.Item) -> None:
    """Have the fixture set up that verifies; pytest forgets names that no signature has."""
    names: list[str] = getattr(item, "fixturenames", [FIXTURE])
    if FIXTURE not in names:
        names.insert(0, FIXTURE)
        item.add_marker(pytest.mark.bgcheck(ignore=["BG"]))  # the faults are injected on purpose


def verification(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Return what verifies the requirement that a fixture was made for."""
    from bgcheck_suites.endpoint.subject import SubjectError

    marker = request.node.get_closest_marker(NAME)
    assert marker is not None
    try:
        subject = _subject(request, *marker.args, **marker.kwargs)
    except (SubjectError, TypeError) as error:
        message = f"@pytest.mark.contract: {error}"
        return lambda: pytest.fail(message, pytrace=False)
    return lambda: _verify(subject, request.param)


def _subject(
    request: pytest.FixtureRequest,
    line: str,
    *,
    app: Any = None,
    json: Any = None,
    data: Any = None,
    files: Any = None,
    headers: Any = None,
    **overrides: Any,
) -> Any:
    from bgcheck_suites.endpoint.subject import RequestSpec, Subject, load_app

    given = app if app is not None else request.getfixturevalue("app")
    spec = RequestSpec(line, json, data, files, headers or {})
    return Subject(load_app(given), spec, **overrides)


def _verify(subject: Any, id_: str) -> None:
    from bgcheck_suites.endpoint.verify import contract_rows, verify
    from bgcheck_suites.testcase import report

    report(contract_rows()[id_], verify(subject, id_))


def run(item: pytest.Function) -> None:
    """Verify before the body of a marked function runs."""
    verify: Any = item.funcargs.get(FIXTURE)
    if verify is not None and item.get_closest_marker(NAME) is not None:
        verify()
