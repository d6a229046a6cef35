"""Bodies of the runs whose progress can be watched."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bgcheck_reference.schemas import NO_NUL, TrackedOut


class RunRequest(BaseModel):
    """Work of so many levels; each level is ten steps."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Lamp", "levels": 1}]})

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
    levels: Annotated[int, Field(ge=1, le=10)] = 1


class RunOut(TrackedOut):
    """How far a run has come."""

    name: str
    steps_total: int
    steps_done: int
