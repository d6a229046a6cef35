"""An e-mail with early validation: as documented, or with a record of how it ended."""

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request, Response, status

from bgcheck_reference.db import AsyncDb, AsyncSessionFactory
from bgcheck_reference.mailer import MailerDep
from bgcheck_reference.models import Delivery
from bgcheck_reference.schemas import DeliveryOut, DeliveryQueued, EmailQueued, EmailTask
from bgcheck_reference.settings import SettingsDep
from bgcheck_reference.tasks.email import send_email_task, send_email_task_reporting

router = APIRouter(tags=["E-mail"])

MIN_BODY_LENGTH = 10


@router.post("/send-email/", summary="Send an e-mail (as documented)")
async def send_email(
    email_task: EmailTask,
    background_tasks: BackgroundTasks,
    mailer: MailerDep,
    settings: SettingsDep,
    log_success: bool = True,
) -> EmailQueued:
    """Send an e-mail, trying again when that fails.

    **As documented; the last failure is swallowed** on every version: it is one line in the log,
    and the task counts as succeeded. `/send-email/reporting` records it.
    """
    _validate(email_task)
    background_tasks.add_task(
        send_email_task,
        email_task,
        log_success,
        mailer=mailer,
        retry_delay=settings.email_retry_delay,
    )
    return EmailQueued(recipients_count=len(email_task.recipients), priority=email_task.priority)


@router.post(
    "/send-email/reporting",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Send an e-mail (with a record of how it ended)",
)
async def send_email_reporting(
    email_task: EmailTask,
    background_tasks: BackgroundTasks,
    mailer: MailerDep,
    settings: SettingsDep,
    db: AsyncDb,
    session_factory: AsyncSessionFactory,
    request: Request,
    response: Response,
    log_success: bool = True,
) -> DeliveryQueued:
    """Send an e-mail, trying again when that fails; the `Location` tells how it ended.

    **Holds on every version.** The task is given a copy of the e-mail and makes its own sessions.
    """
    _validate(email_task)
    delivery = Delivery(subject=email_task.content.subject, recipients=email_task.recipients)
    db.add(delivery)
    # Before the task is scheduled: it must find the row, on every version.
    await db.commit()
    background_tasks.add_task(
        send_email_task_reporting,
        email_task.model_copy(deep=True),
        delivery.id,
        log_success,
        mailer=mailer,
        session_factory=session_factory,
        retry_delay=settings.email_retry_delay,
    )
    location = request.url_for("read_delivery", delivery_id=delivery.id)
    response.headers["Location"] = location.path
    return DeliveryQueued(
        recipients_count=len(email_task.recipients),
        priority=email_task.priority,
        delivery_id=delivery.id,
    )


@router.get("/send-email/reporting/{delivery_id}")
async def read_delivery(delivery_id: str, db: AsyncDb) -> DeliveryOut:
    """Tell how the sending of an e-mail went."""
    delivery = await db.get(Delivery, delivery_id)
    if delivery is None:
        raise HTTPException(status_code=404, detail="No such delivery")
    return DeliveryOut.model_validate(delivery)


def _validate(email_task: EmailTask) -> None:
    if not email_task.recipients:
        raise HTTPException(status_code=400, detail="No recipients provided")
    if len(email_task.content.body) < MIN_BODY_LENGTH:
        raise HTTPException(status_code=400, detail="Email body too short")
