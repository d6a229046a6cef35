"""Arguments: passed as they are, bound late, never copied."""

from fastapi import BackgroundTasks

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.events import Contradiction, Log, same
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement


@requirement("BGF-ARGS-01")
def test_positional_arguments_are_the_same_objects(lab: Lab) -> None:
    given: list[object] = [{"id": 1}, [2], object()]
    received: list[object] = []

    def task(*args: object) -> None:
        received.extend(args)

    lab.send(scheduling_app(lambda tasks: tasks.add_task(task, *given))).settle()
    same("The task got other positional arguments.", received, given)
    if any(got is not put for got, put in zip(received, given, strict=True)):
        raise Contradiction("The task got copies, not the objects themselves.", repr(given))


@requirement("BGF-ARGS-02")
def test_keyword_arguments_arrive_under_their_names(lab: Lab) -> None:
    received: list[dict[str, object]] = []
    name = ["mutable"]

    async def task(*, item_id: int, name: list[str]) -> None:
        received.append({"item_id": item_id, "name": name})

    lab.send(scheduling_app(lambda tasks: tasks.add_task(task, item_id=42, name=name))).settle()
    same("The task got other keyword arguments.", received, [{"item_id": 42, "name": name}])
    if received[0]["name"] is not name:
        raise Contradiction("The task got a copy, not the object itself.", repr(name))


@requirement("BGF-ARGS-03")
def test_a_task_sees_what_changed_after_it_was_scheduled(lab: Lab) -> None:
    received: list[str] = []

    def schedule(tasks: BackgroundTasks) -> None:
        order = {"state": "new"}
        tasks.add_task(lambda order: received.append(order["state"]), order)
        order["state"] = "changed"

    lab.send(scheduling_app(schedule)).settle()
    same("The task got a snapshot of its argument.", received, ["changed"])


@requirement("BGF-ARGS-04")
def test_a_wrong_call_is_found_only_when_the_task_starts(lab: Lab, log: Log) -> None:
    def task(item_id: int) -> None:
        log.mark("task", item_id)

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(task)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        log.mark("scheduled")

    exchange = lab.send(scheduling_app(schedule)).end().answered()
    log.before("scheduled", "response complete")
    errors = [type(error) for error in exchange.root_errors()]
    same("A call that cannot bind did not raise TypeError.", errors, [TypeError])
