"""`answers.conditions`: the smallest conditions that tell where something fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgcheck_suites.answers.conditions import ConditionError, smallest
from bgcheck_suites.registry import Expectation

PYTHONS = ("3.10.13", "3.12.1", "3.13.0")
FASTAPIS = ("0.105.0", "0.110.0", "0.117.1", "0.118.3", "0.130.0")


def stack(fastapi: str, python: str = "3.12.1", starlette: str = "0.40.0") -> dict[str, str]:
    return {"python": python, "fastapi": fastapi, "starlette": starlette, "anyio": "4.0"}


def conditions(fails: str, holds: str) -> list[str]:
    return smallest(*([stack(version) for version in some.split()] for some in (fails, holds)))


@pytest.mark.parametrize(
    ("fails", "holds", "expected"),
    [
        ("0.106.0 0.117.0", "0.105.0 0.118.0", ["fastapi >= 0.106.0, < 0.118.0"]),
        ("0.106.0 0.117.0", "0.105.0", ["fastapi >= 0.106.0"]),
        ("0.106.0 0.117.0", "0.118.0", ["fastapi < 0.118.0"]),
        ("0.117.0 0.106.0", "", ["fastapi >= 0.106.0"]),
        (
            "0.105.0 0.118.0",
            "0.106.0 0.117.0 0.120.0",
            ["fastapi < 0.106.0", "fastapi >= 0.118.0, < 0.120.0"],
        ),
        ("0.9.0", "0.10.0", ["fastapi < 0.10.0"]),
    ],
)
def test_one_package(fails, holds, expected):
    assert conditions(fails, holds) == expected


def test_the_package_with_the_fewest_conditions_counts():
    fails = [stack("0.105.0", starlette="0.30"), stack("0.118.0", starlette="0.31")]
    holds = [stack("0.110.0", starlette="0.40")]
    assert smallest(fails, holds) == ["starlette < 0.40"]


def test_python_counts_by_its_minor_version():
    fails, holds = [stack("0.105.0", "3.10.13")], [stack("0.105.0", "3.12.1")]
    assert smallest(fails, holds) == ["python < 3.12"]


def test_two_packages():
    fails = [stack("0.106.0", "3.10.13"), stack("0.117.0", "3.10.13")]
    holds = [stack("0.105.0", "3.10.13"), stack("0.106.0"), stack("0.117.0")]
    assert smallest(fails, holds) == ["fastapi >= 0.106.0 and python < 3.12"]


def test_the_same_versions_with_both_outcomes():
    with pytest.raises(ConditionError) as error:
        conditions("0.105.0", "0.105.0")
    assert str(error.value) == (
        "it both fails and holds on fastapi == 0.105.0 and starlette == 0.40.0 and anyio == 4.0 "
        "and python == 3.12.*"
    )


@given(
    st.dictionaries(st.tuples(st.sampled_from(FASTAPIS), st.sampled_from(PYTHONS)), st.booleans())
)
def test_conditions_hold_where_it_fails_and_nowhere_else(outcomes):
    fails = [stack(*versions) for versions, failing in outcomes.items() if failing]
    holds = [stack(*versions) for versions, failing in outcomes.items() if not failing]
    if not fails:
        return
    found = [Expectation(when=condition) for condition in smallest(fails, holds)]
    assert all(any(one.holds(stack_) for one in found) for stack_ in fails)
    assert not any(one.holds(stack_) for one in found for stack_ in holds)
