"""Faults in which parameters get the group of a request."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_origin

from starlette.background import BackgroundTasks

from .planting import Patches, fault

Overlooked = Callable[[Any, inspect.Parameter], bool]


def _overlook(patches: Patches, overlooked: Overlooked) -> None:
    """Inject no group where the function and its parameter are picked."""
    from fastapi import routing
    from fastapi.dependencies import utils

    original: Any = vars(utils)["get_dependant"]

    def get_dependant(**options: Any) -> Any:
        dependant = original(**options)
        name, call = dependant.background_tasks_param_name, options["call"]
        if name and overlooked(call, inspect.signature(call).parameters[name]):
            dependant.background_tasks_param_name = None
        return dependant

    for module in (utils, routing):
        patches.set(module, "get_dependant", get_dependant)


@fault("starlette-class-not-injected", "a parameter with Starlette's own class gets no group")
def _starlette_class_not_injected(patches: Patches) -> None:
    _overlook(patches, lambda _, parameter: parameter.annotation is BackgroundTasks)


@fault("other-names-not-injected", "only a parameter that is called tasks gets the group")
def _other_names_not_injected(patches: Patches) -> None:
    _overlook(patches, lambda _, parameter: parameter.name != "tasks")


@fault("annotated-not-injected", "a parameter whose annotation is an Annotated gets no group")
def _annotated_not_injected(patches: Patches) -> None:
    _overlook(patches, lambda _, parameter: get_origin(parameter.annotation) is Annotated)


@fault("default-not-replaced", "a parameter with a default gets no group")
def _default_not_replaced(patches: Patches) -> None:
    _overlook(patches, lambda _, parameter: parameter.default is not parameter.empty)


@fault("string-not-injected", "a parameter whose annotation is a string gets no group")
def _string_not_injected(patches: Patches) -> None:
    _overlook(patches, lambda _, parameter: isinstance(parameter.annotation, str))


@fault("wrapped-not-injected", "an endpoint behind functools.wraps gets no group")
def _wrapped_not_injected(patches: Patches) -> None:
    _overlook(patches, lambda call, _: hasattr(call, "__wrapped__"))


@fault("class-not-injected", "a class that is used as a dependency gets no group")
def _class_not_injected(patches: Patches) -> None:
    _overlook(patches, lambda call, _: inspect.isclass(call))
