"""A task chosen by a parameter."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, HTTPException, Path

from bgcheck_reference.schemas import Content, ContentAccepted, ProcessingType
from bgcheck_reference.tasks.content import TASK_HANDLERS

PROCESSING_TYPE: Any = Path(examples=["text"])

router = APIRouter(tags=["Task selection"])


@router.post("/process/{processing_type}")
async def process_content(
    data: Content,
    background_tasks: BackgroundTasks,
    processing_type: ProcessingType = PROCESSING_TYPE,
) -> ContentAccepted:
    """Process content by the task for its type."""
    handler = TASK_HANDLERS.get(processing_type)
    if handler is None:
        raise HTTPException(status_code=400, detail="Unsupported processing type")
    fields = data.model_dump(exclude_unset=True)
    background_tasks.add_task(handler, fields)
    return ContentAccepted(type=processing_type, data_received=len(fields))
