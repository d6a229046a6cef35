"""A task that writes its progress to the database, step by step."""

import logging
import time

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.models import Run, TaskState

logger = logging.getLogger(__name__)

STEPS_PER_LEVEL = 10


def work_in_steps(
    run_id: str, steps: int, seconds_per_step: float, session_factory: sessionmaker[Session]
) -> None:
    """Do the steps of a run, and write after each how far it has come.

    The work blocks, so this is a `def` task. Each note is a transaction of its own: others see it
    at once, and no connection is held during a step. A failure is logged and stored in the row.

    Args:
        run_id: the row, which must be committed already.
        steps: how many there are.
        seconds_per_step: seconds of work for each.
        session_factory: makes a session for each note.
    """
    try:
        _note(run_id, session_factory, state=TaskState.RUNNING.value)
        for done in range(1, steps + 1):
            do_step(seconds_per_step)
            _note(run_id, session_factory, steps_done=done)
        _note(run_id, session_factory, state=TaskState.DONE.value)
    except Exception as error:
        logger.exception("Run %s failed", run_id)
        message = f"{type(error).__name__}: {error}"
        _note(run_id, session_factory, state=TaskState.FAILED.value, error=message)


def do_step(seconds: float) -> None:
    """Do one step of the work."""
    time.sleep(seconds)


def _note(run_id: str, session_factory: sessionmaker[Session], **values: object) -> None:
    with session_factory.begin() as db:
        db.execute(update(Run).where(Run.id == run_id).values(**values))
