"""Sending e-mail: the protocol that tasks need, and a mailer that works without a server."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.message import EmailMessage
from typing import Annotated, Protocol

from fastapi import Depends, Request

logger = logging.getLogger(__name__)

OUTBOX_SIZE = 1000

Send = Callable[[EmailMessage], Awaitable[None]]


class MailError(Exception):
    """A message could not be sent; a later attempt may succeed."""


class UnreachableError(MailError):
    """There is no server to talk to, or it does not let us in; it concerns no single message."""


class RefusedError(MailError):
    """A message was refused for good; a later attempt would be refused as well."""


class PartlyRefusedError(RefusedError):
    """Some recipients of a message were refused, and the others have it by now."""


class Mailer(Protocol):
    """Anything that can send an e-mail."""

    async def send(self, message: EmailMessage) -> None:
        """Send one message, or raise what kept it from being sent."""

    def connected(self) -> AbstractAsyncContextManager[Send]:
        """Connect for a block that sends several messages, each as `send` does."""
        ...


class OutboxMailer:
    """A mailer that logs each message and keeps the newest ones in `outbox`."""

    def __init__(self) -> None:
        self.outbox: deque[EmailMessage] = deque(maxlen=OUTBOX_SIZE)

    async def send(self, message: EmailMessage) -> None:
        """Put the message in the outbox."""
        self.outbox.append(message)
        logger.info("Kept %r for %s in the outbox", message["Subject"], message["To"])

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Send]:
        """Give `send`: there is nothing to connect to."""
        yield self.send


def get_mailer(request: Request) -> Mailer:
    """Give the mailer of the app; override it to send elsewhere."""
    mailer: Mailer = request.app.state.mailer
    return mailer


MailerDep = Annotated[Mailer, Depends(get_mailer)]
