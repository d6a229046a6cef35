"""A mailer that talks SMTP to a server."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import cache, partial
from pathlib import Path

import aiosmtplib

from bgcheck_reference.mailer import (
    Mailer,
    MailError,
    OutboxMailer,
    PartlyRefusedError,
    RefusedError,
    Send,
    UnreachableError,
)
from bgcheck_reference.settings_mail import MailSettings

_PERMANENT = 500
"""The first status code by which a server refuses something for good."""


class SmtpMailer:
    """Sends over SMTP, with one connection for each `send` or `connected` block.

    Every error is a `MailError`, and its text has neither the password nor the message.
    """

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, message: EmailMessage) -> None:
        """Connect, send one message, and disconnect.

        Raises:
            RefusedError: the server refuses the message or a recipient for good.
            UnreachableError: there is no server, or it refuses the login.
            MailError: the server refuses the message or a recipient for now.
        """
        async with self.connected() as send:
            await send(message)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Send]:
        """Connect and log in for a block that sends several messages.

        Yields:
            What sends one message; it raises what `send` raises.

        Raises:
            UnreachableError: there is no server, or it refuses the login.
        """
        client = self._client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _unreachable(error) from error
        try:
            yield partial(self._send, client)
        finally:
            await _disconnect(client)

    def _client(self) -> aiosmtplib.SMTP:
        wanted = self._settings
        password = wanted.smtp_password
        return aiosmtplib.SMTP(
            hostname=wanted.smtp_host,
            port=wanted.smtp_port,
            username=wanted.smtp_username,
            password=None if password is None else password.get_secret_value(),
            timeout=wanted.smtp_timeout,
            tls_context=_tls_context(wanted.smtp_ca_file),
            use_tls=wanted.smtp_security == "tls",
            start_tls=wanted.smtp_security == "starttls",
        )

    async def _send(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        self._complete(message)
        with _as_mail_error():
            refused, _ = await client.send_message(message)
        if refused:
            answers = "; ".join(
                f"{who}: {what.code} {what.message}" for who, what in refused.items()
            )
            raise PartlyRefusedError(f"the server refused some of the recipients: {answers}")

    def _complete(self, message: EmailMessage) -> None:
        """Add the headers that every message needs, where they are missing."""
        sender = sender_of(self._settings)
        for name, value in (
            ("From", sender),
            ("Date", formatdate(usegmt=True)),
            ("Message-ID", make_msgid(domain=sender.domain)),
        ):
            if name not in message:
                message[name] = value


def sender_of(settings: MailSettings) -> Address:
    """Return the sender as an address with its name."""
    return address(settings.mail_sender, settings.mail_sender_name)


def address(mailbox: str, name: str | None = None) -> Address:
    """Make an address for a header, which no name can break out of."""
    user, _, domain = mailbox.rpartition("@")
    return Address(name or "", user, domain)


def make_mailer(settings: MailSettings) -> Mailer:
    """Make the mailer that the settings ask for."""
    return OutboxMailer() if settings.smtp_host is None else SmtpMailer(settings)


@cache
def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


@contextmanager
def _as_mail_error() -> Iterator[None]:
    try:
        yield
    except aiosmtplib.SMTPRecipientsRefused as error:
        answers = error.recipients
        permanent = all(answer.code >= _PERMANENT for answer in answers)
        raise _error("; ".join(map(_answer, answers)), permanent=permanent) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _error(_answer(error), permanent=error.code >= _PERMANENT) from error
    except aiosmtplib.SMTPNotSupported as error:
        raise RefusedError(error.message) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> UnreachableError:
    return UnreachableError(f"the mail server cannot be used: {error}")


def _answer(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {error.message}"


def _error(text: str, *, permanent: bool) -> MailError:
    return RefusedError(text) if permanent else MailError(text)


async def _disconnect(client: aiosmtplib.SMTP) -> None:
    """Say goodbye; whatever goes wrong now changes nothing about what was sent."""
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        client.close()
