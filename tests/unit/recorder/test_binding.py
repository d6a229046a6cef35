"""`bgcheck.recorder.binding`, and every kind of callable as a task."""

import functools
import inspect
import operator
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from starlette.background import BackgroundTask

from bgcheck import scheduled
from bgcheck.recorder.binding import Call, bind, signature_of, unwrap
from support.apps import answer, starlette_app
from support.clients import by_asgi

if TYPE_CHECKING:
    from decimal import Nowhere  # type: ignore[attr-defined]


def plain(a: int, b: int = 2) -> None: ...


async def coroutine(a: int, b: int = 2) -> None: ...


def positional_only(a: int, /, b: int = 2) -> None: ...


def keyword_only(a: int, *, b: int = 2) -> None: ...


def required_keyword(a: int, *, b: int) -> None: ...


def variadic(a: int, *rest: int, b: int = 2, **more: int) -> None: ...


def unresolvable(a: "Nowhere", b: "missing.Name" = 2) -> None: ...  # type: ignore[name-defined] # noqa: F821


class Service:
    def method(self, a: int, b: int = 2) -> None: ...

    @classmethod
    def of_class(cls, a: int, b: int = 2) -> None: ...

    @staticmethod
    def of_no_instance(a: int, b: int = 2) -> None: ...

    def __call__(self, a: int, b: int = 2) -> None: ...


class AsyncService:
    async def __call__(self, a: int, b: int = 2) -> None: ...


class Constructed:
    def __init__(self, a: int, b: int = 2) -> None: ...


def transparent(func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


def rewriting(func: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the function its second argument."""

    @functools.wraps(func)
    def wrapper(a: int) -> Any:
        return func(a, 2)

    return wrapper


def needs_two(a: int, b: int) -> None: ...


service = Service()
NAMED = {"a": 1, "b": 2}
CALLABLES: list[tuple[Any, str, dict[str, Any]]] = [
    (plain, "plain", NAMED),
    (coroutine, "coroutine", NAMED),
    (positional_only, "positional_only", NAMED),
    (keyword_only, "keyword_only", NAMED),
    (variadic, "variadic", {"a": 1, "rest": (), "b": 2, "more": {}}),
    (unresolvable, "unresolvable", NAMED),
    (service.method, "Service.method", NAMED),
    (Service.of_class, "Service.of_class", NAMED),
    (service.of_class, "Service.of_class", NAMED),
    (Service.of_no_instance, "Service.of_no_instance", NAMED),
    (service, "Service", NAMED),
    (AsyncService(), "AsyncService", NAMED),
    (Constructed, "Constructed", NAMED),
    (functools.partial(plain, b=2), "plain", NAMED),
    (functools.partial(functools.partial(plain), b=2), "plain", NAMED),
    (functools.partial(service.method), "Service.method", NAMED),
    (lambda a, b=2: (a, b), "<lambda>", NAMED),
    (transparent(plain), "plain", NAMED),
    (transparent(coroutine), "coroutine", NAMED),
    (rewriting(needs_two), "needs_two", {"a": 1}),
    (functools.cache(plain), "plain", NAMED),
    (print, "print", None),
    (time.sleep, "sleep", None),
    (operator.itemgetter(0), "itemgetter", None),
    ([].append, "list.append", {"object": 1}),
    (int, "int", None),
    (mock.Mock(), "Mock", {"args": (1,), "kwargs": {}}),
    (mock.MagicMock(), "MagicMock", {"args": (1,), "kwargs": {}}),
    (mock.AsyncMock(), "AsyncMock", {"args": (1,), "kwargs": {}}),
    (mock.create_autospec(plain), "plain", NAMED),
    (mock.create_autospec(Service)().method, None, NAMED),
]


@pytest.mark.parametrize(("func", "name", "params"), CALLABLES, ids=range(len(CALLABLES)))
def test_every_callable(func: Any, name: Any, params: Any, bgtasks: Any) -> None:
    arguments = (1,)
    live = BackgroundTask(func, *arguments)
    (task,) = bgtasks
    assert task.func is func
    assert task.args == arguments
    assert task.kwargs == {}
    assert live.func is func
    assert task == scheduled(func, *arguments)
    assert task != scheduled(func, 7)
    assert name in (None, task.name)
    assert params is None or task.params == params


@pytest.mark.parametrize("func", [mock.Mock(), mock.MagicMock(), mock.create_autospec(plain)])
def test_mocks_run_and_are_called_once(func: Any, bgtasks: Any) -> None:
    by_asgi(starlette_app(lambda: answer(func, 1)), "GET", "/")
    assert bgtasks[0].outcome == "succeeded"
    func.assert_called_once_with(1)


def test_async_mock_runs_on_the_loop(bgtasks: Any) -> None:
    func = mock.AsyncMock()
    by_asgi(starlette_app(lambda: answer(func, 1)), "GET", "/")
    assert (bgtasks[0].outcome, bgtasks[0].thread) == ("succeeded", "loop")
    func.assert_awaited_once_with(1)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1, 2), {}), ((1,), {}), ((1,), {"b": 2}), ((), {"b": 2, "a": 1}), ((), {"a": 1})],
)
@pytest.mark.parametrize("func", [plain, coroutine, service.method, functools.partial(plain)])
def test_one_call_in_every_spelling(func: Any, args: Any, kwargs: Any, bgtasks: Any) -> None:
    BackgroundTask(func, *args, **kwargs)
    assert bgtasks == [scheduled(func, 1)]
    assert list(bgtasks[0].params) == ["a", "b"]


@pytest.mark.parametrize(
    ("func", "args", "kwargs", "error"),
    [
        (plain, (), {}, "missing a required argument: 'a'"),
        (plain, (1, 2, 3), {}, "too many positional arguments"),
        (plain, (1,), {"a": 1}, "multiple values for argument 'a'"),
        (plain, (1,), {"c": 1}, "got an unexpected keyword argument 'c'"),
        (keyword_only, (1, 2), {}, "too many positional arguments"),
        (required_keyword, (1,), {}, "missing a required"),
        (positional_only, (), {"a": 1}, "positional"),
    ],
)
def test_a_call_that_does_not_bind_keeps_its_arguments(
    func: Any, args: Any, kwargs: Any, error: str
) -> None:
    bound = bind(Call(func, args, kwargs))
    assert bound.arguments == {"args": args, "kwargs": kwargs}
    assert error in str(bound.error)
    assert bound.error is not None
    assert bound.error.__traceback__ is None  # it would keep the live arguments


@pytest.mark.parametrize(
    "call",
    [
        Call(func, args, kwargs)
        for func in (plain, keyword_only, required_keyword, positional_only, variadic)
        for args in ((), (1,), (1, 2), (1, 2, 3))
        for kwargs in ({}, {"a": 1}, {"b": 3}, {"a": 1, "b": 3}, {"c": 1})
    ],
    ids=lambda call: f"{call.func.__name__}{call.args}{call.kwargs}",
)
def test_binding_agrees_with_inspect(call: Call) -> None:
    bound = bind(call)
    signature = inspect.signature(call.func)
    if bound.error is not None:
        with pytest.raises(TypeError) as caught:
            signature.bind(*call.args, **call.kwargs)
        assert str(bound.error) == str(caught.value)
    else:
        expected = signature.bind(*call.args, **call.kwargs)
        expected.apply_defaults()
        assert list(bound.arguments.items()) == list(expected.arguments.items())


def test_unwrap_merges_nested_partials() -> None:
    inner = functools.partial(variadic, 1, b=3)
    outer = functools.partial(inner, 2, b=4, c=5)
    assert unwrap(outer, (9,), {"c": 6}) == Call(variadic, (1, 2, 9), {"b": 4, "c": 6})


class BrokenSignature:
    @property
    def __signature__(self) -> Any:
        raise RuntimeError("no signature for you")

    def __call__(self, *args: Any) -> None: ...


class EveryAttribute:
    def __call__(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return EveryAttribute()


@pytest.mark.parametrize("kind", [BrokenSignature, EveryAttribute])
def test_hostile_callables_are_recorded(kind: Any, bgtasks: Any) -> None:
    func = kind()
    BackgroundTask(func)
    assert bgtasks[0].func is func
    assert bgtasks[0].name == kind.__name__
    assert repr(bgtasks[0]).endswith(" pending>")


def test_signatures_are_cached_and_functions_are_not_kept() -> None:
    import gc
    import weakref

    def local(a: int) -> None: ...

    assert signature_of(local) is signature_of(local)
    reference = weakref.ref(local)
    del local
    gc.collect()
    assert reference() is None
