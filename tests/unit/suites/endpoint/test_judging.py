"""`endpoint.judging`: nothing is refused that pydantic takes."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter, ValidationError

from bgcheck_suites.endpoint.judging import NO, Judge
from bgcheck_suites.endpoint.variants import ABSENT, variants


class Size(enum.Enum):
    SMALL = 1
    LARGE = "2"


class Inner(BaseModel):
    number: int
    text: str = Field("x", max_length=3)


class Tree(BaseModel):
    left: Tree | None = None
    value: Inner


KINDS: dict[str, Any] = {
    "int": int,
    "bounds": Annotated[int, Field(ge=1, lt=5)],
    "multiple": Annotated[float, Field(multiple_of=0.5)],
    "bool": bool,
    "str": Annotated[str, Field(min_length=1, max_length=3)],
    "pattern": Annotated[str, Field(pattern="^[a-z]+$")],
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "decimal": decimal.Decimal,
    "url": AnyUrl,
    "enum": Size,
    "literal": Literal[1, "a"],
    "optional": int | None,
    "union": int | list[str],
    "list": Annotated[list[int], Field(min_length=1, max_length=2)],
    "set": Annotated[set[int], Field(min_length=1, max_length=2)],
    "tuple": tuple[int, bool],
    "dict": dict[str, int],
    "model": Inner,
    "tree": Tree,
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 8),
    st.floats(-3, 8),
    st.sampled_from(["", "1", "2", "0.5", "true", "NO", "a", NO, "2026-01-01", "12:00", "P1D"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["number", "text", "left", "value", "other"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


def judge_of(kind: Any) -> tuple[TypeAdapter[Any], Judge, Any]:
    adapter = TypeAdapter[Any](kind)
    document = adapter.json_schema(ref_template="#/$defs/{model}")
    return adapter, Judge(document), document


def takes(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_what_is_refused_pydantic_refuses(name: str, data: st.DataObject) -> None:
    adapter, judge, schema = judge_of(KINDS[name])
    value = data.draw(VALUES)
    if judge.refuses(schema, value):
        assert not takes(adapter, value)


@pytest.mark.parametrize("name", KINDS)
def test_something_is_found_that_each_kind_refuses(name: str) -> None:
    adapter, judge, schema = judge_of(KINDS[name])
    found = variants(judge, schema, ABSENT, "it")
    assert found
    assert not [one for one in found if takes(adapter, one.value)]


@pytest.mark.parametrize(
    ("schema", "value", "refused"),
    [
        ({"type": "integer"}, "5", False),
        ({"type": "integer"}, True, False),
        ({"type": "integer"}, "five", True),
        ({"type": ["integer", "null"], "minimum": 1}, None, False),
        ({"type": ["integer", "null"], "minimum": 1}, "x", True),
        ({"type": "string", "format": "date-time"}, 5, False),
        ({"type": "string", "format": "colour"}, NO, False),
        ({"type": "string", "pattern": r"\p{L}"}, NO, False),
        ({"type": "array", "uniqueItems": True, "maxItems": 1}, [1, 1], False),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, NO, False),
        ({"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, NO, True),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, NO, True),
        ({"$ref": "#/nowhere"}, NO, False),
        ({"not": {"type": "string"}}, NO, False),
        ({}, NO, False),
    ],
)
def test_what_is_not_certain_is_not_refused(schema: Any, value: Any, refused: bool) -> None:
    assert Judge({}).refuses(schema, value) is refused


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    endless = {"a": {"allOf": [{"$ref": "#/a"}]}}
    assert not Judge(endless).refuses({"$ref": "#/a"}, NO)
    assert len(Judge(endless).simple({"$ref": "#/a"})) == 1
