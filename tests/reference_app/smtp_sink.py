"""A mail server for tests: it keeps what it gets, and refuses what it is told to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

PASSWORD = "correct-horse-battery"


@dataclass
class Sink:
    """What has arrived, and the answers to give: by address, each as often as listed."""

    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    connections: int = 0
    data_answers: list[str] = field(default_factory=list)
    """Answers to messages themselves, before any is taken."""
    drop_after: int | None = None
    """Close the connection instead of taking one more message than this."""
    port: int = 0
    secure: list[bool] = field(default_factory=list)
    """Of each message, whether it came over TLS."""
    logins: list[str] = field(default_factory=list)
    """Who has tried to log in."""

    @property
    def recipients(self) -> list[str]:
        """Who has a message."""
        return [recipient for recipient, _ in self.received]

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):  # noqa: N802
        answers = self.answers.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.drop_after is not None and len(self.received) >= self.drop_after:
            self.drop_after = None
            server.transport.close()
            return "421 closing"
        if self.data_answers:
            return self.data_answers.pop(0)
        self.secure.append(server.transport.get_extra_info("sslcontext") is not None)
        message = message_from_bytes(
            envelope.content.replace(b"\r\n", b"\n"), policy=policy.default
        )
        self.received += [(recipient, message) for recipient in envelope.rcpt_tos]
        return "250 taken"


class _AnyPort(Controller):
    connections = ()

    def factory(self):
        self.connections += (super().factory(),)
        return self.connections[-1]

    def cancel_tasks(self, stop_loop=True):
        for connection in self.connections:
            if connection.transport is not None:  # or Python 3.13 complains of a broken handshake
                connection.transport.abort()
        super().cancel_tasks(stop_loop)

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def _authenticate(server, session, envelope, mechanism, data):
    server.event_handler.logins.append(data.login.decode())
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@contextmanager
def smtp_sink(**options: Any) -> Iterator[Sink]:
    """Run a mail server on a free port; it wants a login if `auth_required` is given."""
    sink = Sink()
    controller = _AnyPort(sink, hostname="127.0.0.1", port=0, **options)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


LOGIN = {"auth_required": True, "auth_require_tls": False, "authenticator": _authenticate}
