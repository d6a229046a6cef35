"""E-mail notifications of several kinds, each to a list of recipients."""

from fastapi import APIRouter, HTTPException, status
from sqlalchemy import update
from sqlalchemy.orm import selectinload

from bgcheck_reference.claims import run_again
from bgcheck_reference.db import AsyncDb
from bgcheck_reference.models import Mailing, MailingRecipient, RecipientState
from bgcheck_reference.routes.work import Intake, known
from bgcheck_reference.schemas_mailings import MailingOut, MailingRequest
from bgcheck_reference.settings import SettingsDep
from bgcheck_reference.tasks.mailings import send_mailing

router = APIRouter(tags=["E-mail notifications"])


@router.post("/mailings", status_code=status.HTTP_202_ACCEPTED)
async def create_mailing(
    wanted: MailingRequest, db: AsyncDb, settings: SettingsDep, intake: Intake
) -> MailingOut:
    """Write an e-mail of some kind to each recipient; the `Location` tells who has it.

    **Holds on every version.** The mailing and its recipients are committed before the task is
    scheduled, and the task is given only the id: it runs on a queue as it is.
    """
    if len(wanted.recipients) > settings.mail_max_recipients:
        detail = f"Too many recipients: at most {settings.mail_max_recipients}"
        raise HTTPException(status_code=422, detail=detail)
    mailing = _stored(wanted)
    await intake.store(db, mailing, send_mailing)
    return MailingOut.model_validate(mailing)


@router.get("/mailings/{mailing_id}")
async def read_mailing(mailing_id: str, db: AsyncDb) -> MailingOut:
    """Tell which recipients have the e-mail, and why others do not."""
    return MailingOut.model_validate(await _find(db, mailing_id))


@router.post("/mailings/{mailing_id}/retry", status_code=status.HTTP_202_ACCEPTED)
async def retry_mailing(mailing_id: str, db: AsyncDb, intake: Intake) -> MailingOut:
    """Try a failed mailing once more; nobody who has the e-mail gets a second one."""
    # One statement: of two requests at once only one finds a failed mailing.
    found = await db.scalar(run_again(Mailing, mailing_id))
    if found is None:
        await _find(db, mailing_id)
        raise HTTPException(status_code=409, detail="Only a failed mailing can be tried again")
    await db.execute(
        update(MailingRecipient)
        .where(MailingRecipient.mailing_id == mailing_id)
        .where(MailingRecipient.state != RecipientState.SENT.value)
        .values(state=RecipientState.PENDING.value)
    )
    mailing = await _find(db, mailing_id)
    await db.commit()
    await intake.schedule(mailing, send_mailing)
    return MailingOut.model_validate(mailing)


async def _find(db: AsyncDb, mailing_id: str) -> Mailing:
    recipients = selectinload(Mailing.recipients)
    return known(await db.get(Mailing, mailing_id, options=[recipients]), Mailing)


def _stored(wanted: MailingRequest) -> Mailing:
    return Mailing(
        kind=wanted.content.kind,
        content=wanted.content.model_dump(mode="json"),
        style=wanted.style.model_dump(mode="json"),
        recipients=[
            MailingRecipient(address=recipient.address, name=recipient.name)
            for recipient in wanted.recipients
        ],
    )
