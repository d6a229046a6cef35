"""Facts of the request as parameters."""

from fastapi import APIRouter, BackgroundTasks, Header, Request

from bgcheck_reference.schemas import Message
from bgcheck_reference.tasks.request_log import log_request

router = APIRouter(tags=["Request information"])


@router.get("/logged-endpoint")
async def logged_endpoint(
    request: Request,
    background_tasks: BackgroundTasks,
    user_agent: str | None = Header(default=None),
) -> Message:
    """Answer, and log the request afterwards."""
    background_tasks.add_task(
        log_request,
        path=request.url.path,
        query_params=dict(request.query_params),
        user_agent=user_agent,
        client_ip=request.client.host if request.client else None,
    )
    return Message(message="This request will be logged")
