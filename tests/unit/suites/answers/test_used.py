"""`answers.used`: what an app uses, and which probes are about it."""

import inspect
import re

import pytest

from bgcheck.checks.patterns import patterns_of
from bgcheck.instrument.surroundings import patterns_around
from bgcheck.recorder import roles
from bgcheck_suites.answers import used
from bgcheck_suites.answers.used import Use, UsedError, is_refused, needs, read_used
from bgcheck_suites.registry import Row, Source, registry

HEADER = {"type": "header", "stack": {}}
FOOTER = {"type": "footer", "complete": True}


def task(*patterns: str, func: str = "send", line: int = 3) -> dict[str, object]:
    site = {"file": "shop.py", "line": line, "function": "create"}
    return {"type": "task", "func": func, "site": site, "patterns": list(patterns)}


def row(*areas: str, id_: str = "BGF-NONE-01") -> Row:
    return Row(id_, "Text.", Source(), "behaviour", areas=areas)


def test_tasks_of_one_place_are_one_use():
    found = read_used([HEADER, task("a"), task("b"), task("a", line=9), FOOTER])
    assert found.uses == (
        Use("send", "shop.py:3", frozenset("ab")),
        Use("send", "shop.py:9", frozenset("a")),
    )
    assert found.patterns() == [("a", 2), ("b", 1)]
    assert found.incomplete == ""
    assert str(found.uses[0]) == "send (shop.py:3)"


def test_a_task_without_a_place():
    (use,) = read_used([HEADER, {**task("a"), "site": None}, FOOTER]).uses
    assert str(use) == "send"


@pytest.mark.parametrize("footer", [[], [{"type": "footer", "complete": False}]])
def test_an_incomplete_run_is_said(footer):
    assert read_used([HEADER, task("a"), *footer]).incomplete == (
        "the test run behind the report is incomplete, so that patterns may be missing"
    )


def test_a_run_without_tasks_tells_nothing():
    assert read_used([HEADER, FOOTER]).incomplete == (
        "no task was scheduled in the test run behind the report"
    )


@pytest.mark.parametrize("lines", [[], [FOOTER], [{"type": "header"}]])
def test_other_lines_are_refused(lines):
    with pytest.raises(UsedError) as error:
        read_used(lines)
    assert str(error.value) == "it does not begin with the header of a --bgcheck-json report"


def test_a_task_shows_a_pattern_of_each_area():
    middleware, both = task("base-http-middleware"), task("base-http-middleware", "def-task")
    found = read_used([HEADER, middleware, {**both, "func": "both"}, FOOTER])
    names = lambda *areas: [use.func for use in found.concerned(row(*areas))]  # noqa: E731
    assert names("middleware") == ["send", "both"]
    assert names("middleware", "threads") == ["both"]
    assert names("middleware", "errors") == ["send", "both"]
    assert names("session") == []
    assert names("mocks") == []


def test_patterns_of_different_tasks_do_not_add_up():
    found = read_used(
        [HEADER, task("session-argument"), task("def-yield-dependency", line=9), FOOTER]
    )
    assert found.concerned(registry()["BGF-SESSION-01"]) == ()


def test_a_session_of_a_dependency_is_in_danger():
    found = read_used([HEADER, task("session-argument", "def-yield-dependency"), FOOTER])
    assert len(found.concerned(registry()["BGF-SESSION-01"])) == 1


def test_what_no_running_app_does():
    assert is_refused("raises AssertionError when the route is defined")
    assert not is_refused("raises AssertionError")


def known_patterns() -> set[str]:
    """Return the names that the harness gives, by its documentation and its data."""
    documented = "".join(map(inspect.getdoc, (patterns_of, patterns_around)))  # type: ignore[arg-type]
    named = set(re.findall(r"`([a-z-]+)`", documented))
    return named | set(roles._BY_CLASS.values()) | {roles.MAPPED}


def test_the_mapping_names_only_what_there_is():
    mapping = used._mapping()
    assert mapping["probes"].keys() <= registry().keys()
    assert mapping["areas"].keys() <= {area for one in registry().values() for area in one.areas}
    shown = {pattern for one in registry().values() for some in needs(one) for pattern in some}
    assert shown <= known_patterns()
