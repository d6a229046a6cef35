"""Parameters of several types: a model, a number, a dictionary and a default."""

import time

from fastapi import APIRouter, BackgroundTasks, Query

from bgcheck_reference.schemas import Item, ProcessingStarted
from bgcheck_reference.settings import SettingsDep
from bgcheck_reference.tasks.process import process_complex_task

router = APIRouter(tags=["Several parameter types"])


@router.post("/process/")
async def process_request(
    item: Item,
    background_tasks: BackgroundTasks,
    settings: SettingsDep,
    user_id: int = Query(examples=[7]),
    priority: int = Query(default=1, ge=0, le=10),
) -> ProcessingStarted:
    """Process an item for a user; the higher the priority, the longer the work."""
    background_tasks.add_task(
        process_complex_task,
        item=item,
        user_id=user_id,
        metadata={"timestamp": str(time.time()), "source": "api_request"},
        importance=priority,
        seconds_per_level=settings.seconds_per_importance,
    )
    return ProcessingStarted(priority=priority)
