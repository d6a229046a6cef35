"""Bodies of reports as files: format, date range and sections."""

from datetime import date
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bgcheck_reference.schemas import TrackedOut
from bgcheck_reference.schemas_mailings import Line


class ExportFormat(str, Enum):
    """What a report can be written as."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"
    HTML = "html"


class ExportSection(str, Enum):
    """What a report can tell."""

    SUMMARY = "summary"
    USERS = "users"
    DAYS = "days"
    MESSAGES = "messages"


def _in_the_calendar(day: date) -> date:
    # No bounds of the field: FastAPI before 0.101 knows none but numbers in its OpenAPI schema.
    if not 1970 <= day.year <= 2999:
        raise ValueError("the day is not between 1970-01-01 and 2999-12-31")
    return day


Day = Annotated[date, AfterValidator(_in_the_calendar)]


class ExportRequest(BaseModel):
    """A report on the notifications of some days, as a file."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Notifications",
                    "format": file_format,
                    "since": "2026-01-01",
                    "until": "2099-12-31",
                    "sections": ["summary", "users", "days", "messages"],
                }
                for file_format in ("pdf", "xlsx", "csv", "html")
            ]
        }
    )

    title: Line
    format: ExportFormat
    since: Day
    until: Day
    sections: Annotated[list[ExportSection], Field(min_length=1, max_length=4)] = [
        ExportSection.SUMMARY,
        ExportSection.USERS,
    ]

    @model_validator(mode="after")
    def _fits_together(self) -> "ExportRequest":
        if self.until < self.since:
            raise ValueError("until must not be before since")
        if len(set(self.sections)) < len(self.sections):
            raise ValueError("a section is listed twice")
        return self


class ExportOut(TrackedOut):
    """A report as a file; once its state is "done" it can be downloaded."""

    title: str
    format: ExportFormat
    since: date
    until: date
    sections: list[ExportSection]
    size: int | None
