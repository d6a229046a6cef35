"""A task that writes its progress to the database, step by step."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.claims import Claim, ClaimPolicy, Note, perform
from bgcheck_reference.models import Run

STEPS_PER_LEVEL = 10


@dataclass(frozen=True)
class Pace:
    """How long the work of each step is."""

    seconds_per_step: float = 0.0


def work_in_steps(
    run_id: str, session_factory: sessionmaker[Session], pace: Pace, claims: ClaimPolicy
) -> None:
    """Do the steps of a run that are not done, and write after each how far it has come.

    The work blocks, so this is a `def` task. Each note is a transaction of its own: others see it
    at once, and no connection is held during a step.

    Args:
        run_id: the row, which must be committed already.
        session_factory: makes a session for each note.
        pace: how long each step is.
        claims: how long the row belongs to this task after each step.
    """
    work = partial(_work, run_id, session_factory, pace)
    perform(Claim(Run, run_id, claims), session_factory, work)


def _work(
    run_id: str, session_factory: sessionmaker[Session], pace: Pace, note: Note
) -> dict[str, Any]:
    with session_factory() as db:
        run = db.get_one(Run, run_id)
    for done in range(run.steps_done + 1, run.steps_total + 1):
        do_step(pace.seconds_per_step)
        note(steps_done=done)
    return {}


def do_step(seconds: float) -> None:
    """Do one step of the work."""
    time.sleep(seconds)
