"""Sending e-mail: the protocol that tasks need, and a mailer that works without a server."""

import logging
from collections import deque
from email.message import EmailMessage
from typing import Annotated, Protocol

from fastapi import Depends, Request

logger = logging.getLogger(__name__)

OUTBOX_SIZE = 1000


class Mailer(Protocol):
    """Anything that can send an e-mail."""

    async def send(self, message: EmailMessage) -> None:
        """Send one message, or raise what kept it from being sent."""


class OutboxMailer:
    """A mailer that logs each message and keeps the newest ones in `outbox`."""

    def __init__(self) -> None:
        self.outbox: deque[EmailMessage] = deque(maxlen=OUTBOX_SIZE)

    async def send(self, message: EmailMessage) -> None:
        """Put the message in the outbox."""
        self.outbox.append(message)
        logger.info("Kept %r for %s in the outbox", message["Subject"], message["To"])


def get_mailer(request: Request) -> Mailer:
    """Give the mailer of the app; override it to send elsewhere."""
    mailer: Mailer = request.app.state.mailer
    return mailer


MailerDep = Annotated[Mailer, Depends(get_mailer)]
