"""Dataclasses, beside the standard library's own."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, is_dataclass, replace
from functools import partial
from typing import ClassVar

import pytest

from chainc.dataclass import dataclass

Decorator = Callable[..., Callable[[type], type]]


def classes(decorator: Decorator) -> Sequence[type]:
    """The same by each of the two."""

    @decorator(frozen=True)
    class Point:
        x: int
        y: int = 2
        dimensions: ClassVar[int] = 2

    @decorator(frozen=True)
    class Named(Point):
        y: int = 3
        name: str = field(default="p", kw_only=True, repr=False)
        notes: list[int] = field(default_factory=list, compare=False)

    @decorator(frozen=True, eq=False, repr=False)
    class Doubled:
        x: int
        twice: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "twice", 2 * self.x)

        def __repr__(self) -> str:
            return f"doubled {self.twice}"

    @decorator(frozen=True)
    class Own:
        x: object = None

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    @decorator()
    class Mutable:
        x: int
        parts: dict[str, int] = field(default_factory=dict)

    @decorator(frozen=True)
    class Empty:
        pass

    return Point, Named, Doubled, Own, Mutable, Empty


PAIRS = list(zip(classes(dataclass), classes(dataclasses.dataclass), strict=True))
each_pair = pytest.mark.parametrize(
    ("ours", "standard"), PAIRS, ids=[ours.__name__ for ours, _ in PAIRS]
)
FACTS = ("name", "type", "default", "default_factory", "init", "repr", "compare")


@each_pair
def test_fields_and_signature_are_the_standard_ones(ours: type, standard: type) -> None:
    def facts(cls: type) -> object:
        assert is_dataclass(cls)
        return [[getattr(each, fact) for fact in FACTS] for each in fields(cls)]

    assert facts(ours) == facts(standard)
    assert str(inspect.signature(ours)) == str(inspect.signature(standard))
    assert vars(ours)["__match_args__"] == vars(standard)["__match_args__"]


def outcome(act: Callable[[], object]) -> object:
    """A value, or what is raised in its place."""
    try:
        return act()
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


def behaviour(cls: type, given: tuple[object, ...], named: Mapping[str, object]) -> object:
    """What one sees of an instance, and of another like it."""
    one, other, ten = cls(*given, **named), cls(*given, **named), (10, *given[1:])
    return (
        repr(one),
        vars(one),
        [one == other, one != other, one == "a string"],
        outcome(lambda: hash(one) == hash(other)),
        outcome(lambda: one == cls(*ten, **named)),
        outcome(lambda: vars(replace(one, x=5))),
        [outcome(partial(setattr, one, name, 7)) for name in ("x", "z")],
        [outcome(partial(delattr, one, name)) for name in ("x", "z")],
        vars(one),
    )


@each_pair
def test_instances_behave_as_standard_ones(ours: type, standard: type) -> None:
    for given in ((), (1,), (1, 2), (1, 2, [3]), (1, 2, [3], 4)):
        for named in ({}, {"name": "q"}, {"x": 4}):
            found, expected = (
                outcome(partial(behaviour, cls, given, named)) for cls in (ours, standard)
            )
            assert found == expected


def test_a_value_is_made_for_each_instance() -> None:
    @dataclass(frozen=True)
    class Noted:
        notes: list[int] = field(default_factory=list)

    one, other = Noted(), Noted()
    assert one.notes == []
    assert one.notes is not other.notes


def test_names_that_are_no_fields_are_left_to_the_class_before() -> None:
    class Counting:
        def __setattr__(self, name: str, value: object) -> None:
            raise LookupError(name)

    @dataclass(frozen=True)
    class Fixed(Counting):
        x: int

    class Plain(Fixed):
        pass

    with pytest.raises(LookupError, match="y"):
        Plain(1).y = 2


def test_a_class_of_the_standard_library_can_be_made_of_one() -> None:
    @dataclass(frozen=True)
    class First:
        x: int

    @dataclasses.dataclass(frozen=True)
    class Second(First):
        y: int

    assert Second(1, 2) == Second(1, 2) != Second(2, 2)
    assert [each.name for each in fields(Second)] == ["x", "y"]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        Second(1, 2).__setattr__("x", 3)
    with pytest.raises(TypeError, match="non-frozen"):
        dataclasses.dataclass(type("Third", (First,), {}))
