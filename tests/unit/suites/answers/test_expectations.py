"""`answers.expectations`: the file, and what is refused in it."""

import pytest

from bgcheck_suites.answers.expectations import (
    ExpectationsError,
    check_conditions,
    expecting,
    read_expectations,
)
from bgcheck_suites.registry import Expectation, Row, Source

ROWS = {id_: Row(id_, "Text.", Source(), "requirement", "MUST") for id_ in ("BGF-A-01", "BGF-A-02")}
ROWS["BGC-A-01"] = Row("BGC-A-01", "Text.", Source(), "requirement", "MUST")
ENTRY = '[[BGF-A-01]]\nwhen = "fastapi >= 0.106, < 0.118"\nreason = "Why."\nlink = "issue 7"\n'
EXPECTED = Expectation("fastapi >= 0.106, < 0.118", "", "Why.", "issue 7")


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path.joinpath("expectations.toml").relative_to(tmp_path)


def test_entries_come_before_those_of_the_row(file):
    file.write_text(ENTRY)
    own = Expectation("python >= 3", "", "Own.", "issue 1")
    row = Row("BGF-A-01", "Text.", Source(), "requirement", "MUST", expected_fail=(own,))
    found = read_expectations(file, ROWS)
    assert expecting(row, found).expected_fail == (EXPECTED, own)
    assert expecting(ROWS["BGF-A-02"], found) is ROWS["BGF-A-02"]


def test_an_entry_of_the_contract_may_be_about_one_endpoint(file):
    file.write_text(ENTRY.replace("F-A", "C-A") + 'request = "POST /items/1"')
    found = read_expectations(file, ROWS)
    row, (entry,) = ROWS["BGC-A-01"], found["BGC-A-01"]
    assert expecting(row, found, "POST /items/1").expected_fail == (entry,)
    assert expecting(row, found, "POST /items/2") is row
    assert expecting(row, found) is row


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ENTRY + 'request = "POST /items/1"',
            "expectations.toml: BGF-A-01: unknown key 'request'; there are when, reason, link",
        ),
        (
            ENTRY.replace("F-A", "C-A") + 'request = "items"',
            "expectations.toml: BGC-A-01: 'items' is no request: write a method and a path, such "
            "as 'POST /items/1'",
        ),
        ("[[", "expectations.toml is no TOML: "),
        (
            ENTRY.replace("A-01", "A-03"),
            "expectations.toml: BGF-A-03 is no requirement; there are BGF-A-0",
        ),
        (ENTRY.replace("BGF-A-01", "zzz"), "expectations.toml: zzz is no requirement"),
        (
            ENTRY.replace("[[", "[").replace("]]", "]"),
            "expectations.toml: BGF-A-01: write a table in double brackets: [[BGF-A-01]]",
        ),
        (
            ENTRY.replace("reason", "why"),
            "expectations.toml: BGF-A-01: unknown key 'why'; there are when, reason, link",
        ),
        (
            ENTRY.replace('"issue 7"', '" "'),
            "expectations.toml: BGF-A-01: 'link' is missing; each entry needs a condition, a "
            "reason and a link",
        ),
        (
            ENTRY.replace('reason = "Why."\n', ""),
            "expectations.toml: BGF-A-01: 'reason' is missing; each entry needs a condition, a "
            "reason and a link",
        ),
        (
            ENTRY.replace(">= 0.106", "from 0.106"),
            "expectations.toml: BGF-A-01: cannot read the condition 'fastapi from 0.106, < 0.118'",
        ),
    ],
)
def test_what_is_refused(text, message, file):
    file.write_text(text)
    with pytest.raises(ExpectationsError) as error:
        read_expectations(file, ROWS)
    assert str(error.value).startswith(message)


def test_a_file_that_is_not_there(file):
    with pytest.raises(ExpectationsError) as error:
        read_expectations(file, ROWS)
    assert str(error.value) == "cannot read expectations.toml: No such file or directory"


def test_a_condition_is_about_this_stack_or_a_measured_one(file):
    file.write_text(ENTRY)
    found = read_expectations(file, ROWS)
    check_conditions(file, found, [{"fastapi": "0.120.0"}, {"fastapi": "0.117.1"}])
    with pytest.raises(ExpectationsError) as error:
        check_conditions(file, found, [{"fastapi": "0.120.0"}, {"fastapi": "0.118.0"}])
    assert str(error.value) == (
        "expectations.toml: BGF-A-01: no known stack satisfies 'fastapi >= 0.106, < 0.118': not "
        "this one, nor any of the 1 measured ones; correct it, or delete the entry"
    )
