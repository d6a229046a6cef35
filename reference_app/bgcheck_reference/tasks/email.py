"""Sending e-mail with retries: as documented, and with a final failure that anybody can see."""

import copy
import logging
from email.message import EmailMessage

import anyio
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bgcheck_reference.mailer import Mailer, RefusedError
from bgcheck_reference.models import Delivery, TaskState
from bgcheck_reference.schemas import EmailTask

logger = logging.getLogger(__name__)


async def send_email_task(
    task_data: EmailTask,
    log_success: bool = True,
    *,
    mailer: Mailer,
    retry_delay: float = 1.0,
) -> None:
    """Send an e-mail with retries, as documented.

    Swallows the last error on every version: apart from a line in the log the task looks like
    one that succeeded, to the framework, to a tracer and to whoever asked for the e-mail.
    `send_email_task_reporting` records how it ended.

    Args:
        task_data: the e-mail; copied first, so that nobody can change it under the retries.
        log_success: whether to log that it was sent.
        mailer: sends it.
        retry_delay: seconds before the second attempt; doubled for each further attempt.
    """
    task = copy.deepcopy(task_data)
    try:
        await _Attempts(task, mailer, retry_delay).run()
    except Exception as error:
        logger.error("Failed to send e-mail after %d attempts: %s", task.retry_count, error)
    else:
        _log_sent(task, log_success)


async def send_email_task_reporting(
    task_data: EmailTask,
    delivery_id: str,
    log_success: bool = True,
    *,
    mailer: Mailer,
    session_factory: async_sessionmaker[AsyncSession],
    retry_delay: float = 1.0,
) -> None:
    """Send an e-mail with retries, and record in its `Delivery` row how that ended.

    The final failure is logged with its traceback and stored in the row; it is not raised, since
    that would keep later tasks of the same response from running. No connection is held while
    the e-mail is sent.

    Args:
        task_data: the e-mail, already a copy of the task's own.
        delivery_id: the row to keep.
        log_success: whether to log that it was sent.
        mailer: sends it.
        session_factory: makes a session for each change of the row.
        retry_delay: seconds before the second attempt; doubled for each further attempt.
    """
    await _record(session_factory, delivery_id, TaskState.RUNNING)
    attempts = _Attempts(task_data, mailer, retry_delay)
    try:
        await attempts.run()
    except Exception as error:
        logger.exception("Delivery %s failed after %d attempts", delivery_id, attempts.made)
        await _record(
            session_factory, delivery_id, TaskState.FAILED, attempts.made, _describe(error)
        )
    else:
        _log_sent(task_data, log_success)
        await _record(session_factory, delivery_id, TaskState.DONE, attempts.made)


class _Attempts:
    """Attempts to send one e-mail, with a growing delay between them."""

    def __init__(self, task: EmailTask, mailer: Mailer, delay: float) -> None:
        self.made = 0
        self._task = task
        self._mailer = mailer
        self._delay = delay

    async def run(self) -> None:
        """Try until it is sent; raise the error of the last attempt allowed."""
        message = _compose(self._task)
        allowed = self._task.retry_count
        while True:
            self.made += 1
            logger.info("Sending %r: attempt %d of %d", message["Subject"], self.made, allowed)
            try:
                return await self._mailer.send(message)
            except Exception as error:
                logger.warning("Attempt %d of %d failed: %s", self.made, allowed, error)
                if self.made >= allowed or isinstance(error, RefusedError):
                    raise
            await anyio.sleep(self._delay * 2 ** (self.made - 1))


def _compose(task: EmailTask) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = task.content.subject
    message["To"] = ", ".join(task.recipients)
    message.set_content(task.content.body)
    return message


def _log_sent(task: EmailTask, wanted: bool) -> None:
    if wanted:
        logger.info("E-mail sent to %d recipients", len(task.recipients))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


async def _record(
    session_factory: async_sessionmaker[AsyncSession],
    delivery_id: str,
    state: TaskState,
    attempts: int = 0,
    error: str | None = None,
) -> None:
    async with session_factory.begin() as db:
        await db.execute(
            update(Delivery)
            .where(Delivery.id == delivery_id)
            .values(state=state.value, attempts=attempts, error=error)
        )
