"""What an endpoint does, as yes/no properties: declared by the adopter, and probed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bgcheck_suites.events import Contradiction

from .faulting import inside
from .state import change, state_of
from .subject import Subject, SubjectError
from .trial import Trial, trial


@dataclass(frozen=True)
class Capabilities:
    """The capabilities of an endpoint.

    Attributes:
        uses_database: the request or a task of it uses an SQLAlchemy engine.
        async_tasks: a task is `async def`.
        several_tasks: the response carries more than one task.
        schedules_nested: a task schedules tasks.
        retries: a task tries again after an error inside of it.
        records_failures: a failure inside of a task changes the state of the app: a row, a list.
        raises_failures: a failure inside of a task leaves it, and reaches the server.
    """

    uses_database: bool
    async_tasks: bool
    several_tasks: bool
    schedules_nested: bool
    retries: bool
    records_failures: bool
    raises_failures: bool

    @classmethod
    def probe(cls, subject: Subject) -> "Capabilities":
        """Find out by running the request, as it is and with failures inside of its tasks."""
        with trial(subject) as made:
            sent = made.discover()
            before = state_of(made)
            made.send()
            usual = change(before, state_of(made))
            return cls(
                uses_database=bool(made.witness.pools),
                async_tasks=any("async-task" in task.shape for task in sent.tasks),
                several_tasks=sum(task.parent is None for task in sent.tasks) > 1,
                schedules_nested=any(task.parent is not None for task in sent.tasks),
                **_on_failure(made, usual),
            )

    def require(self, declared: Mapping[str, bool]) -> None:
        """Require that they are as declared.

        Raises Contradiction where one is not, SubjectError where a name is none of them.
        """
        names = [one.name for one in fields(self)]
        for name, value in declared.items():
            if name not in names:
                raise SubjectError(f"{name!r} is no capability; there are {', '.join(names)}")
            if getattr(self, name) != value:
                raise Contradiction(
                    f"The capability {name} is declared {value}, and was probed {not value}.",
                    "Correct `capabilities`, or the endpoint.",
                )


def _on_failure(made: Trial, usual: dict[str, float]) -> dict[str, Any]:
    """Have lines of the tasks fail, and look what becomes of it."""
    retries = records = raises = False
    functions = made.functions
    before = state_of(made)
    for faulty in inside(made, functions):
        after = state_of(made)
        grown = change(before, after)
        before = after
        retries = retries or faulty.hits > 1
        raises = raises or any(task.outcome == "failed" for task in faulty.sent.tasks)
        records = records or any(v > usual.get(name, 0.0) for name, v in grown.items())
    return {"retries": retries, "records_failures": records, "raises_failures": raises}
