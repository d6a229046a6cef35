"""Forms of annotations and defaults for the group of tasks."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Optional

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.background import BackgroundTask
from typing_extensions import TypeAliasType

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import raised

if TYPE_CHECKING:
    from fastapi import BackgroundTasks as OnlyForTypeCheckers

Endpoint = Callable[..., object]
GroupAlias = TypeAliasType("GroupAlias", BackgroundTasks)


def fate_of(lab: Lab, endpoint: Endpoint) -> str:
    """Define a route, send a request, and say whether its endpoint got a group."""
    app = FastAPI()
    try:
        app.get("/")(endpoint)
    except Exception as error:
        return f"raises {type(error).__name__} when the route is defined"
    exchange = lab.send(app).end()
    if exchange.status != 200:
        return f"status {exchange.status}, the app raises {raised(exchange)}"
    return exchange.body.decode().strip('"')


def kind_of(tasks: object) -> str:
    """Say what an endpoint got."""
    return "injected" if type(tasks) is BackgroundTasks else f"gets {tasks!r}"


@requirement("BGF-INJ-06")
def test_annotated_with_something_else(lab: Lab) -> None:
    def endpoint(tasks: Annotated[BackgroundTasks, "metadata"]) -> str:
        return kind_of(tasks)

    same("An Annotated group is not injected.", fate_of(lab, endpoint), "injected")


@requirement("BGF-INJ-07")
def test_a_default_is_never_used(lab: Lab) -> None:
    default = BackgroundTasks()

    def none(tasks: BackgroundTasks = None) -> str:  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
        return kind_of(tasks)

    def group(tasks: BackgroundTasks = default) -> str:
        return "the default" if tasks is default else kind_of(tasks)

    same("The default None is used.", fate_of(lab, none), "injected")
    same("The default group is used.", fate_of(lab, group), "injected")


@requirement("BGF-INJ-08")
def test_an_optional_group(in_process: InProcess, observe: Observe) -> None:
    def endpoint(tasks: Optional[BackgroundTasks] = None) -> str:  # noqa: UP045
        return kind_of(tasks)

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-09")
def test_a_subclass(in_process: InProcess, observe: Observe) -> None:
    class Outbox(BackgroundTasks):
        pass

    def endpoint(tasks: Outbox) -> str:
        return "the subclass" if type(tasks) is Outbox else f"{type(tasks).__name__} itself"

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-10")
def test_an_annotation_as_a_string(lab: Lab) -> None:
    def endpoint(tasks: "BackgroundTasks") -> str:
        return kind_of(tasks)

    same("A string annotation is not injected.", fate_of(lab, endpoint), "injected")


@requirement("BGF-INJ-11")
def test_a_name_that_only_type_checkers_know(in_process: InProcess, observe: Observe) -> None:
    def endpoint(tasks: "OnlyForTypeCheckers") -> str:
        return kind_of(tasks)

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-12")
def test_a_type_alias(in_process: InProcess, observe: Observe) -> None:
    def endpoint(tasks: GroupAlias) -> str:
        return kind_of(tasks)

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-13")
def test_two_parameters(in_process: InProcess, observe: Observe) -> None:
    def endpoint(first: BackgroundTasks, second: BackgroundTasks) -> str:
        return "the same group twice" if first is second else "two groups"

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-14")
def test_the_class_in_depends(in_process: InProcess, observe: Observe) -> None:
    def endpoint(tasks: Annotated[BackgroundTasks, Depends()]) -> str:
        return kind_of(tasks)

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-15")
def test_the_class_of_a_single_task(in_process: InProcess, observe: Observe) -> None:
    def endpoint(task: BackgroundTask) -> str:
        return f"gets {type(task).__name__}"

    observe(fate_of(in_process, endpoint))


@requirement("BGF-INJ-16")
def test_a_wrapped_endpoint(lab: Lab, log: Log) -> None:
    def traced(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> object:
            log.mark("wrapper")
            return function(*args, **kwargs)

        return wrapper

    @traced
    def endpoint(tasks: BackgroundTasks) -> str:
        return kind_of(tasks)

    same("A wrapped endpoint got no group.", fate_of(lab, endpoint), "injected")
    log.times("wrapper", 1)


@requirement("BGF-INJ-17")
def test_the_group_is_no_parameter_of_the_api(in_process: InProcess) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, item_id: int) -> None:
        return None

    operation = app.openapi()["paths"]["/"]["get"]
    names = [parameter["name"] for parameter in operation["parameters"]]
    same("The group is a parameter of the API.", names, ["item_id"])
    same("The group is a body of the API.", operation.get("requestBody"), None)
