"""`bgcheck.recorder.snapshot` and `copiers`: what is copied, what is kept by reference."""

import array
import dataclasses
import datetime
import decimal
import enum
import io
import pathlib
import threading
import types
import uuid
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from typing import Any, Generic, NamedTuple, TypeVar
from unittest import mock

import attrs
import pydantic
import pytest

from bgcheck.recorder.copiers import BIG
from bgcheck.recorder.params import Params, take_params
from bgcheck.recorder.snapshot import LIMIT, describe_path


def target(value: Any) -> None: ...


def take(value: Any) -> Params:
    return take_params(target, (value,), {})


class Color(enum.Enum):
    RED = 1


class Text(str):
    __slots__ = ()


class Moment(datetime.datetime):
    pass


CONSTANTS = [
    None, True, 1, 1.5, 2j, "text", b"bytes", ..., range(3), slice(1), int, Color, Color.RED,
    Text("x"), datetime.date(2026, 1, 1), Moment(2026, 1, 1), datetime.timedelta(1),
    datetime.timezone.utc, decimal.Decimal("1.5"), uuid.UUID(int=1), pathlib.Path("x"),
    len, target, pytest, list[int], (1, "a", (2, None)), frozenset({1, 2}),
]  # fmt: skip


@pytest.mark.parametrize("value", CONSTANTS, ids=lambda value: type(value).__name__)
def test_what_cannot_change_is_kept(value: Any) -> None:
    params = take(value)
    assert params["value"] is value or type(value) is frozenset
    assert params["value"] == value
    assert params.references == {}


Pair = namedtuple("Pair", "left right")


class Point(NamedTuple):
    where: list[int]


class Words(list[str]):
    def append(self, word: str) -> None:
        raise AssertionError("no overridden method runs")

    extend = __iter__ = append  # type: ignore[assignment]


class Registry(dict[str, Any]):
    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner

    def __setitem__(self, key: str, value: Any) -> None:
        raise AssertionError("no overridden method runs")


def words() -> Words:
    made = Words()
    list.append(made, "a")
    return made


def registry() -> Registry:
    made = Registry("me")
    dict.__setitem__(made, "a", [1])
    return made


CONTAINERS: list[Any] = [
    [1, [2]], {"a": {"b": [1]}}, {1, 2}, (1, [2]), deque([1, [2]], maxlen=5),
    OrderedDict(a=[1]), defaultdict(list, a=[1]), Counter("aab"),
    types.MappingProxyType({"a": [1]}),
    types.SimpleNamespace(a=[1]), bytearray(b"x"), array.array("i", [1]), UserDict(a=[1]),
    ChainMap({"a": [1]}), Pair([1], 2), Point([1]), registry(),
]  # fmt: skip


@pytest.mark.parametrize("value", CONTAINERS, ids=lambda value: type(value).__name__)
def test_containers_are_copied(value: Any) -> None:
    params = take(value)
    copied = params["value"]
    assert copied == value
    assert type(copied) is type(value)
    assert copied is not value
    assert params.references == {}
    assert params == {"value": value}


def test_no_overridden_method_of_a_container_runs() -> None:
    copied = take(words())["value"]
    assert type(copied) is Words
    assert list.__getitem__(copied, 0) == "a"
    assert take(registry())["value"].owner == "me"


def test_details_of_containers_are_kept() -> None:
    value = {"deque": deque([1], maxlen=3), "default": defaultdict(set)}
    copied = take(value)["value"]
    assert copied["deque"].maxlen == 3
    assert copied["default"].default_factory is set
    ordered = OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    assert list(take(ordered)["value"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1], lambda value: value.append(2)),
        ({"a": [1]}, lambda value: value["a"].append(2)),
        ({1}, lambda value: value.add(2)),
        ((1, [2]), lambda value: value[1].clear()),
        (Point([1]), lambda value: value.where.clear()),
        (bytearray(b"x"), lambda value: value.clear()),
    ],
)
def test_a_later_change_does_not_reach_the_copy(value: Any, change: Any) -> None:
    params = take(value)
    before = repr(params["value"])
    change(value)
    assert repr(params["value"]) == before
    assert params != {"value": value}


def test_cycles_and_shared_objects_stay() -> None:
    shared = [1]
    value: dict[str, Any] = {"first": shared, "second": shared}
    value["self"] = value
    value["tuple"] = (value,)
    copied = take(value)["value"]
    assert copied["first"] is copied["second"]
    assert copied["self"] is copied
    assert copied["tuple"][0] is copied
    assert take(value) == {"value": value}


def test_shared_ordered_dict_keeps_its_class() -> None:
    shared = OrderedDict(a=1)
    copied = take([shared, shared])["value"]
    assert type(copied[0]) is OrderedDict
    assert copied[0] is copied[1]


def test_nested_tuples_that_share_take_linear_time() -> None:
    value: Any = ([],)
    for _ in range(200):
        value = (value, value)
    copied = take(value)["value"]
    assert copied[0] is copied[1]


def test_deep_nesting_is_no_error() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    params = take(value)
    assert list(params) == ["value"]
    assert set(params.references.values()) == {"copying failed: RecursionError"}


@dataclasses.dataclass
class Order:
    items: list[str]
    note: str = ""

    def __post_init__(self) -> None:
        self.validated = True


@dataclasses.dataclass(frozen=True)
class Frozen:
    items: list[str]


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("items",)
    items: list[str]


@dataclasses.dataclass(eq=False)
class ByIdentity:
    items: list[str]


@attrs.define
class Attrs:
    items: list[str]


@attrs.frozen
class FrozenAttrs:
    items: list[str]


class Value:
    """An ordinary class that compares by value."""

    def __init__(self, items: list[str]) -> None:
        self.items = items
        made.append(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.items == other.items

    __hash__ = None  # type: ignore[assignment]


class Private:
    __slots__ = ("__hidden", "items")

    def __init__(self, items: list[str]) -> None:
        self.items = items
        self.__hidden = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Private) and self.__hidden == other.__hidden

    __hash__ = None  # type: ignore[assignment]


made: list[Any] = []


@pytest.mark.parametrize(
    "kind", [Order, Frozen, Slotted, ByIdentity, Attrs, FrozenAttrs, Value, Private]
)
def test_objects_are_rebuilt_without_their_constructor(kind: Any) -> None:
    value = kind(["a"])
    made.clear()
    params = take(value)
    copied = params["value"]
    assert type(copied) is kind
    assert copied is not value
    assert copied.items == ["a"]
    assert copied.items is not value.items
    assert made == []
    assert params.references == {}
    assert params == {"value": value}
    value.items.append("b")
    assert copied.items == ["a"]


def test_an_object_that_compares_by_identity_equals_only_itself() -> None:
    value = ByIdentity(["a"])
    params = take({"x": [value]})
    assert params == {"value": {"x": [value]}}
    assert params != {"value": {"x": [ByIdentity(["a"])]}}


T = TypeVar("T")


class Item(pydantic.BaseModel):
    tags: list[str]
    _secret: list[int] = pydantic.PrivateAttr(default_factory=lambda: [1])

    @pydantic.field_validator("tags")
    @classmethod
    def check(cls, tags: list[str]) -> list[str]:
        made.append(tags)
        return tags


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str


class Fixed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    tags: list[str]


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


class Root(pydantic.RootModel[list[int]]):
    pass


@pydantic.dataclasses.dataclass
class Checked:
    tags: list[str]


MODELS = [
    Item(tags=["a"]),
    Open(name="x", more=[1]),
    Fixed(tags=["a"]),
    Page[int](items=[1]),
    Page[Item](items=[Item(tags=["a"])]),
    Root([1]),
    Checked(["a"]),
    Item.model_construct(),
]


@pytest.mark.parametrize("value", MODELS, ids=lambda value: type(value).__name__)
def test_pydantic_models_are_copied_without_validation(value: Any) -> None:
    made.clear()
    params = take(value)
    copied = params["value"]
    assert copied == value
    assert copied is not value
    assert type(copied) is type(value)
    assert made == []
    assert params.references == {}
    if isinstance(value, pydantic.BaseModel):
        assert copied.model_fields_set == value.model_fields_set
        assert repr(copied) == repr(value)
        assert copied.model_dump() == value.model_dump()


def test_private_and_extra_attributes_are_copied() -> None:
    value = Item(tags=["a"])
    copied = take(value)["value"]
    value._secret.append(2)
    assert copied._secret == [1]
    open_value = Open(name="x", more=[1])
    copied = take(open_value)["value"]
    open_value.more.append(2)  # type: ignore[attr-defined]
    assert copied.more == [1]


class Client:
    def __init__(self) -> None:
        self.lock = threading.Lock()


BY_REFERENCE = [
    Client(), threading.Lock(), io.BytesIO(b"x"), (n for n in range(3)), object(),
    ValueError("x"), iter([1]), threading.Event(),
]  # fmt: skip


@pytest.mark.parametrize("value", BY_REFERENCE, ids=lambda value: type(value).__name__)
def test_objects_that_compare_by_identity_are_kept_and_marked(value: Any) -> None:
    params = take({"deep": [value]})
    assert params["value"]["deep"][0] is value
    name = type(value).__name__
    assert params.references == {"value['deep'][0]": f"{name} compares by identity"}
    assert params == {"value": {"deep": [value]}}


@pytest.mark.parametrize(
    "value", [mock.Mock(), mock.MagicMock(), mock.AsyncMock(), mock.create_autospec(Client)()]
)
def test_mocks_are_kept_and_not_touched(value: Any) -> None:
    params = take(value)
    assert params["value"] is value
    assert list(params.references) == ["value"]
    assert value.mock_calls == []


def test_elements_of_a_set_are_kept() -> None:
    client = Client()
    params = take({client, 1})
    assert params["value"] == {client, 1}
    assert params.references == {"value": "the elements of a set are kept"}
    assert take({1, 2}).references == {}


def test_a_lock_inside_of_a_value_is_marked_where_it_is() -> None:
    value = Value([threading.Lock()])  # type: ignore[list-item]
    params = take(value)
    assert params["value"].items is not value.items
    assert params.references == {"value.items[0]": "lock compares by identity"}


class Equal:
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]


class RefusesDeepcopy(Equal):
    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("do not copy me")


class RefusesEquality:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("do not compare me")

    __hash__ = None  # type: ignore[assignment]


class RefusesHash(Equal):
    def __hash__(self) -> int:  # type: ignore[override]
        raise RuntimeError("do not hash me")


class RefusesAttributes(Equal):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class RefusesRepr(Equal):
    def __repr__(self) -> str:
        raise RuntimeError("do not print me")


class RefusesClass(Equal):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("do not ask")


class RefusesReduce(Equal):
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("do not pickle me")


class Meta(type):
    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError(name)


class RefusesClassAttributes(metaclass=Meta):
    pass


HOSTILE = [
    RefusesDeepcopy, RefusesEquality, RefusesHash, RefusesAttributes, RefusesRepr, RefusesClass,
    RefusesReduce, RefusesClassAttributes,
]  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_objects_are_never_an_error(kind: Any) -> None:
    value = kind()
    params = take({"x": value, "y": [1]})
    assert params["value"]["y"] == [1]
    assert params == {"value": {"x": value, "y": [1]}} or params.references == {}
    assert isinstance(params.describe(), str)
    assert params != {"value": {"x": object(), "y": [1]}}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (RefusesDeepcopy, "copying failed: RuntimeError"),
        (RefusesAttributes, "copying failed: RuntimeError"),
        (RefusesReduce, "copying failed: RuntimeError"),
        (RefusesClassAttributes, "copying failed: RuntimeError"),
    ],
)
def test_a_failing_copy_is_a_marked_reference(kind: Any, reason: str) -> None:
    value = kind()
    params = take([value])
    assert params["value"][0] is value
    assert params.references == {"value[0]": reason}


class HashOfKey:
    broken = False

    def __hash__(self) -> int:
        if self.broken:
            raise RuntimeError("do not hash me")
        return 1

    def __repr__(self) -> str:
        raise RuntimeError("do not print me")


def test_hostile_keys() -> None:
    key = HashOfKey()
    value = {key: [threading.Lock()]}
    params = take(value)
    assert params["value"] == value or params.references
    key.broken = True
    assert take(value)["value"] is value


class OwnCopy(Equal):
    def __deepcopy__(self, memo: Any) -> Any:
        return "the copy"


def test_a_class_with_a_copy_method_of_its_own_uses_it() -> None:
    assert take(OwnCopy())["value"] == "the copy"


def test_huge_values_are_kept_by_reference() -> None:
    many = list(range(LIMIT + 1))
    params = take({"rows": many, "after": [1]})
    assert params["value"]["rows"] is many
    assert params["value"]["after"] == [1]
    reason = "the arguments hold more objects than are copied"
    assert params.references == {"value['rows']": reason}
    big = bytearray(BIG + 1)
    assert take(big)["value"] is big
    assert take(big).references == {"value": "it is too large to copy"}


def test_many_small_objects_are_cut_off_too() -> None:
    value = [[n] for n in range(LIMIT // 2 + 10)]
    params = take(value)
    assert params["value"][0] is not value[0]
    assert params["value"][-1] is value[-1]
    assert params == {"value": value}
    assert params.references


def test_the_snapshot_keeps_no_live_object_that_it_copied() -> None:
    class Local(Equal):
        pass

    value = Local()
    reference = weakref.ref(value)
    params = take([value])
    del value
    assert reference() is None
    assert len(params["value"]) == 1


def test_describe_path() -> None:
    assert describe_path("value") == "value"
    assert describe_path(((("value", "[", 0), "[", "x"), ".", "name")) == "value[0]['x'].name"
    assert "whose repr raised RuntimeError" in describe_path(("value", "[", HashOfKey()))


def test_defaults_are_copied_too() -> None:
    def with_default(items: list[int] = [1]) -> None: ...  # noqa: B006

    params = take_params(with_default, (), {})
    with_default.__defaults__[0].append(2)  # type: ignore[index]
    assert params == {"items": [1]}
