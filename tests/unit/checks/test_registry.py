"""The checks that there are, against the list of those that there should be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bgcheck.checks.base import Check
from bgcheck.checks.pages import read_page
from bgcheck.checks.registry import FAMILIES, all_checks, check_pattern, find_check

SPECIFIED = {
    "BG101": ("wrong-arguments", "E"),
    "BG102": ("not-callable", "E"),
    "BG103": ("task-lost", "E"),
    "BG104": ("task-ran-twice", "E"),
    "BG105": ("scheduled-twice", "W"),
    "BG106": ("unawaited-result", "E"),
    "BG107": ("unresolved-depends", "E"),
    "BG108": ("late-binding", "E"),
    "BG109": ("default-evaluated-at-import", "W"),
    "BG110": ("reschedules-itself", "W"),
    "BG111": ("override-without-effect", "E"),
    "BG112": ("side-effect-on-safe-method", "O"),
    "BG201": ("task-failed", "E"),
    "BG202": ("task-skipped", "E"),
    "BG203": ("task-cancelled", "W"),
    "BG204": ("exception-swallowed", "W"),
    "BG205": ("cancellation-swallowed", "W"),
    "BG206": ("never-awaited", "E"),
    "BG207": ("http-exception-in-task", "E"),
    "BG208": ("exit-in-task", "E"),
    "BG209": ("orphan-task-exception", "E"),
    "BG210": ("unbounded-retry", "O"),
    "BG211": ("repeated-side-effect", "W"),
    "BG301": ("changed-after-schedule", "E"),
    "BG302": ("mutated-by-task", "W"),
    "BG303": ("shared-mutable", "E"),
    "BG304": ("mutable-default", "E"),
    "BG305": ("one-shot-iterator", "E"),
    "BG306": ("closed-file", "E"),
    "BG307": ("exhausted-file", "E"),
    "BG308": ("receive-after-response", "E"),
    "BG309": ("response-changed-after-send", "W"),
    "BG310": ("contextvar-lost", "W"),
    "BG311": ("not-serializable", "O"),
    "BG312": ("secret-logged", "W"),
    "BG313": ("naive-datetime", "O"),
    "BG401": ("connection-leak", "E"),
    "BG402": ("session-used-after-close", "E"),
    "BG403": ("detached-instance", "E"),
    "BG404": ("session-used-concurrently", "W"),
    "BG405": ("connection-held", "W"),
    "BG406": ("idle-in-transaction", "W"),
    "BG407": ("pool-exhausted", "W"),
    "BG408": ("missing-commit", "E"),
    "BG409": ("poisoned-session", "E"),
    "BG410": ("task-before-commit", "E"),
    "BG411": ("connection-of-other-loop", "E"),
    "BG412": ("override-bypassed", "W"),
    "BG413": ("override-left-behind", "W"),
    "BG501": ("blocking-call", "E"),
    "BG502": ("blocking-db", "E"),
    "BG503": ("loop-blocked", "W"),
    "BG504": ("loop-object-from-thread", "W"),
    "BG505": ("no-loop-in-thread", "E"),
    "BG506": ("nested-event-loop", "E"),
    "BG507": ("thread-pool-starved", "O"),
    "BG511": ("orphan-asyncio-task", "W"),
    "BG512": ("orphan-thread", "W"),
    "BG513": ("handle-left-open", "W"),
    "BG514": ("tempfile-left", "O"),
}
"""Code, name and default of every check; none is ever reused."""

FAULT_IS_FOUND = re.compile(
    r"lab\.assert_found\(|\(finding,\) = (outcome|lab\.run\(.+\))\.findings\n"
)
NOTHING_IS_FOUND = re.compile(
    r"lab\.assert_silent\("
    r"|assert outcome\.findings == \[\]\n +assert outcome\.result\.ret == pytest\.ExitCode\.OK\n"
)
CHECKS_TESTS = Path(__file__).parents[2] / "checks"


@pytest.mark.parametrize("code", SPECIFIED)
def test_check_is_built_and_proven(code: str) -> None:
    check = find_check(code)
    assert check is not None
    assert (check.name, check.default) == SPECIFIED[code]
    page = read_page(code)
    assert page.example("Faulty")
    assert page.example("Corrected")
    tests = list((CHECKS_TESTS / code[:3]).glob(f"test_{code.lower()}_*.py"))
    assert tests, f"{code} has no planted faults in tests/checks/{code[:3]}"
    text = tests[0].read_text(encoding="utf-8")
    assert code in text
    assert FAULT_IS_FOUND.search(text)
    assert NOTHING_IS_FOUND.search(text)


def test_no_check_is_unspecified() -> None:
    assert [check.code for check in all_checks() if check.code not in SPECIFIED] == []


def test_codes_are_sorted_and_unique() -> None:
    codes = [check.code for check in all_checks()]
    assert codes == sorted(set(codes))


def test_code_belongs_to_its_family() -> None:
    assert {check.code[:3] for check in all_checks()} <= set(FAMILIES)


@pytest.mark.parametrize("check", list(all_checks()), ids=lambda check: check.code)
def test_texts_are_sentences(check: type[Check]) -> None:
    for text in (check.summary, check.way_out):
        assert text.endswith(".")
        assert "\n" not in text
    assert check.__doc__


@pytest.mark.parametrize("pattern", ["BG301", "BG3", "BG", "ALL", "DEFAULT"])
def test_valid_pattern(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["BG999", "bg301", "E501", "BG3011", "", "all"])
def test_wrong_pattern_lists_the_valid_ones(pattern: str) -> None:
    with pytest.raises(ValueError, match="matches no check. Valid are: BG101, BG102") as caught:
        check_pattern(pattern)
    assert str(caught.value).startswith(repr(pattern))
    assert str(caught.value).endswith("a prefix such as BG3; ALL; DEFAULT.")
