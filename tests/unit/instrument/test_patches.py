"""`bgcheck.instrument.patches`: replace attributes, and put the very same objects back."""

import asyncio
import functools
from typing import Any

from bgcheck.instrument.patches import Patches, returns_coroutine


def make(original: Any) -> Any:
    @functools.wraps(original)
    def wrapper(self: Any) -> Any:
        return ["wrapped", original(self)]

    return wrapper


class Base:
    def method(self) -> Any:
        return "base"


def fresh() -> type:
    class Owner(Base):
        def own(self) -> Any:
            return "own"

    return Owner


def test_wrap_and_restore() -> None:
    owner: Any = fresh()
    patches, before = Patches(), vars(owner)["own"]
    patches.wrap(owner, "own", make)
    assert owner().own() == ["wrapped", "own"]
    patches.restore()
    assert vars(owner)["own"] is before


def test_inherited_attributes_are_not_wrapped_but_covered() -> None:
    owner: Any = fresh()
    patches, before = Patches(), dict(vars(owner))
    patches.wrap(owner, "method", make)
    assert dict(vars(owner)) == before
    patches.cover(owner, "method", make)
    assert owner().method() == ["wrapped", "base"]
    patches.restore()
    assert dict(vars(owner)) == before


def test_a_wrapper_that_somebody_put_back_is_not_wrapped_again() -> None:
    owner: Any = fresh()
    patches = Patches()
    patches.wrap(owner, "own", make)
    saved = owner.own
    patches.restore()
    owner.own = saved
    patches.wrap(owner, "own", make)
    assert owner().own() == ["wrapped", "own"]


def test_a_wrapper_of_other_patches_is_wrapped() -> None:
    owner: Any = fresh()
    Patches().wrap(owner, "own", make)
    patches = Patches()
    patches.wrap(owner, "own", make)
    assert owner().own() == ["wrapped", ["wrapped", "own"]]


def test_what_somebody_else_has_replaced_since_is_left_alone() -> None:
    owner: Any = fresh()
    patches = Patches()
    patches.wrap(owner, "own", make)
    owner.own = lambda _: "theirs"
    patches.restore()
    assert owner().own() == "theirs"


def make_other(original: Any) -> Any:
    @functools.wraps(original)
    def wrapper(self: Any) -> Any:
        return ["other", original(self)]

    return wrapper


def test_patches_go_in_any_order() -> None:
    owner: Any = fresh()
    first, second, third, before = Patches(), Patches(), Patches(), vars(owner)["own"]
    first.wrap(owner, "own", make)
    second.wrap(owner, "own", make_other)
    third.wrap(owner, "own", make)
    second.restore()
    assert owner().own() == ["wrapped", ["wrapped", "own"]]
    first.restore()
    assert owner().own() == ["wrapped", "own"]
    third.restore()
    assert vars(owner)["own"] is before


def test_what_goes_from_below_takes_its_marks_along() -> None:
    def marked(original: Any) -> Any:
        wrapper = make(original)
        wrapper.mark = "first"
        return wrapper

    owner: Any = fresh()
    owner.own.note = "its own"
    first, second = Patches(), Patches()
    first.wrap(owner, "own", marked)
    second.wrap(owner, "own", make_other)
    assert (owner.own.mark, owner.own.note) == ("first", "its own")
    first.restore()
    assert not hasattr(owner.own, "mark")
    assert owner.own.note == "its own"


def test_a_cover_goes_from_below() -> None:
    owner: Any = fresh()
    first, second, before = Patches(), Patches(), dict(vars(owner))
    first.cover(owner, "method", make)
    second.wrap(owner, "method", make_other)
    first.restore()
    assert owner().method() == ["other", "base"]
    second.restore()
    assert dict(vars(owner)) == before


def test_a_coroutine_function_goes_from_below() -> None:
    class Owner:
        async def own(self) -> Any:
            return "own"

    def make_async(original: Any) -> Any:
        @functools.wraps(original)
        def wrapper(self: Any) -> Any:
            return answer(original(self))

        return returns_coroutine(wrapper)

    async def answer(inner: Any) -> Any:
        return ["wrapped", await inner]

    owner: Any = Owner
    first, second, before = Patches(), Patches(), vars(owner)["own"]
    first.wrap(owner, "own", make_async)
    second.wrap(owner, "own", make_async)
    assert asyncio.run(owner().own()) == ["wrapped", ["wrapped", "own"]]
    first.restore()
    assert asyncio.run(owner().own()) == ["wrapped", "own"]
    second.restore()
    assert vars(owner)["own"] is before


def test_layers_below_what_somebody_else_has_put_there_stay() -> None:
    owner: Any = fresh()
    patches = Patches()
    patches.wrap(owner, "own", make)
    theirs = make_other(owner.own)
    owner.own = theirs
    patches.restore()
    assert owner.own is theirs
    assert owner().own() == ["other", ["wrapped", "own"]]
