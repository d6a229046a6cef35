"""Answers to invalid input."""

import json

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

_TOLD = ("type", "loc", "msg")


async def refuse(request: Request, error: Exception) -> Response:
    """Say what is wrong, without repeating the input.

    FastAPI repeats it, and fails where JSON can be read and not written: NaN, Infinity, and half
    of a surrogate pair.
    """
    assert isinstance(error, RequestValidationError)
    detail = [{key: problem[key] for key in _TOLD} for problem in error.errors()]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")
