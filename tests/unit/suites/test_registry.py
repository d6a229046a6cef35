"""The registry of requirements: what it reads, and what it refuses."""

from pathlib import Path

import pytest

from bgcheck_suites.matrix.database import shipped_record
from bgcheck_suites.registry import RegistryError, Row, load, registry, satisfies, select

REQUIREMENT = """
[[requirement]]
id = "BGF-ORDER-01"
level = "MUST"
text = "Tasks run in order."
source = { document = "Docs", section = "Tasks" }
"""
BEHAVIOUR = """
[[behaviour]]
id = "BGF-DEPS-01"
text = "When a dependency exits."
source = { document = "Docs", section = "Yield" }
expected = [
    { when = "fastapi>=0.106,<0.118", value = "before" },
    { when = "", value = "after" },
]
"""
STACK = {"python": "3.13.0", "fastapi": "0.110.0", "starlette": "0.36.3"}


@pytest.fixture
def written(tmp_path: Path):
    """Load rows from TOML text."""

    def load_text(*texts: str) -> dict[str, Row]:
        files = []
        for number, text in enumerate(texts):
            file = tmp_path / f"area{number}.toml"
            file.write_text(text)
            files.append(file)
        return load(files)

    return load_text


def test_rows_are_read_by_id(written):
    rows = written(REQUIREMENT, BEHAVIOUR)
    assert list(rows) == ["BGF-ORDER-01", "BGF-DEPS-01"]
    assert rows["BGF-ORDER-01"].level == "MUST"
    assert rows["BGF-ORDER-01"].suite == "framework"
    assert str(rows["BGF-ORDER-01"].source) == "Docs, Tasks"
    assert rows["BGF-DEPS-01"].kind == "behaviour"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (REQUIREMENT * 2, "area0.toml: BGF-ORDER-01 is used twice"),
        (
            'retired = ["BGF-ORDER-01"]\n' + REQUIREMENT,
            "BGF-ORDER-01 is retired; an id is never used again",
        ),
        (
            REQUIREMENT.replace("BGF-ORDER-01", "BGX-ORDER-1"),
            "area0.toml: BGX-ORDER-1: its id is not BGF-AREA-NN, BGR-AREA-NN or BGC-AREA-NN",
        ),
        (
            REQUIREMENT.replace("MUST", "MAY"),
            "area0.toml: BGF-ORDER-01: a requirement needs the level MUST or SHOULD",
        ),
        (
            BEHAVIOUR.replace("text =", 'level = "MUST"\ntext ='),
            "area0.toml: BGF-DEPS-01: a behaviour has no level",
        ),
        (
            REQUIREMENT.replace('document = "Docs", ', ""),
            "area0.toml: BGF-ORDER-01: its source names neither a document nor a package",
        ),
        (
            REQUIREMENT + 'expected_fail = [{ when = "fastapi<1", reason = "known" }]\n',
            "area0.toml: BGF-ORDER-01: an expected failure needs a condition, a reason and a link",
        ),
        (REQUIREMENT.replace("requirement", "rule"), "area0.toml: unknown table 'rule'"),
        (
            REQUIREMENT.replace("text =", "txt ="),
            "area0.toml: BGF-ORDER-01: unknown key 'txt'",
        ),
        (
            "\n".join(line for line in REQUIREMENT.splitlines() if "source" not in line),
            "area0.toml: BGF-ORDER-01: lacks 'source'",
        ),
    ],
)
def test_a_bad_row_is_refused(written, text, message):
    with pytest.raises(RegistryError) as refused:
        written(text)
    assert str(refused.value) == message


def test_a_value_that_follows_from_what_another_probe_was_measured_to_have(written):
    entry = '{ of = "BGF-DEPS-04", was = "early", value = "before" }'
    head = BEHAVIOUR.split("expected", maxsplit=1)[0]
    row = written(f"{head}expected = [{entry}]\n")["BGF-DEPS-01"]
    assert row.value_for(STACK) is None
    assert row.value_for(STACK, lambda id_: {"BGF-DEPS-04": "late"}[id_]) is None
    assert row.value_for(STACK, lambda id_: {"BGF-DEPS-04": "early"}[id_]).value == "before"


def test_what_values_follow_from_was_measured():
    entries = [e for row in registry().values() for e in row.expected if e.of]
    assert entries
    for entry in entries:
        assert entry.was in shipped_record(entry.of).values.values()


def test_a_behaviour_needs_no_expected_values(written):
    assert written(BEHAVIOUR.split("expected", maxsplit=1)[0])["BGF-DEPS-01"].expected == ()


def test_an_id_retired_in_another_file_is_refused(written):
    with pytest.raises(RegistryError, match="BGF-ORDER-01 is retired"):
        written(REQUIREMENT, 'retired = ["BGF-ORDER-01"]\n')


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("fastapi>=0.106,<0.118", True),
        ("fastapi<0.106", False),
        ("python>=3.13", True),
        ("trio>=0.20", False),
        ("fastapi", True),
    ],
)
def test_conditions(condition, holds):
    assert satisfies(condition, STACK) is holds


def test_a_prerelease_satisfies_a_condition():
    assert satisfies("fastapi>=0.118", {"fastapi": "0.119.0b1"})


def test_a_condition_that_cannot_be_read_is_refused():
    with pytest.raises(RegistryError, match="cannot read the condition 'fastapi is new'"):
        satisfies("fastapi is new", STACK)


def test_the_first_expectation_that_fits_counts(written):
    row = written(BEHAVIOUR)["BGF-DEPS-01"]
    assert row.value_for(STACK).value == "before"
    assert row.value_for({**STACK, "fastapi": "0.118.0"}).value == "after"


def test_every_part_of_a_condition_must_hold(written):
    both = BEHAVIOUR.replace("<0.118", "<0.118 and starlette>=0.40")
    row = written(both)["BGF-DEPS-01"]
    assert row.value_for(STACK).value == "after"
    assert row.value_for({**STACK, "starlette": "0.41.0"}).value == "before"


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ('since = { fastapi = "0.106" }', ""),
        ('since = { fastapi = "0.111" }', "since fastapi 0.111; this stack has 0.110.0"),
        ('until = { fastapi = "0.110" }', "until fastapi 0.110; this stack has 0.110.0"),
        ('since = { trio = "0.22" }', "since trio 0.22; it is not installed"),
    ],
)
def test_a_row_says_why_it_does_not_apply(written, bounds, reason):
    row = written(REQUIREMENT + bounds + "\n")["BGF-ORDER-01"]
    assert row.not_applicable(STACK) == reason


def test_selection_by_suite_and_prefix():
    rows = registry()
    assert {row.suite for row in select(rows, suites=["framework"]).values()} == {"framework"}
    chosen = select(rows, prefixes=["BGF-ORDER", "BGF-ARGS-01"])
    assert {id_.rpartition("-")[0] for id_ in chosen} == {"BGF-ORDER", "BGF-ARGS"}
    assert "BGF-ARGS-02" not in chosen
    assert select(rows) == rows
    assert select(rows, prefixes=["BGX"]) == {}
