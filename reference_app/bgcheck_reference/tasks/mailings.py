"""A mailing: one e-mail for each recipient, with attempts and an outcome for each of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any

import anyio
from pydantic import TypeAdapter
from sqlalchemy import Select, select, update

from bgcheck_reference.claims import (
    AsyncSessions,
    Claim,
    ClaimPolicy,
    LostClaimError,
    apply_async,
    perform_async,
    undisturbed,
)
from bgcheck_reference.composing import Letter, compose
from bgcheck_reference.mailer import (
    Mailer,
    MailError,
    RefusedError,
    Send,
    UnreachableError,
)
from bgcheck_reference.models import Mailing, MailingRecipient, RecipientState, TaskState
from bgcheck_reference.schemas_mailings import MailContent, Maintenance, Receipt, Style, Welcome
from bgcheck_reference.smtp import address

logger = logging.getLogger(__name__)

_CONTENT: TypeAdapter[Welcome | Receipt | Maintenance] = TypeAdapter(MailContent)
_MESSAGE_ID_DOMAIN = "mailings.invalid"


@dataclass(frozen=True)
class RetryPolicy:
    """How often to try, and the seconds before the second attempt; they double each time."""

    attempts: int = 3
    delay: float = 1.0


async def send_mailing(
    mailing_id: str,
    *,
    mailer: Mailer,
    session_factory: AsyncSessions,
    policy: RetryPolicy,
    claims: ClaimPolicy,
) -> None:
    """Write to all recipients of a mailing who have no e-mail yet, and record what became of it.

    It may run any number of times: who has the e-mail gets no second one. What fails for now is
    tried again, what is refused for good is not. No connection to the database is held while an
    e-mail is sent. Nothing is raised, since that would keep later tasks of the response from
    running; who was not reached is logged by number, and stored with the reason.

    Args:
        mailing_id: the row, which must be committed already.
        mailer: sends the e-mails.
        session_factory: makes a session for each change of the rows.
        policy: how often to try.
        claims: how long the mailing belongs to this task after each e-mail.
    """
    claim = Claim(Mailing, mailing_id, claims)
    delivery = _Delivery(claim, session_factory)
    await perform_async(claim, session_factory, partial(_deliver, delivery, mailer, policy))


async def _deliver(delivery: "_Delivery", mailer: Mailer, policy: RetryPolicy) -> dict[str, Any]:
    await delivery.start()
    for attempt in range(policy.attempts):
        if attempt:
            await delivery.pause(policy.delay * 2 ** (attempt - 1))
        await delivery.attempt(mailer)
        if not delivery.open:
            break
    missed = await delivery.close()
    if not missed:
        return {}
    logger.error("%s did not reach %d recipients", delivery.claim, missed)
    return {"state": TaskState.FAILED.value, "error": f"{missed} recipients were not reached"}


@dataclass
class _Delivery:
    """The recipients of one mailing who are still to be written to, by id."""

    claim: Claim
    session_factory: AsyncSessions
    open: dict[int, EmailMessage] = field(default_factory=dict)

    async def start(self) -> None:
        """Compose what is to be sent."""
        async with undisturbed(self.session_factory) as db:
            mailing = await db.get_one(Mailing, self.claim.row_id)
            content = _CONTENT.validate_python(mailing.content)
            style = Style.model_validate(mailing.style)
            for recipient in await db.scalars(self._unreached()):
                letter = Letter(
                    address(recipient.address, recipient.name),
                    f"<{mailing.id}.{recipient.id}@{_MESSAGE_ID_DOMAIN}>",
                    content,
                    style,
                )
                self.open[recipient.id] = compose(letter)

    async def pause(self, seconds: float) -> None:
        """Wait, and stay the owner of the mailing."""
        if not await apply_async(self.session_factory, self.claim.keep(seconds)):
            raise LostClaimError
        await anyio.sleep(seconds)

    async def attempt(self, mailer: Mailer) -> None:
        """Try once to send all that is open, over one connection."""
        waiting = list(self.open)
        try:
            async with mailer.connected() as send:
                while waiting:
                    await self._try(send, waiting[0])
                    waiting.pop(0)
        except UnreachableError as error:  # at first, or from some recipient on
            logger.warning("Mailing %s: %s", self.claim.row_id, error)
            for recipient in waiting:
                await self._note(recipient, error)

    async def _try(self, send: Send, recipient: int) -> None:
        try:
            await send(self.open[recipient])
        except UnreachableError:
            raise
        except MailError as error:
            await self._note(recipient, error)
        else:
            await self._note(recipient, None)

    async def _note(self, recipient: int, error: Exception | None) -> None:
        """Store the outcome of one attempt at once, so that it holds whatever comes next."""
        state = RecipientState.SENT if error is None else RecipientState.PENDING
        if isinstance(error, RefusedError):
            state = RecipientState.REFUSED
        if state is not RecipientState.PENDING:
            del self.open[recipient]
        outcome = {
            "state": state.value,
            "attempts": MailingRecipient.attempts + 1,
            "error": None if error is None else str(error),
        }
        async with undisturbed(self.session_factory) as db:
            kept = await db.scalar(self.claim.keep()) is not None
            if kept or error is None:  # what another has noted meanwhile is not overwritten
                await db.execute(
                    update(MailingRecipient).where(MailingRecipient.id == recipient).values(outcome)
                )
        if not kept:
            raise LostClaimError

    async def close(self) -> int:
        """Give up on what is still open; return how many of all recipients were not reached."""
        unreached: Sequence[MailingRecipient] = ()
        async with undisturbed(self.session_factory) as db:
            unreached = (await db.scalars(self._unreached(refused=True))).all()
            for recipient in unreached:
                if recipient.id in self.open:
                    recipient.state = RecipientState.FAILED.value
        return len(unreached)

    def _unreached(self, *, refused: bool = False) -> Select[MailingRecipient]:
        reached = [RecipientState.SENT.value]
        if not refused:
            reached.append(RecipientState.REFUSED.value)
        return (
            select(MailingRecipient)
            .where(MailingRecipient.mailing_id == self.claim.row_id)
            .where(MailingRecipient.state.not_in(reached))
            .order_by(MailingRecipient.id)
        )
