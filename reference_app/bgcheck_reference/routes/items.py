"""Simple parameters: a path parameter and a constant."""

from fastapi import APIRouter, BackgroundTasks, Path

from bgcheck_reference.schemas import Message
from bgcheck_reference.tasks.items import process_item

router = APIRouter(tags=["Simple parameters"])


@router.post("/items/{item_id}")
async def create_item(
    background_tasks: BackgroundTasks, item_id: int = Path(examples=[42])
) -> Message:
    """Create an item; the log tells that it was processed."""
    background_tasks.add_task(process_item, item_id, "create")
    return Message(message="Item creation initiated")
