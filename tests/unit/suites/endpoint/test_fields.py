"""`endpoint.fields`: parameters and their aliases, and the schemas of bodies made of them."""

# ruff: noqa: B008 - FastAPI 0.100 takes no `Annotated` under a new pydantic

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Depends, File, Form, Query, UploadFile

from bgcheck_suites.endpoint.fields import renamed, wire_names


def lowest(size: int = Form(1, alias="width")) -> int:
    return size


def middle(kind: str = Form(alias="format"), size: int = Depends(lowest)) -> int:
    return size


class Wanted:
    def __init__(self, place: Annotated[str, Body(alias="where")]) -> None:
        self.place = place


def endpoint(
    picture: UploadFile = File(alias="file"),
    page: int = Query(1, alias="number"),
    plain: str = Form(),
    size: int = Depends(middle),
    wanted: Any = Depends(Wanted),
) -> None: ...


def endless(again: Any = None) -> None: ...


endless.__defaults__ = (Depends(endless),)


def broken(kind: missing = Form(alias="format")) -> None: ...  # type: ignore[name-defined] # noqa: F821


def test_fields_of_a_body_have_their_aliases_dependencies_included() -> None:
    assert wire_names(endpoint) == {
        "picture": "file",
        "kind": "format",
        "size": "width",
        "place": "where",
    }


def test_what_cannot_be_told_is_none() -> None:
    assert wire_names(None) == {}
    assert wire_names(endless) == {}
    assert wire_names(print) == {}


def test_an_annotation_that_cannot_be_evaluated_hides_no_default() -> None:
    assert wire_names(broken) == {"kind": "format"}


def test_only_a_body_made_of_parameters_is_renamed() -> None:
    schema = {"title": "Body_create", "properties": {"kind": {}, "x": {}}, "required": ["kind"]}
    assert renamed(schema, {"kind": "format"}) == {
        "title": "Body_create",
        "properties": {"format": {}, "x": {}},
        "required": ["format"],
    }
    model = {**schema, "title": "Picture"}
    assert renamed(model, {"kind": "format"}) is model
    assert renamed(schema, {}) is schema
