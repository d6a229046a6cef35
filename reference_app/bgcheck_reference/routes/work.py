"""What the endpoints of all work in the background share."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException, Request, Response

from bgcheck_reference.db import AsyncDb
from bgcheck_reference.models import DurableWork
from bgcheck_reference.queues import QueueDep

Work = TypeVar("Work", bound=DurableWork)


class WorkIntake:
    """Hands work to the queue, and has the response tell where it can be watched."""

    def __init__(self, queue: QueueDep, request: Request, response: Response) -> None:
        self._queue, self._request, self._response = queue, request, response

    async def store(self, db: AsyncDb, row: DurableWork, task: Callable[..., Any]) -> None:
        """Commit a row, and only then schedule the task that does its work.

        Args:
            db: the session of the request.
            row: all that is needed for the work.
            task: does it, given the id of the row.
        """
        db.add(row)
        await db.commit()
        await self.schedule(row, task)

    async def schedule(self, row: DurableWork, task: Callable[..., Any]) -> None:
        """Schedule the task for a row that is committed."""
        await self._queue.add(task, row.id)
        name = type(row).__name__.lower()
        place = self._request.url_for(f"read_{name}", **{f"{name}_id": row.id})
        self._response.headers["Location"] = place.path


Intake = Annotated[WorkIntake, Depends()]


def known(row: Work | None, model: type[Work]) -> Work:
    """Return a row that was looked for.

    Raises:
        HTTPException: 404, there is none.
    """
    if row is None:
        raise HTTPException(status_code=404, detail=f"No such {model.label.lower()}")
    return row
