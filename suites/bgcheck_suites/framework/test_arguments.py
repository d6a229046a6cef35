"""Arguments: passed as they are, bound late, never copied."""

import weakref
from typing import Any

from fastapi import BackgroundTasks

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Contradiction, Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import attempt, run_task


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


@requirement("BGF-ARGS-05")
def test_surplus_arguments_are_refused_and_not_dropped(lab: Lab, log: Log) -> None:
    def task(item_id: int) -> None:
        log.mark("task", item_id)

    def wrong(*args: Any, **kwargs: Any) -> list[type[BaseException]]:
        exchange = run_task(lab, task, *args, **kwargs).answered()
        return [type(error) for error in exchange.root_errors()]

    same("A positional argument too many was dropped.", wrong(1, 2), [TypeError])
    same("A keyword too many was dropped.", wrong(1, owner="ann"), [TypeError])
    same("An argument given twice was dropped.", wrong(1, item_id=2), [TypeError])
    log.never("task")


@requirement("BGF-ARGS-06")
def test_a_keyword_argument_named_func(in_process: InProcess, observe: Observe) -> None:
    observe(reserved_name(in_process, "func"))


@requirement("BGF-ARGS-07")
def test_a_keyword_argument_named_self(in_process: InProcess, observe: Observe) -> None:
    observe(reserved_name(in_process, "self"))


def reserved_name(lab: Lab, name: str) -> str:
    """Schedule a task with a keyword argument of this name, and say what comes of it."""
    said: list[str] = []

    def task(**kwargs: object) -> None:
        said.append("the task gets it")

    def schedule(tasks: BackgroundTasks) -> None:
        add: Any = tasks.add_task
        refused = attempt(lambda: add(task, **{name: 1}), where="at add_task")
        said.extend([] if refused == "accepted" else [refused])

    lab.send(scheduling_app(schedule)).settle()
    return ", ".join(said)


@requirement("BGF-ARGS-08")
def test_the_function_given_by_keyword(in_process: InProcess, log: Log, observe: Observe) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        add: Any = tasks.add_task
        add(func=log.mark, label="task")

    in_process.send(scheduling_app(schedule)).settle()
    observe("runs" if log.count("task") else "never runs")


@requirement("BGF-ARGS-09")
def test_no_function_at_all(in_process: InProcess, observe: Observe) -> None:
    said: list[str] = []

    def schedule(tasks: BackgroundTasks) -> None:
        add: Any = tasks.add_task
        said.append(attempt(lambda: add(), where="at add_task"))

    in_process.send(scheduling_app(schedule)).settle()
    observe(said[0])


@requirement("BGF-ARGS-10")
def test_a_group_lists_its_calls(in_process: InProcess, log: Log) -> None:
    listed: list[object] = []

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task", value=1)
        listed.extend((call.func, call.args, call.kwargs) for call in tasks.tasks)

    in_process.send(scheduling_app(schedule)).settle()
    expected = [(log.mark, ("task",), {"value": 1})]
    same("The group lists other calls than were scheduled.", listed, expected)


@requirement("BGF-ARGS-11")
def test_when_the_arguments_of_an_ended_task_are_released(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    class Document:
        """A large argument."""

    references: list[weakref.ref[Document]] = []

    def look() -> None:
        log.mark("kept" if references[0]() else "released")

    def schedule(tasks: BackgroundTasks) -> None:
        document = Document()
        references.append(weakref.ref(document))
        tasks.add_task(id, document)
        tasks.add_task(look)

    in_process.send(scheduling_app(schedule)).settle()
    observe("kept while later tasks run" if log.count("kept") else "released when it ends")
